import { type Endpoint, type EndpointStatistics, allWorkspaces } from '@keepsend/engine'
import { errorName } from '../../history/errors.ts'
import { Spark } from '../../parts/spark.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { EndpointStatus } from '../../parts/status.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import { NextPager } from '../../parts/pager.tsx'
import { type Reader, showDuration, showPercent } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'
import { dayOf } from '../../history/day-of.ts'

const PAGE_ROWS = 50

export const endpointsPage: Page = {
  path: '/endpoints',
  section: 'endpoints',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const filters = queryOf(visit, ['workspace', 'after'])
    const rows = await engine.endpoints.list(filters.workspace ?? allWorkspaces, {
      limit: PAGE_ROWS,
      after: filters.after,
    })
    const day = await dayOf(engine, allWorkspaces, { endpoints: rows, now: reader.now })
    const title = text('nav.endpoints')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            canAct ? (
              <a class="btn primary" href={link('endpoints', 'new', { workspace: filters.workspace })}>
                <Icon name="plus" />
                {text('endpoints.add')}
              </a>
            ) : undefined
          }
        />
        <form
          class="filters"
          method="get"
          role="search"
          aria-label={text('endpoints.filter')}
          action={link('endpoints')}
        >
          <SearchField name="workspace" label={text('column.workspace')} value={filters.workspace} />
          <button class="btn" type="submit">
            {text('filter.apply')}
          </button>
        </form>
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('endpoints.none')}</h2>
              <p class="dim">{text('first.endpoint_how')}</p>
            </div>
          </section>
        ) : (
          <table class="rows">
            <caption class="sr">{text('nav.endpoints')}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.endpoint')}</th>
                <th scope="col" class="lo">
                  {text('column.workspace')}
                </th>
                <th scope="col">{text('column.state')}</th>
                <th scope="col">{text('range.24h')}</th>
                <th scope="col" class="n">
                  {text('column.success')}
                </th>
                <th scope="col" class="n xl">
                  p95
                </th>
                <th scope="col" class="lo">
                  {text('column.last_error')}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((endpoint) => (
                <Row endpoint={endpoint} day={day?.get(endpoint.id)} reader={reader} />
              ))}
            </tbody>
          </table>
        )}
        <NextPager
          next={rows.length === PAGE_ROWS ? link('endpoints', { ...filters, after: rows.at(-1)?.id }) : undefined}
          reader={reader}
        >
          {text('endpoints.pager')}
        </NextPager>
      </>
    )
    return { title, main }
  },
}

function Row({ endpoint, day, reader }: { endpoint: Endpoint; day: EndpointStatistics | undefined; reader: Reader }) {
  const { text, link } = reader
  const { id, workspaceId, url } = endpoint
  const settled = day ? day.delivered + day.failed + day.retried : 0
  const bad = day ? day.failed + day.retried : 0
  return (
    <tr>
      <td class="fill a">
        <ShownUrl url={url} href={link('endpoints', workspaceId, id)} />
      </td>
      <td class="dim nw lo">{workspaceId}</td>
      <td class="nw b">
        <EndpointStatus endpoint={endpoint} reader={reader} />
        {endpoint.disabledReason === null ? null : (
          <span class="dim"> {text(`disabled.${endpoint.disabledReason}`)}</span>
        )}
      </td>
      <td class="d">
        {day ? (
          <Spark
            buckets={day.buckets.map(({ delivered, failed, retried }) => ({ delivered, failed: failed + retried }))}
            label={text('endpoints.day', { delivered: day.delivered, failed: bad })}
          />
        ) : (
          <span class="dim">–</span>
        )}
      </td>
      <td class="n c">
        {day && settled > 0 ? (
          <span class={bad > settled / 10 ? 'failed tone' : undefined}>
            {showPercent(reader, day.delivered, settled)}
          </span>
        ) : (
          <span class="dim">–</span>
        )}
      </td>
      <td class="n xl">{day?.p95Ms == null ? '–' : showDuration(reader, day.p95Ms)}</td>
      <td class="lo e">
        {day?.lastError ? (
          <>
            {errorName(day.lastError, text) ?? day.lastError.error}{' '}
            <span class="dim">
              <Moment at={day.lastError.at} reader={reader} />
            </span>
          </>
        ) : (
          <span class="dim">–</span>
        )}
      </td>
    </tr>
  )
}
