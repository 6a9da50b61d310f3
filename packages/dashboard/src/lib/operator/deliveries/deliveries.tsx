import type { DeliveryPage } from '@keepsend/engine'
import { DeliveriesTable } from '../../history/deliveries-table.tsx'
import { eventIdIn } from '../../history/find-delivery.ts'
import { urlsOf } from '../../history/urls-of.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Pager } from '../../parts/pager.tsx'
import type { Reader } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'
import { replayOf } from './all-that-match.ts'
import { FILTERS, type Filters, PAGE_ROWS } from '../../history/delivery-choices.ts'
import { Chips, FilterForm } from './delivery-filters.tsx'
import { findDeliveries } from './find-deliveries.ts'
import { NoDeliveries, NoId } from './no-deliveries.tsx'

const LIVE_MS = 5000

export const deliveriesPage: Page = {
  path: '/deliveries',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader } = visit
    const { text } = reader
    const filters = queryOf(visit, FILTERS)
    const isNoId = filters.q !== undefined && eventIdIn(filters.q) === undefined
    const page: DeliveryPage = isNoId
      ? { rows: [], next: undefined, complete: true }
      : await findDeliveries(engine, filters, reader)
    const urls = await urlsOf(engine, [...page.rows, { endpointId: filters.endpoint ?? null }])
    const title = text('nav.deliveries')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            <a class="btn" href={replayOf(filters, page.rows, reader)}>
              <Icon name="replay" />
              {text('deliveries.replay_by_filter')}
            </a>
          }
        />
        <FilterForm
          filters={filters}
          types={engine.eventTypes().map(({ type }) => type)}
          paths={engine.searchPaths}
          reader={reader}
        />
        <Chips filters={filters} urls={urls} reader={reader} />
        {isNoId ? (
          <NoId filters={filters} paths={engine.searchPaths} reader={reader} />
        ) : page.rows.length === 0 ? (
          <NoDeliveries filters={filters} page={page} records={engine.recordsAttempts} reader={reader} />
        ) : (
          <>
            <List filters={filters} page={page} urls={urls} reader={reader} />
            <Pager path={['deliveries']} query={filters} next={page.next} reader={reader}>
              {pagerText(page, engine.recordsAttempts, reader)}
            </Pager>
          </>
        )}
      </>
    )
    return { title, main, liveMs: filters.before === undefined && !isNoId ? LIVE_MS : undefined }
  },
}

/** The order of the list, and the deliveries that are not in it. */
function pagerText(
  { complete, omitted }: DeliveryPage,
  records: 'all' | 'failed' | undefined,
  { text }: Reader,
): string {
  if (records === undefined) return text('deliveries.pager_off')
  if (omitted !== undefined) return text('deliveries.pager_omitted')
  return complete ? text('deliveries.pager', { n: PAGE_ROWS }) : text('deliveries.pager_incomplete')
}

function List({
  filters,
  page,
  urls,
  reader,
}: {
  filters: Filters
  page: DeliveryPage
  urls: ReadonlyMap<string, string>
  reader: Reader
}) {
  const { text, link, canAct } = reader
  return (
    <form class="picks" method="post" action={link('deliveries')}>
      <FormToken reader={reader} />
      <input type="hidden" name="back" value={link('deliveries', { ...filters })} />
      <DeliveriesTable rows={page.rows} urls={urls} caption={text('deliveries.caption')} reader={reader} />
      {canAct ? (
        <div class="bulk">
          <span>
            <b>
              <span class="tally" />
              {text('deliveries.selected')}
            </b>
          </span>
          <a class="btn ghost" href={replayOf(filters, page.rows, reader)}>
            {text('deliveries.all_matching')}
          </a>
          <button class="btn danger" type="submit" name="do" value="ask-give-up">
            {text('delivery.give_up')}…
          </button>
          <button class="btn" type="submit" name="do" value="retry-now">
            {text('delivery.send_now')}
          </button>
          <button class="btn primary" type="submit" name="do" value="replay" data-key="r">
            <Icon name="replay" />
            {text('deliveries.replay_selected')}
          </button>
        </div>
      ) : null}
    </form>
  )
}
