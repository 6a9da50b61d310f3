import type { DeliveryPage } from '@keepsend/engine'
import { PAGE_ROWS, STATUSES, oneOf, rangeMs } from '../../history/delivery-choices.ts'
import { EndpointDeliveries } from '../../history/endpoint-deliveries.tsx'
import { StatusField, TimeField, TypeField } from '../../history/filter-fields.tsx'
import { eventIdIn } from '../../history/find-delivery.ts'
import { Pager } from '../../parts/pager.tsx'
import { queryOf } from '../../site/visit.ts'
import type { PortalVisit } from '../portal-visit.ts'
import { SearchField } from '../../parts/search-field.tsx'

const FILTERS = ['q', 'status', 'type', 'time', 'before'] as const

/** The filter of the list, as the query has it. */
type ListFilters = Record<(typeof FILTERS)[number], string | undefined>

export interface Listed {
  filters: ListFilters
  /** Undefined: the search names no id. */
  page: DeliveryPage | undefined
}

/** The deliveries of an endpoint, newest first. */
export async function listOf(visit: PortalVisit, endpointId: string): Promise<Listed> {
  const { engine, workspaceId, reader } = visit
  const filters = queryOf(visit, FILTERS)
  const eventId = eventIdIn(filters.q)
  if (filters.q !== undefined && eventId === undefined) return { filters, page: undefined }
  const page = await engine.deliveries.list(workspaceId, {
    endpointId,
    limit: PAGE_ROWS,
    before: filters.before,
    status: oneOf(STATUSES, filters.status),
    type: filters.type,
    eventId,
    // An event is found by its id, however old it is.
    since: eventId === undefined ? reader.now - rangeMs(filters.time) : undefined,
  })
  return { filters, page }
}

/** Whether the endpoint has no delivery of any time: nothing was sent, as far as that is recorded. */
export async function hasNone(
  { engine, workspaceId }: PortalVisit,
  endpointId: string,
  { filters, page }: Listed,
): Promise<boolean> {
  const isFiltered = Object.values(filters).some((value) => value !== undefined)
  if (isFiltered || page === undefined || page.rows.length > 0) return false
  const { rows, next } = await engine.deliveries.list(workspaceId, { endpointId, limit: 1 })
  return rows.length === 0 && next === undefined
}

export function DeliveryList({
  listed: { filters, page },
  endpointId,
  visit: { engine, reader },
}: {
  listed: Listed
  endpointId: string
  visit: PortalVisit
}) {
  const { text, link } = reader
  const types = engine.eventTypes().map(({ type }) => type)
  return (
    <div class="panel">
      <form
        class="filters"
        method="get"
        role="search"
        aria-label={text('deliveries.filter')}
        action={link('endpoints', endpointId)}
      >
        <SearchField label={text('deliveries.search')} value={filters.q} />
        <StatusField value={filters.status} reader={reader} />
        <TypeField value={filters.type} types={types} reader={reader} />
        <TimeField value={filters.time} reader={reader} />
        <button class="btn" type="submit">
          {text('filter.apply')}
        </button>
      </form>
      {page === undefined || page.rows.length === 0 ? (
        <None page={page} filters={filters} endpointId={endpointId} reader={reader} />
      ) : (
        <>
          <EndpointDeliveries rows={page.rows} caption={text('deliveries.caption')} reads="customer" reader={reader} />
          <Pager path={['endpoints', endpointId]} query={filters} next={page.next} reader={reader}>
            {text(page.complete || page.omitted ? 'deliveries.pager' : 'deliveries.pager_incomplete', { n: PAGE_ROWS })}{' '}
            {engine.recordsAttempts === 'all' && !page.omitted ? '' : text('portal.no_delivered')}
          </Pager>
        </>
      )}
    </div>
  )
}

/** A list without rows: why, and the way to more. */
function None({
  page,
  filters,
  endpointId,
  reader: { text, link },
}: {
  page: DeliveryPage | undefined
  filters: ListFilters
  endpointId: string
  reader: PortalVisit['reader']
}) {
  const to = (query: Partial<ListFilters>): string => link('endpoints', endpointId, query)
  if (page === undefined)
    return (
      <section class="empty">
        <div class="stack">
          <h2>{text.rich('deliveries.no_id', { q: <span class="mono">{filters.q}</span> })}</h2>
          <p class="dim">{text('portal.no_id_why')}</p>
        </div>
        <div class="row">
          <a class="btn" href={to({})}>
            {text('deliveries.clear')}
          </a>
        </div>
      </section>
    )
  return (
    <section class="empty">
      <div class="stack">
        <h2>{text('deliveries.none')}</h2>
        <p class="dim">{text(page.complete || page.omitted ? 'deliveries.none_why' : 'deliveries.none_yet')}</p>
      </div>
      <div class="row">
        {page.next === undefined ? null : (
          <a class="btn" href={to({ ...filters, before: page.next })}>
            {text('deliveries.search_on')}
          </a>
        )}
        {filters.time === '30d' ? null : (
          <a class="btn" href={to({ ...filters, before: undefined, time: '30d' })}>
            {text('deliveries.longer')}
          </a>
        )}
      </div>
    </section>
  )
}
