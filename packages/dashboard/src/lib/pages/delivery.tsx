import {
  type Attempt,
  type DeliveryWithAttempts,
  ERROR_CLASSES,
  EngineError,
  HTTP_EXPLANATIONS,
  allWorkspaces,
  classOf,
} from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Copy } from '../parts/copy.tsx'
import { Head } from '../parts/head.tsx'
import { Icon } from '../parts/icon.tsx'
import { Body } from '../parts/json-view.tsx'
import { Moment } from '../parts/moment.tsx'
import { CopiedIdent } from '../parts/split.tsx'
import { DeliveryStatus, Status, holdOf, phaseOf } from '../parts/status.tsx'
import { Waterfall, WaterfallLegend, sayPhases, scaleOf } from '../parts/waterfall.tsx'
import { type Reader, showDuration, showNumber, showUntil } from '../reader/reader.ts'
import { FormToken } from '../shell/shell.tsx'
import type { Action, Page, Visit } from '../visit.ts'
import { breakable } from './breakable.tsx'
import { urlsOf } from './deliveries.tsx'
import { MiddlePage } from './problem-page.tsx'

const LIVE_MS = 2000

export const deliveryPage: Page = {
  path: '/deliveries/:id',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader, query } = visit
    const { text, link, canAct } = reader
    const found = await findDelivery(visit)
    const { delivery, payload, contentType } = found
    const attempts = delivery.latestAttempts?.rows ?? []
    const chosen = attempts.find(({ id }) => id === query('attempt')) ?? attempts[0]
    const url = (await urlsOf(engine, [delivery])).get(delivery.endpointId ?? '')
    const phase = phaseOf(delivery)
    const eventId = eventIdOf(delivery)
    const raw = query('raw')
    const actions = (
      <>
        <a class="btn" href={link('deliveries', delivery.id, { curl: 1 })}>
          <Icon name="term" />
          {text('delivery.curl')}
        </a>
        <a class="btn" href={link('deliveries', { event: eventId })}>
          <Icon name="deliveries" />
          {text('delivery.of_event')}
        </a>
        {canAct ? <Actions delivery={delivery} reader={reader} /> : null}
      </>
    )
    const main = (
      <>
        <Head
          title={<span class="mono">{delivery.type}</span>}
          crumbs={
            <>
              <a href={link('deliveries')}>{text('nav.deliveries')}</a>
              <CopiedIdent id={delivery.id} label={text('copy.id')} />
            </>
          }
          beside={
            <>
              <DeliveryStatus delivery={delivery} reader={reader} />
              <span class="sub">{nextInWords(delivery, reader)}</span>
            </>
          }
          actions={actions}
          reader={reader}
        />
        <form id="act" method="post" action={link('deliveries', delivery.id)}>
          <FormToken reader={reader} />
        </form>
        <ErrorNote delivery={delivery} reader={reader} />
        {query('curl') === undefined ? null : (
          <Curl url={url} payload={payload} contentType={contentType} reader={reader} />
        )}
        <div class="with-aside">
          <div>
            <Attempts delivery={delivery} attempts={attempts} chosen={chosen} reader={reader} />
          </div>
          <aside aria-label={text('delivery.facts')}>
            <div class="sec">
              <dl class="facts">
                <dt>{text('fact.event')}</dt>
                <dd>
                  <CopiedIdent
                    id={eventId}
                    label={text('copy.event_id')}
                    href={link('deliveries', { event: eventId })}
                  />
                </dd>
                <dt>{text('fact.endpoint')}</dt>
                <dd>
                  {url === undefined ? (
                    <span class="dim mono">{delivery.endpointId ?? '–'}</span>
                  ) : (
                    <a class="mono" href={link('endpoints', delivery.workspaceId, delivery.endpointId ?? '')}>
                      {breakable(url)}
                    </a>
                  )}
                </dd>
                <dt>{text('fact.workspace')}</dt>
                <dd>
                  <a href={link('workspaces', delivery.workspaceId)}>{delivery.workspaceId}</a>
                </dd>
                <dt>{text('fact.published')}</dt>
                <dd>
                  <Moment at={delivery.createdAt} reader={reader}>
                    {reader.times.exact(delivery.createdAt)}
                  </Moment>
                </dd>
                <dt>{text('fact.attempts')}</dt>
                <dd>{text('fact.attempts_of', { made: delivery.attempts, most: delivery.maxAttempts })}</dd>
                {payload === null ? null : (
                  <>
                    <dt>{text('fact.payload')}</dt>
                    <dd>{text('bytes', { n: byteLength(payload) })}</dd>
                  </>
                )}
                {delivery.traceId === null ? null : (
                  <>
                    <dt>{text('fact.trace')}</dt>
                    <dd>
                      <CopiedIdent id={delivery.traceId} label={text('copy.id')} />
                    </dd>
                  </>
                )}
                <dt>{text('fact.waits')}</dt>
                <dd>{showNumber(reader, delivery.deferrals)}</dd>
                <dt>{text('fact.crashes')}</dt>
                <dd>{showNumber(reader, delivery.crashes)}</dd>
              </dl>
            </div>
          </aside>
        </div>
        {chosen ? <AttemptHead attempt={chosen} reader={reader} /> : null}
        <div class="grid2 rule flush">
          <section class="http" aria-labelledby="h-req">
            <header>
              <h2 id="h-req">{text('delivery.request')}</h2>
              <span class="row">
                {payload === null ? null : (
                  <>
                    <span class="sub">{text('bytes', { n: byteLength(payload) })}</span>
                    <a
                      class="btn sm"
                      href={link('deliveries', delivery.id, { attempt: chosen?.id, raw: raw === '1' ? undefined : 1 })}
                    >
                      {text(raw === '1' ? 'delivery.tree' : 'delivery.raw')}
                    </a>
                    <Copy label={text('copy.body')} text={payload} />
                  </>
                )}
              </span>
            </header>
            {payload === null ? (
              <p class="dim">{text('delivery.no_payload')}</p>
            ) : raw === '1' ? (
              <pre class="code" tabindex={0}>
                {payload}
              </pre>
            ) : (
              <Body text={payload} reader={reader} />
            )}
          </section>
          <section class="http" aria-labelledby="h-res">
            <header>
              <h2 id="h-res">{text('delivery.response')}</h2>
            </header>
            {chosen ? <Response attempt={chosen} reader={reader} /> : <p class="dim">{noAttempt(delivery, reader)}</p>}
          </section>
        </div>
      </>
    )
    const title = `${delivery.type}, ${text(`state.${phase}`)}`
    return { title, main, liveMs: phase === 'delivered' || phase === 'failed' ? undefined : LIVE_MS }
  },
}

