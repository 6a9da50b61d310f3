import { type EndpointProblem, type Engine, type StatisticsSeries, type Worker, allWorkspaces } from '@keepsend/engine'
import { Head } from '../parts/head.tsx'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { ShownUrl } from '../parts/split.tsx'
import { type Reader, showDuration, showNumber, showPercent } from '../reader/reader.ts'
import { showSpan } from '../reader/durations.ts'
import type { Page, Visit } from '../visit.ts'
import { urlsOf } from './deliveries.tsx'
import { Figure } from '../parts/figure.tsx'
import { unlessOff } from './unless-off.ts'
import { AttemptCharts, CHART_RANGES, type ChartRange, rangeOf, totalOf } from './attempt-charts.tsx'

const LIVE_MS = 5000
const SHOWN_PROBLEMS = 5
/** What there is of the history; undefined where the engine records none. */
interface History {
  series: StatisticsSeries | undefined
  problems: EndpointProblem[] | undefined
  workers: Worker[] | undefined
}

export const overviewPage: Page = {
  path: '/',
  section: 'overview',
  async show(visit) {
    const { engine, reader, query } = visit
    const { text, link, times, now } = reader
    const asked = query('range') ?? '24h'
    const range = rangeOf(asked)
    const stats = await engine.stats()
    const history = await historyOf(engine, range, now)
    const [workspace] = await engine.workspaces.list({ limit: 1 })
    const title = text('nav.overview')
    if (!workspace) return { title, main: <FirstSteps visit={visit} /> }
    const urls = await urlsOf(engine, history.problems ?? [])
    const buckets = history.series?.buckets ?? []
    const total = totalOf(buckets)
    const settled = total.delivered + total.failed
    const oldest = stats.oldestWaitingMs
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            <>
              <span class="dim xs live">
                {text.rich('overview.as_of', {
                  time: (
                    <Moment at={now} reader={reader}>
                      {times.clock(now)}
                    </Moment>
                  ),
                })}
              </span>
              <button class="btn sm js" type="button" data-pause aria-pressed="false">
                <Icon name="pause" />
                {text('overview.pause')}
              </button>
              <nav class="seg" aria-label={text('filter.time')}>
                {Object.entries(CHART_RANGES).map(([value, { name }]) => (
                  <a href={link({ range: value })} aria-current={value === asked ? 'true' : undefined}>
                    {text(name)}
                  </a>
                ))}
              </nav>
            </>
          }
        />
        <dl class="figs">
          <Figure
            name={text('state.delivered')}
            about={
              history.series
                ? text('overview.of_settled', { percent: showPercent(reader, total.delivered, settled) })
                : text('overview.no_history')
            }
          >
            {history.series ? showNumber(reader, total.delivered) : '–'}
          </Figure>
          <Figure name={text('state.failed')} about={text('overview.retained', { n: stats.failed })}>
            <a
              class={total.failed > 0 ? 'failed tone' : undefined}
              href={link('deliveries', { status: 'failed', time: asked })}
            >
              {history.series ? showNumber(reader, total.failed) : showNumber(reader, stats.failed)}
            </a>
          </Figure>
          <Figure
            name={text('overview.pending')}
            about={text('overview.pending_parts', { sending: stats.inFlight, waiting: stats.scheduled })}
          >
            <a href={link('deliveries', { status: 'pending', time: '30d' })}>
              {showNumber(reader, stats.due + stats.scheduled + stats.inFlight + stats.dispatched)}
            </a>
          </Figure>
          <Figure name={text('overview.held')} about={text('overview.held_why')}>
            <a href={link('deliveries', { status: 'held', time: '30d' })}>{showNumber(reader, stats.held)}</a>
          </Figure>
          <Figure name={text('overview.oldest')} about={text('overview.oldest_what')}>
            {oldest === 0 ? '–' : showSpan(oldest, text, 2)}
          </Figure>
          <Figure
            name={text('overview.p95')}
            about={total.p50Ms === null ? '–' : text('overview.p50', { p50: showDuration(reader, total.p50Ms) })}
          >
            {total.p95Ms === null ? '–' : showDuration(reader, total.p95Ms)}
          </Figure>
        </dl>
        <ProblemList problems={history.problems} urls={urls} reader={reader} />
        {history.series && buckets.length > 0 ? (
          <AttemptCharts buckets={buckets} range={range} reader={reader} />
        ) : (
          <p class="sec dim">{text('overview.no_charts')}</p>
        )}
        <Workers workers={history.workers} reader={reader} />
      </>
    )
    return { title, main, liveMs: LIVE_MS }
  },
}

/** Reads what the history has; an engine without it says `not_retained`. */
async function historyOf(engine: Engine, range: ChartRange, now: number): Promise<History> {
  return {
    series: await unlessOff(() => engine.statistics.series(allWorkspaces, { by: range.by, since: now - range.ms })),
    problems: await unlessOff(
      async () => (await engine.problems.list(allWorkspaces, { limit: SHOWN_PROBLEMS, state: 'open' })).rows,
    ),
    workers: await unlessOff(() => engine.workers.list()),
  }
}

