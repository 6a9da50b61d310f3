import { type Endpoint, EngineError } from '@keepsend/engine'
import { Copy } from '../parts/copy.tsx'
import { Figure } from '../parts/figure.tsx'
import { Head } from '../parts/head.tsx'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { CopiedIdent } from '../parts/split.tsx'
import { DeliveryStatus, EndpointStatus, holdOf } from '../parts/status.tsx'
import { Rail } from '../parts/rail.tsx'
import { type Reader, showDuration, showNumber, showPercent, showUntil } from '../reader/reader.ts'
import { FormToken } from '../shell/shell.tsx'
import type { Action, Page, Visit } from '../visit.ts'
import { AttemptCharts, CHART_RANGES, totalOf } from './attempt-charts.tsx'
import { nextAttempt } from './delivery-rows.tsx'
import { breakable } from './breakable.tsx'
import { unlessOff } from './unless-off.ts'

const LATEST = 10
const ACTIONS_SHOWN = 5

export const endpointPage: Page = {
  path: '/endpoints/:workspace/:id',
  section: 'endpoints',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, now } = reader
    const { workspaceId, endpoint } = await findEndpoint(visit)
    const { id, url } = endpoint
    const range = CHART_RANGES['24h']
    const series = await unlessOff(() =>
      engine.statistics.series(workspaceId, { by: range.by, endpointId: id, since: now - range.ms }),
    )
    const { rows } = await engine.deliveries.list(workspaceId, {
      endpointId: id,
      limit: LATEST,
      since: now - 30 * range.ms,
    })
    const audit = await engine.audit.list(workspaceId, { endpointId: id, limit: ACTIONS_SHOWN })
    const total = totalOf(series?.buckets ?? [])
    const attempts = total.delivered + total.failed + total.retried
    const main = (
      <>
        <Head
          title={<span class="mono url">{breakable(url)}</span>}
          crumbs={
            <>
              <a href={link('endpoints')}>{text('nav.endpoints')}</a>
              <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
              <CopiedIdent id={id} label={text('copy.id')} />
            </>
          }
          beside={
            <>
              <Copy label={text('copy.url')} text={url} />
              <EndpointStatus endpoint={endpoint} reader={reader} />
            </>
          }
          actions={<Actions endpoint={endpoint} reader={reader} />}
          reader={reader}
        />
        <form id="act" method="post" action={link('endpoints', workspaceId, id)}>
          <FormToken reader={reader} />
        </form>
        <StateNote endpoint={endpoint} maxAgeMs={engine.maxAgeMs} reader={reader} />
        {series ? (
          <dl class="figs five">
            <Figure name={text('endpoint.delivered_day')}>{showNumber(reader, total.delivered)}</Figure>
            <Figure name={text('column.success')}>{showPercent(reader, total.delivered, attempts)}</Figure>
            <Figure name={text('endpoint.failed_day')}>
              <a href={link('deliveries', { endpoint: id, workspace: workspaceId, status: 'failed' })}>
                {showNumber(reader, total.failed)}
              </a>
            </Figure>
            <Figure name={text('overview.retried')}>{showNumber(reader, total.retried)}</Figure>
            <Figure name={text('overview.p95')}>
              {total.p95Ms === null ? '–' : showDuration(reader, total.p95Ms)}
            </Figure>
          </dl>
        ) : null}
        <div class="with-aside">
          <div>
            {series ? <AttemptCharts buckets={series.buckets} range={range} reader={reader} /> : null}
            <section aria-labelledby="h-latest">
              <div class="sec-h">
                <h2 id="h-latest">{text('endpoint.latest')}</h2>
                <a class="sub link" href={link('deliveries', { endpoint: id, workspace: workspaceId })}>
                  {text('endpoint.all')}
                </a>
              </div>
              {rows.length === 0 ? (
                <p class="sec dim">{text('deliveries.none')}</p>
              ) : (
                <table class="rows">
                  <caption class="sr">{text('endpoint.latest')}</caption>
                  <thead>
                    <tr>
                      <th scope="col">{text('column.status')}</th>
                      <th scope="col">{text('column.type')}</th>
                      <th scope="col" class="n">
                        {text('column.response')}
                      </th>
                      <th scope="col">{text('column.attempts')}</th>
                      <th scope="col" class="n">
                        {text('column.next')}
                      </th>
                      <th scope="col" class="n">
                        {text('column.created')}
                      </th>
                    </tr>
                  </thead>
                  <tbody>
                    {rows.map((delivery) => (
                      <tr>
                        <td class="a nw">
                          <a href={link('deliveries', delivery.id)}>
                            <DeliveryStatus delivery={delivery} reader={reader} />
                          </a>{' '}
                          <span class="dim">{holdOf(delivery, reader) ?? ''}</span>
                        </td>
                        <td class="fill b mono nw">{delivery.type}</td>
                        <td class="n c">{delivery.lastStatus ?? '–'}</td>
                        <td>
                          <Rail delivery={delivery} reader={reader} />
                        </td>
                        <td class="n lo nw">{nextAttempt(delivery, reader)}</td>
                        <td class="n d dim">
                          <Moment at={delivery.createdAt} reader={reader} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              )}
            </section>
          </div>
          <aside aria-label={text('delivery.facts')}>
            <Facts endpoint={endpoint} reader={reader} />
            <div class="sec">
              <h2>{text('endpoint.actions')}</h2>
              {audit.rows.length === 0 ? (
                <p class="dim">{text('endpoint.no_actions')}</p>
              ) : (
                <ul class="list">
                  {audit.rows.map(({ verb, by, at }) => (
                    <li>
                      <span class="mono">{verb}</span>
                      <span class="sub nw">
                        {by ?? '–'}, <Moment at={at} reader={reader} />
                      </span>
                    </li>
                  ))}
                </ul>
              )}
            </div>
          </aside>
        </div>
      </>
    )
    return { title: url, main, liveMs: 5000 }
  },
}

export async function findEndpoint({ engine, param }: Visit): Promise<{ workspaceId: string; endpoint: Endpoint }> {
  const workspaceId = param('workspace')
  return { workspaceId, endpoint: await engine.endpoints.get(workspaceId, param('id')) }
}

function Actions({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, canAct } = reader
  const { workspaceId, id, status, pausedUntil } = endpoint
  if (!canAct) return null
  return (
    <>
      <a class="btn" href={link('replays', 'new', { workspace: workspaceId, endpoint: id })}>
        <Icon name="replay" />
        {text('delivery.replay')}
      </a>
      <a class="btn" href={link('endpoints', workspaceId, id, 'secrets')}>
        <Icon name="key" />
        {text('endpoint.secrets')}
      </a>
      <a class="btn" href={link('endpoints', workspaceId, id, 'edit')}>
        <Icon name="edit" />
        {text('endpoint.edit')}
      </a>
      {status === 'disabled' ? null : pausedUntil === null ? (
        <button class="btn" form="act" name="do" value="pause">
          <Icon name="pause" />
          {text('endpoint.pause')}
        </button>
      ) : (
        <button class="btn" form="act" name="do" value="resume">
          <Icon name="play" />
          {text('endpoint.resume')}
        </button>
      )}
      {status === 'disabled' ? (
        <button class="btn primary" form="act" name="do" value="enable">
          <Icon name="on" />
          {text('endpoint.enable')}
        </button>
      ) : (
        <>
          <a class="btn" href={link('endpoints', workspaceId, id, 'disable')}>
            <Icon name="off" />
            {text('endpoint.disable')}…
          </a>
          <a class="btn primary" href={link('endpoints', workspaceId, id, 'test')}>
            <Icon name="test" />
            {text('endpoint.test')}
          </a>
        </>
      )}
      <a class="btn danger" href={link('endpoints', workspaceId, id, 'delete')}>
        <Icon name="trash" />
        {text('endpoint.delete')}…
      </a>
    </>
  )
}

/** Why an endpoint gets nothing, and until when. */
function StateNote({ endpoint, maxAgeMs, reader }: { endpoint: Endpoint; maxAgeMs: number; reader: Reader }) {
  const { text, times } = reader
  const { status, disabledReason, disabledAt, circuit, failingSince, pausedUntil } = endpoint
  if (status === 'disabled') {
    const until = disabledAt === null ? undefined : disabledAt + maxAgeMs
    return (
      <div class="note">
        <Icon name="off" />
        <div>
          <h2>{text('endpoint.is_disabled')}</h2>
          <p>{disabledReason === null ? '' : text(`disabled_why.${disabledReason}`)}</p>
          <p>{until === undefined ? '' : text('endpoint.collects', { time: times.whole(until) })}</p>
        </div>
      </div>
    )
  }
  if (circuit === 'open') {
    return (
      <div class="note warn">
        <Icon name="circuit-open" />
        <div>
          <h2>{text('endpoint.is_open')}</h2>
          <p>{text('endpoint.is_open_then')}</p>
          <p>
            {failingSince === null
              ? ''
              : text.rich('endpoint.failing_since', { time: <Moment at={failingSince} reader={reader} /> })}
          </p>
        </div>
      </div>
    )
  }
  if (pausedUntil !== null && pausedUntil > reader.now) {
    return (
      <div class="note warn">
        <Icon name="held" />
        <div>
          <h2>
            {text('endpoint.is_paused', { span: showUntil(reader, pausedUntil), time: times.clock(pausedUntil) })}
          </h2>
        </div>
      </div>
    )
  }
  return null
}

function Facts({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, times } = reader
  const {
    workspaceId,
    description,
    eventTypes,
    channels,
    rateLimit,
    ratePeriod,
    headerNames,
    signatures,
    auth,
    deadlineMs,
    filter,
    createdAt,
    uid,
  } = endpoint
  const none = <span class="dim">{text('none')}</span>
  return (
    <div class="sec">
      <dl class="facts">
        <dt>{text('fact.workspace')}</dt>
        <dd>
          <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
        </dd>
        <dt>{text('fact.description')}</dt>
        <dd>{description === '' ? none : description}</dd>
        {uid === null ? null : (
          <>
            <dt>uid</dt>
            <dd class="mono">{uid}</dd>
          </>
        )}
        <dt>{text('fact.types')}</dt>
        <dd class="mono">{eventTypes.join(', ')}</dd>
        <dt>{text('fact.channels')}</dt>
        <dd>{channels.length === 0 ? none : <span class="mono">{channels.join(', ')}</span>}</dd>
        <dt>{text('fact.filter')}</dt>
        <dd>{filter === null ? none : <span class="mono">{JSON.stringify(filter)}</span>}</dd>
        <dt>{text('fact.rate')}</dt>
        <dd>{rateLimit === null ? none : text(`rate.${ratePeriod}`, { n: rateLimit })}</dd>
        <dt>{text('fact.deadline')}</dt>
        <dd>{deadlineMs === null ? text('default') : showDuration(reader, deadlineMs)}</dd>
        <dt>{text('fact.headers')}</dt>
        <dd>{headerNames.length === 0 ? none : <span class="mono">{headerNames.join(', ')}</span>}</dd>
        <dt>{text('fact.signed')}</dt>
        <dd class="mono">{signatures.join(', ')}</dd>
        <dt>{text('fact.auth')}</dt>
        <dd>{auth === null ? none : <span class="mono">{auth.type}</span>}</dd>
        <dt>{text('fact.created')}</dt>
        <dd>
          <Moment at={createdAt} reader={reader}>
            {times.date(createdAt)}
          </Moment>
        </dd>
      </dl>
    </div>
  )
}

export const ENDPOINT_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/:workspace/:id',
    section: 'endpoints',
    async act({ engine: { endpoints }, reader: { link }, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'enable') await endpoints.setStatus(workspaceId, id, 'enabled', { by })
      else if (verb === 'disable') await endpoints.setStatus(workspaceId, id, 'disabled', { by })
      else if (verb === 'pause') await endpoints.pause(workspaceId, id, { by })
      else if (verb === 'resume') await endpoints.resume(workspaceId, id, { by })
      else if (verb === 'delete') {
        await endpoints.delete(workspaceId, id, { by })
        return link('endpoints')
      } else
        throw new EngineError(
          'invalid_request',
          `an endpoint can be enabled, disabled, paused, resumed or deleted; found ${verb ?? 'nothing'}`,
        )
      return link('endpoints', workspaceId, id)
    },
  },
]