/** A confirmation: giving up cannot be taken back by itself. */
export const giveUpPage: Page = {
  path: '/deliveries/:id/give-up',
  section: 'deliveries',
  async show(visit) {
    const { reader } = visit
    const { text, link } = reader
    const { delivery } = await findDelivery(visit)
    const title = text('give_up.title')
    const main = (
      <form class="page-mid" method="post" action={link('deliveries', delivery.id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          {text.rich('give_up.what', {
            type: <span class="mono">{delivery.type}</span>,
            workspace: delivery.workspaceId,
          })}
        </p>
        <p class="dim">{text('give_up.then')}</p>
        <div class="row">
          <button class="btn danger primary" name="do" value="give-up">
            {text('delivery.give_up')}
          </button>
          <a class="btn" href={link('deliveries', delivery.id)}>
            {text('back')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}

export const DELIVERY_ACTIONS: readonly Action[] = [
  {
    path: '/deliveries/:id',
    section: 'deliveries',
    async act({ engine, reader, param, field, by }) {
      const id = param('id')
      const { workspaceId } = await engine.deliveries.get(allWorkspaces, id)
      const verb = field('do')
      if (verb === 'replay') await engine.deliveries.replay(workspaceId, id, { by })
      else if (verb === 'retry-now') await engine.deliveries.retryNow(workspaceId, id, { by })
      else if (verb === 'give-up') await engine.deliveries.giveUp(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a delivery can be replayed, retried now or given up; found ${verb ?? 'nothing'}`,
        )
      return reader.link('deliveries', id)
    },
  },
  {
    path: '/deliveries',
    section: 'deliveries',
    async act({ engine, reader, fields, by }) {
      const { text, link } = reader
      const ids = fields('id')
      const refused: { id: string; why: string }[] = []
      let replayed = 0
      for (const id of ids) {
        try {
          const { workspaceId } = await engine.deliveries.get(allWorkspaces, id)
          await engine.deliveries.replay(workspaceId, id, { by })
          replayed++
        } catch (error) {
          if (!(error instanceof EngineError)) throw error
          refused.push({ id, why: error.message })
        }
      }
      if (refused.length === 0) return link('deliveries')
      const title = text('replayed.title', { n: replayed })
      const main = (
        <MiddlePage
          title={title}
          way={
            <a class="btn primary" href={link('deliveries')}>
              {text('nav.deliveries')}
            </a>
          }
        >
          <p>{text('replayed.refused', { n: refused.length })}</p>
          <ul>
            {refused.map(({ id, why }) => (
              <li>
                <a class="mono" href={link('deliveries', id)}>
                  {id}
                </a>
                : {why}
              </li>
            ))}
          </ul>
        </MiddlePage>
      )
      return { title, main }
    },
  },
]

interface FoundDelivery {
  delivery: DeliveryWithAttempts
  payload: string | null
  contentType: string | null
}

async function findDelivery({ engine, param }: Visit): Promise<FoundDelivery> {
  const id = param('id')
  const delivery = await engine.deliveries.getWithAttempts(allWorkspaces, id)
  const { payload, contentType } = await engine.deliveries.get(allWorkspaces, id)
  return { delivery, payload, contentType }
}

function eventIdOf({ id, endpointId }: { id: string; endpointId: string | null }): string {
  return endpointId === null ? id : id.slice(0, -endpointId.length - 1)
}

function Actions({ delivery, reader }: { delivery: DeliveryWithAttempts; reader: Reader }) {
  const { text, link } = reader
  const phase = phaseOf(delivery)
  const isSettled = phase === 'delivered' || phase === 'failed'
  return isSettled ? (
    <button class="btn primary" form="act" name="do" value="replay" data-key="r">
      <Icon name="replay" />
      {text('delivery.replay')}
    </button>
  ) : (
    <>
      <a class="btn danger" href={link('deliveries', delivery.id, 'give-up')}>
        {text('delivery.give_up')}…
      </a>
      <button class="btn primary" form="act" name="do" value="retry-now" data-key="r">
        <Icon name="send" />
        {text(phase === 'held' ? 'delivery.send_now' : 'delivery.retry_now')}
      </button>
    </>
  )
}

/** What happens next, beside the state. */
function nextInWords(delivery: DeliveryWithAttempts, reader: Reader): Child {
  const { text } = reader
  const phase = phaseOf(delivery)
  if (phase === 'held') return holdOf(delivery, reader) ?? ''
  if (phase === 'failed') return text('delivery.no_further')
  if (phase === 'pending' && delivery.dueAt !== null) {
    return delivery.dueAt <= reader.now
      ? text('next.due')
      : text.rich('delivery.next', {
          span: (
            <Moment at={delivery.dueAt} reader={reader}>
              {showUntil(reader, delivery.dueAt)}
            </Moment>
          ),
          time: reader.times.clock(delivery.dueAt),
        })
  }
  return ''
}

/** Why the last attempt failed, and the likely fix, from the one table of error classes. */
function ErrorNote({ delivery, reader: { text } }: { delivery: DeliveryWithAttempts; reader: Reader }) {
  const { lastError, lastStatus } = delivery
  const errorClass = classOf(lastError, lastStatus)
  if (errorClass === null || phaseOf(delivery) === 'delivered') return null
  const { happened, fix } =
    (errorClass.startsWith('http_') && HTTP_EXPLANATIONS[lastStatus ?? 0]) || ERROR_CLASSES[errorClass]
  const isFailed = phaseOf(delivery) === 'failed'
  return (
    <div class={isFailed ? 'note bad' : 'note warn'}>
      <Icon name={isFailed ? 'failed' : 'problems'} />
      <div>
        <h2>{happened}</h2>
        <div class="two">
          <p>
            <b>{text('note.said')}</b> <span class="mono">{lastError}</span>
          </p>
          <p>
            <b>{text('note.fix')}</b> {fix}
          </p>
        </div>
      </div>
    </div>
  )
}

function Attempts({
  delivery,
  attempts,
  chosen,
  reader,
}: {
  delivery: DeliveryWithAttempts
  attempts: readonly Attempt[]
  chosen: Attempt | undefined
  reader: Reader
}) {
  const { text, times, link } = reader
  const scaleUs = scaleOf(attempts)
  const ticks = [0, 1, 2, 3].map((part) => showDuration(reader, (part * scaleUs) / 3000))
  return (
    <section aria-labelledby="h-att">
      <div class="sec-h">
        <h2 id="h-att">
          {text('delivery.attempts')}{' '}
          <span class="sub">{text('fact.attempts_of', { made: delivery.attempts, most: delivery.maxAttempts })}</span>
        </h2>
        {attempts.length === 0 ? null : <WaterfallLegend reader={reader} />}
      </div>
      {attempts.length === 0 ? (
        <p class="sec dim">{noAttempt(delivery, reader)}</p>
      ) : (
        <table class="attempts rows">
          <caption class="sr">{text('delivery.attempts')}</caption>
          <thead>
            <tr>
              <th scope="col" class="n">
                <span class="sr">{text('column.number')}</span>
              </th>
              <th scope="col">{text('column.outcome')}</th>
              <th scope="col">{text('column.began', { zone: times.zone })}</th>
              <th scope="col">
                <span class="axis">
                  {ticks.map((tick) => (
                    <span>{tick}</span>
                  ))}
                </span>
              </th>
              <th scope="col" class="n">
                {text('column.took')}
              </th>
            </tr>
          </thead>
          <tbody>
            {attempts.toReversed().map((attempt) => (
              <tr class={attempt === chosen ? 'on' : undefined}>
                <td class="n dim">{attempt.number}</td>
                <td class="a nw">
                  <a
                    href={link('deliveries', delivery.id, { attempt: attempt.id })}
                    aria-current={attempt === chosen ? 'true' : undefined}
                  >
                    <AttemptStatus attempt={attempt} reader={reader} />
                  </a>
                </td>
                <td class="b nw dim">
                  <Moment at={attempt.startedAt} reader={reader}>
                    {times.fine(attempt.startedAt)}
                  </Moment>
                </td>
                <td class="fill e">
                  <Waterfall attempt={attempt} scaleUs={scaleUs} reader={reader} />
                </td>
                <td class="n c">{attempt.totalUs === null ? '–' : showDuration(reader, attempt.totalUs / 1000)}</td>
              </tr>
            ))}
            {delivery.status === 'pending' && delivery.claimedAt === null && delivery.dueAt !== null ? (
              <tr class="todo">
                <td class="n">{delivery.attempts + 1}</td>
                <td class="a nw">
                  <Status tone="pending" icon="pending">
                    {text('delivery.next_attempt')}
                  </Status>
                </td>
                <td class="b nw">
                  <Moment at={delivery.dueAt} reader={reader}>
                    {times.clock(delivery.dueAt)}
                  </Moment>
                </td>
                <td class="fill e" />
                <td class="n c">
                  {delivery.dueAt <= reader.now
                    ? text('next.due')
                    : text('time.in', { span: showUntil(reader, delivery.dueAt) })}
                </td>
              </tr>
            ) : null}
          </tbody>
        </table>
      )}
    </section>
  )
}

function noAttempt({ latestAttempts }: DeliveryWithAttempts, { text }: Reader): string {
  return latestAttempts === undefined ? text('delivery.no_history') : text('delivery.no_attempt')
}

function AttemptStatus({ attempt, reader: { text } }: { attempt: Attempt; reader: Reader }) {
  const { outcome, httpStatus, error, errorClass } = attempt
  const shown = httpStatus === null ? (errorClass ?? error ?? text(`outcome.${outcome}`)) : String(httpStatus)
  if (outcome === 'delivered')
    return (
      <Status tone="delivered" icon="delivered">
        {shown}
      </Status>
    )
  return (
    <Status
      tone={outcome === 'failed' || outcome === 'retry' ? 'failed' : 'held'}
      icon={outcome === 'deferred' ? 'held' : 'failed'}
    >
      {shown}
    </Status>
  )
}

function AttemptHead({ attempt, reader }: { attempt: Attempt; reader: Reader }) {
  const { text, times } = reader
  return (
    <div class="sec-h">
      <h2>
        {text('delivery.attempt', { number: attempt.number ?? 0 })}{' '}
        <span class="sub">
          {attempt.totalUs === null
            ? times.fine(attempt.startedAt)
            : text('delivery.attempt_took', {
                time: times.fine(attempt.startedAt),
                span: showDuration(reader, attempt.totalUs / 1000),
              })}
        </span>
      </h2>
      <span class="sub">{sayPhases(attempt, reader)}</span>
    </div>
  )
}

function Response({ attempt, reader }: { attempt: Attempt; reader: Reader }) {
  const { text } = reader
  const headers = Object.entries(attempt.headers ?? {})
  return (
    <>
      <p class="line">
        <span class={attempt.outcome === 'delivered' ? '' : 'failed tone'}>
          {attempt.httpStatus === null ? (attempt.error ?? text('delivery.no_response')) : `HTTP ${attempt.httpStatus}`}
        </span>
      </p>
      {headers.length === 0 ? null : (
        <dl class="hdr">
          {headers.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
      )}
      {attempt.body === null ? (
        <p class="dim">{text('delivery.no_body')}</p>
      ) : (
        <Body text={attempt.body} reader={reader} />
      )}
    </>
  )
}

/** The request as a command. The signature is left out: it is made anew for each attempt. */
function Curl({
  url,
  payload,
  contentType,
  reader: { text },
}: {
  url: string | undefined
  payload: string | null
  contentType: string | null
  reader: Reader
}) {
  if (payload === null || url === undefined) return <p class="sec dim">{text('delivery.no_payload')}</p>
  const quoted = (value: string): string => `'${value.replaceAll("'", String.raw`'\''`)}'`
  const command = `curl -X POST ${quoted(url)} \\\n  -H ${quoted(`content-type: ${contentType ?? 'application/json'}`)} \\\n  --data-binary ${quoted(payload)}`
  return (
    <div class="sec">
      <div class="snip">
        <pre class="code" tabindex={0}>
          {command}
        </pre>
        <Copy label={text('delivery.copy_curl')} text={command} />
      </div>
    </div>
  )
}

function byteLength(body: string): number {
  return new TextEncoder().encode(body).length
}
