import { type EndpointProblem, type Engine, type StatisticsSeries, type Worker, allWorkspaces } from '@keepsend/engine'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { showDuration, showNumber, showPercent } from '../../reader/reader.ts'
import { showSpan } from '../../reader/durations.ts'
import type { Page } from '../../site/visit.ts'
import { endpointsOf } from '../../history/endpoints-of.ts'
import { Figure } from '../../parts/figure.tsx'
import { unlessOff } from '../../history/unless-off.ts'
import { AttemptCharts, CHART_RANGES, type ChartRange, rangeOf, totalOf } from '../../history/attempt-charts.tsx'
import { FirstSteps } from './first-steps.tsx'
import { OpenCircuits } from './open-circuits.tsx'
import { ProblemList } from './overview-problems.tsx'
import { Workers } from './overview-workers.tsx'

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
    const endpoints = await endpointsOf(engine, history.problems ?? [])
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
        {stats.truncated ? <p class="sec dim">{text('overview.truncated')}</p> : null}
        <ProblemList problems={history.problems} endpoints={endpoints} reader={reader} />
        {history.series && buckets.length > 0 ? (
          <AttemptCharts buckets={buckets} range={range} reader={reader} />
        ) : (
          <p class="sec dim">{text('overview.no_charts')}</p>
        )}
        <div class="grid2 rule">
          <OpenCircuits endpoints={endpoints.values()} openMs={engine.circuit.openMs} reader={reader} />
          <Workers workers={history.workers} reader={reader} />
        </div>
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
