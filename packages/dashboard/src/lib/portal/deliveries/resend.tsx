import { type Endpoint, EngineError, type ReplayPlan } from '@keepsend/engine'
import { RANGES } from '../../history/delivery-choices.ts'
import { namedChoices } from '../../history/filter-fields.tsx'
import { unlessOff } from '../../history/unless-off.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Select } from '../../parts/select.tsx'
import { type Reader, showUntil } from '../../reader/reader.ts'
import { MiddlePage } from '../../site/problem-page.tsx'
import type { Shown } from '../../site/visit.ts'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalPage, PortalVisit } from '../portal-visit.ts'
import { ONCE_PER_MS, againJobsOf } from './again-jobs.ts'
import { hostOf, sinceWhen, takesAbout } from './in-words.ts'
import { type ResendRange, WHATS, inputOf, resendRangeOf } from './resend-range.ts'

/** Asks before deliveries of an endpoint are sent again, and counts them by a dry run: the GET changes nothing. */
export const resendPage: PortalPage = pageNeeding('replays:write', {
  path: '/endpoints/:id/resend',
  section: 'endpoints',
  async show(visit) {
    const { engine, workspaceId, reader, param, query } = visit
    const endpoint = await engine.endpoints.get(workspaceId, param('id'))
    const range = resendRangeOf(query, reader.now)
    const { unfinished, nextAt } = await againJobsOf(visit, endpoint.id)
    if (unfinished) return notNow(endpoint, nextAt, reader)
    const plan = await unlessOff(() =>
      engine.replays.create(workspaceId, { ...inputOf(endpoint, range), dryRun: true }),
    )
    return ask(visit, { endpoint, range, nextAt, plan })
  },
})

/** Starts the job. The engine refuses it if another of the endpoint began less than an hour ago. */
export const resendAction: PortalAction = {
  path: '/endpoints/:id/resend',
  needs: 'replays:write',
  async act({ engine, workspaceId, reader, param, field, by }) {
    const endpoint = await engine.endpoints.get(workspaceId, param('id'))
    const input = inputOf(endpoint, resendRangeOf(field, reader.now))
    try {
      await engine.replays.create(workspaceId, input, { by, oncePerMs: ONCE_PER_MS })
    } catch (error) {
      if (!(error instanceof EngineError)) throw error
      if (error.code === 'conflict') return notNow(endpoint, undefined, reader)
      if (error.code !== 'too_many_replays') throw error
      return notNow(endpoint, reader.now + (error.retryAfterSeconds ?? 0) * 1000, reader)
    }
    return reader.link('endpoints', endpoint.id)
  },
}

/** Another job of the endpoint has not ended, or began less than an hour ago. */
function notNow(endpoint: Endpoint, nextAt: number | undefined, reader: Reader): Shown {
  const { text, link, times } = reader
  const title = text(nextAt === undefined ? 'portal.again_running' : 'portal.not_yet')
  const way = (
    <a class="btn primary" href={link('endpoints', endpoint.id)}>
      {text('nav.deliveries')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>
        {text('portal.once_an_hour')}{' '}
        {nextAt === undefined
          ? ''
          : text('portal.next_again', { time: times.clock(nextAt), span: showUntil(reader, nextAt) })}
      </p>
    </MiddlePage>
  )
  return { title, main, status: 409 }
}

interface Asked {
  endpoint: Endpoint
  range: ResendRange
  /** Undefined: the sender does not record what it needs. */
  plan: ReplayPlan | undefined
  nextAt: number | undefined
}

function ask({ engine, reader, query }: PortalVisit, { endpoint, range, plan, nextAt }: Asked): Shown {
  const { text, link, times } = reader
  const { what, since, time } = range
  const n = plan?.planned ?? 0
  const title =
    n === 0
      ? text('portal.nothing_again')
      : plan?.plannedMore
        ? text('portal.send_more_again_ask', { n })
        : text('portal.send_again_ask', { n })
  const host = <span class="mono">{hostOf(endpoint)}</span>
  const span = takesAbout(endpoint, { planned: n }, reader)
  const main = (
    <div class="page-mid">
      <h1>{title}</h1>
      <p>{text.rich(`portal.of_${what}`, { host, time: sinceWhen(plan?.reachesBackTo ?? since, reader) })}</p>
      {plan === undefined ? <p>{text('portal.no_missed')}</p> : null}
      {n === 0 ? null : (
        <ul class="list plain-list">
          <li>{text.rich('portal.again_ids', { name: <span class="mono">webhook-id</span> })}</li>
          <li>{text('portal.again_left_out')}</li>
          <li>
            {text('portal.again_order')} {span === undefined ? '' : text('portal.again_takes', { span })}
          </li>
          {endpoint.status === 'disabled' ? <li>{text('portal.again_endpoint_disabled')}</li> : null}
        </ul>
      )}
      {nextAt === undefined ? null : (
        <p>
          {text('portal.once_an_hour')}{' '}
          {text('portal.next_again', { time: times.clock(nextAt), span: showUntil(reader, nextAt) })}
        </p>
      )}
      <div class="row">
        {n === 0 || nextAt !== undefined ? null : (
          <form method="post" action={link('endpoints', endpoint.id, 'resend')}>
            <FormToken reader={reader} />
            <input type="hidden" name="what" value={what} />
            <input type="hidden" name="since" value={String(since)} />
            <input type="hidden" name="until" value={String(plan?.until ?? reader.now)} />
            <button class="btn primary" type="submit">
              {plan?.plannedMore ? text('portal.send_all_again') : text('portal.send_again_n', { n })}
            </button>
          </form>
        )}
        <a class="btn" href={link('endpoints', endpoint.id)}>
          {text('portal.not_now')}
        </a>
      </div>
      <form class="row" method="get" action={link('endpoints', endpoint.id, 'resend')}>
        {query('since') === undefined ? null : <input type="hidden" name="since" value={query('since')} />}
        <Select
          name="what"
          label={text('replay.what')}
          value={what}
          none="failed"
          choices={WHATS.filter((one) => one === 'failed' || engine.recordsEvents).map(
            (one) => [one, text(`portal.what_${one}`)] as const,
          )}
        />
        <Select
          name="time"
          label={text('filter.time')}
          value={time}
          choices={[
            ...(query('since') === undefined
              ? []
              : [['', text('portal.since', { time: sinceWhen(Number(query('since')), reader) })] as const]),
            ...namedChoices(RANGES, reader),
          ]}
        />
        <button class="btn" type="submit">
          {text('replay.count')}
        </button>
      </form>
    </div>
  )
  return { title, main }
}