function ProblemList({
  problems,
  urls,
  reader,
}: {
  problems: readonly EndpointProblem[] | undefined
  urls: ReadonlyMap<string, string>
  reader: Reader
}) {
  const { text, link } = reader
  // Warnings are absent while nothing is wrong.
  if (problems === undefined || problems.length === 0) return null
  return (
    <section aria-labelledby="h-problems">
      <div class="sec-h">
        <h2 id="h-problems">{text('overview.attention')}</h2>
        <a class="sub link" href={link('problems')}>
          {text('overview.all_problems')}
        </a>
      </div>
      <table class="rows">
        <caption class="sr">{text('overview.attention')}</caption>
        <thead>
          <tr>
            <th scope="col">{text('column.problem')}</th>
            <th scope="col">{text('column.endpoint')}</th>
            <th scope="col" class="lo">
              {text('column.workspace')}
            </th>
            <th scope="col" class="n">
              {text('column.attempts')}
            </th>
            <th scope="col" class="n lo">
              {text('column.first')}
            </th>
            <th scope="col" class="n">
              {text('column.last')}
            </th>
          </tr>
        </thead>
        <tbody>
          {problems.map(({ workspaceId, endpointId, errorClass, httpStatus, attempts, firstSeenAt, lastSeenAt }) => {
            const url = urls.get(endpointId)
            return (
              <tr>
                <td class="a">
                  <a
                    class="status failed"
                    href={link('deliveries', { endpoint: endpointId, workspace: workspaceId, time: '7d' })}
                  >
                    <Icon name="failed" />
                    <span class="st">{httpStatus === null ? errorClass : `HTTP ${httpStatus}`}</span>
                  </a>
                </td>
                <td class="fill b">
                  {url === undefined ? (
                    <span class="mono dim">{endpointId}</span>
                  ) : (
                    <ShownUrl url={url} href={link('endpoints', workspaceId, endpointId)} />
                  )}
                </td>
                <td class="lo dim nw">{workspaceId}</td>
                <td class="n c">{showNumber(reader, attempts)}</td>
                <td class="n lo dim">
                  <Moment at={firstSeenAt} reader={reader} />
                </td>
                <td class="n d dim">
                  <Moment at={lastSeenAt} reader={reader} />
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}

function Workers({ workers, reader }: { workers: readonly Worker[] | undefined; reader: Reader }) {
  const { text } = reader
  if (workers === undefined) return null
  return (
    <section class="sec">
      <div class="row between">
        <h2>{text('overview.workers')}</h2>
        <span class="sub">{text('overview.workers_seen')}</span>
      </div>
      {workers.length === 0 ? (
        <p class="failed tone">{text('overview.no_worker')}</p>
      ) : (
        <ul class="list">
          {workers.slice(0, 10).map(({ id, kind, seenAt, claimsPerSecond }) => (
            <li>
              <span class="mono">{id}</span>
              <span class="sub nw">
                {text.rich('overview.worker', {
                  kind: text(kind === 'poller' ? 'worker.poller' : 'worker.cron'),
                  rate: claimsPerSecond === null ? '–' : showNumber(reader, Math.round(claimsPerSecond * 10) / 10),
                  seen: <Moment at={seenAt} reader={reader} />,
                })}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}

const PUBLISH = `return commitWithEvents(c, {
  writes: [orm.insert(messages).values(message)],
  events: [{ type: 'message.posted', workspaceId: 'acme-freight', data: message }],
  response: { status: 201, body: message },
})`

/** The overview before there is a workspace. */
function FirstSteps({ visit: { reader } }: { visit: Visit }) {
  const { text, link, canAct } = reader
  return (
    <>
      <Head title={text('nav.overview')} reader={reader} />
      <section class="empty">
        <div class="stack">
          <h2>{text('first.title')}</h2>
          <p class="dim">{text('first.why')}</p>
        </div>
        <ol class="steps">
          <li>
            <div>
              <h3>{text('first.endpoint')}</h3>
              <p class="dim">{text('first.endpoint_how')}</p>
              {canAct ? (
                <a class="btn primary" href={link('endpoints', 'new')}>
                  <Icon name="plus" />
                  {text('first.endpoint')}
                </a>
              ) : null}
            </div>
          </li>
          <li>
            <div>
              <h3>{text('first.publish')}</h3>
              <p class="dim">{text('first.publish_how')}</p>
              <pre class="code" tabindex={0}>
                {PUBLISH}
              </pre>
            </div>
          </li>
          <li>
            <div>
              <h3>{text('first.see')}</h3>
              <p class="dim">{text('first.see_how')}</p>
            </div>
          </li>
        </ol>
      </section>
    </>
  )
}
