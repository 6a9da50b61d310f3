import { Copy } from '../../parts/copy.tsx'
import { Figure } from '../../parts/figure.tsx'
import { Head } from '../../parts/head.tsx'
import { Moment } from '../../parts/moment.tsx'
import { Rail } from '../../parts/rail.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { DeliveryStatus, EndpointStatus, holdOf } from '../../parts/status.tsx'
import { showDuration, showNumber, showPercent } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { AttemptCharts, CHART_RANGES, totalOf } from '../../history/attempt-charts.tsx'
import { breakable } from '../../parts/breakable.tsx'
import { nextAttempt } from '../../history/delivery-rows.tsx'
import { EndpointFacts } from './endpoint-facts.tsx'
import { EndpointButtons, StateNote } from './endpoint-state.tsx'
import { findEndpoint } from './find-endpoint.ts'
import { unlessOff } from '../../history/unless-off.ts'

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
          actions={<EndpointButtons endpoint={endpoint} reader={reader} />}
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
            <EndpointFacts endpoint={endpoint} reader={reader} />
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
