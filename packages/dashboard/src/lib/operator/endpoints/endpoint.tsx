import type { Endpoint, Engine, EndpointProblem, StatisticsSeries } from '@keepsend/engine'
import { AttemptCharts, CHART_RANGES, totalOf } from '../../history/attempt-charts.tsx'
import { unlessOff } from '../../history/unless-off.ts'
import { breakable } from '../../parts/breakable.tsx'
import { Copy } from '../../parts/copy.tsx'
import { Figure } from '../../parts/figure.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Head } from '../../parts/head.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { EndpointStatus } from '../../parts/status.tsx'
import { showSpan } from '../../reader/durations.ts'
import { type Reader, showDuration, showNumber, showPercent } from '../../reader/reader.ts'
import type { Page } from '../../site/visit.ts'
import { problemName } from '../problems/problem-name.ts'
import { EndpointAside } from './endpoint-aside.tsx'
import { EndpointButtons } from './endpoint-buttons.tsx'
import { StateNote } from './endpoint-state.tsx'
import { findEndpoint } from './find-endpoint.ts'
import { type Held, heldOf } from './held-of.ts'
import { LatestDeliveries } from './latest-deliveries.tsx'

const LATEST = 10
const ACTIONS_SHOWN = 5
const LIVE_MS = 5000
const DAY = CHART_RANGES['24h']

export const endpointPage: Page = {
  path: '/endpoints/:workspace/:id',
  section: 'endpoints',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, now } = reader
    const { workspaceId, endpoint } = await findEndpoint(visit)
    const { id, url } = endpoint
    const { series, problem, held } = await stateOf(engine, endpoint, now)
    const { rows } = await engine.deliveries.list(workspaceId, {
      endpointId: id,
      limit: LATEST,
      since: now - 30 * DAY.ms,
    })
    const audit = await engine.audit.list(workspaceId, { endpointId: id, limit: ACTIONS_SHOWN })
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
          actions={<EndpointButtons endpoint={endpoint} reader={reader} />}
          reader={reader}
        />
        <form id="act" method="post" action={link('endpoints', workspaceId, id)}>
          <FormToken reader={reader} />
        </form>
        <StateNote
          endpoint={endpoint}
          engine={engine}
          held={held}
          error={problem && problemName(problem, reader)}
          reader={reader}
        />
        <Figures endpoint={endpoint} series={series} held={held} reader={reader} />
        <div class="with-aside">
          <div>
            {series ? (
              <AttemptCharts buckets={series.buckets} range={DAY} reader={reader} />
            ) : (
              <p class="sec dim">{text('overview.no_charts')}</p>
            )}
            <LatestDeliveries
              rows={rows}
              allHref={link('deliveries', { endpoint: id, workspace: workspaceId })}
              reader={reader}
            />
          </div>
          <EndpointAside endpoint={endpoint} actions={audit.rows} reader={reader} />
        </div>
      </>
    )
    return { title: url, main, liveMs: LIVE_MS }
  },
}

/** Reads the history of an endpoint, as far as there is one, and its held deliveries. */
async function stateOf(
  engine: Engine,
  endpoint: Endpoint,
  now: number,
): Promise<{ series: StatisticsSeries | undefined; problem: EndpointProblem | undefined; held: Held }> {
  const { workspaceId, id: endpointId } = endpoint
  const series = await unlessOff(() =>
    engine.statistics.series(workspaceId, { by: DAY.by, endpointId, since: now - DAY.ms }),
  )
  const problems = await unlessOff(() => engine.problems.list(workspaceId, { endpointId, state: 'open', limit: 1 }))
  return { series, problem: problems?.rows[0], held: await heldOf(engine, endpoint) }
}

function Figures({
  endpoint: { id, workspaceId },
  series,
  held,
  reader,
}: {
  endpoint: Endpoint
  series: StatisticsSeries | undefined
  held: Held
  reader: Reader
}) {
  const { text, link, now } = reader
  const total = totalOf(series?.buckets ?? [])
  const attempts = total.delivered + total.failed + total.retried
  return (
    <dl class="figs five">
      <Figure name={text('endpoint.delivered_day')}>{series ? showNumber(reader, total.delivered) : '–'}</Figure>
      <Figure name={text('column.success')}>{showPercent(reader, total.delivered, attempts)}</Figure>
      <Figure name={text('overview.held')}>
        <a href={link('deliveries', { endpoint: id, workspace: workspaceId, status: 'held', time: '30d' })}>
          {held.isMore ? text('more_than', { n: held.count }) : showNumber(reader, held.count)}
        </a>
      </Figure>
      <Figure name={text('endpoint.oldest_held')}>
        {held.oldestAt === null ? '–' : showSpan(now - held.oldestAt, text, 2)}
      </Figure>
      <Figure name={text('overview.p95')}>{total.p95Ms === null ? '–' : showDuration(reader, total.p95Ms)}</Figure>
    </dl>
  )
}
