import type { DeliveryPage } from '@keepsend/engine'
import type { Reader } from '../../reader/reader.ts'
import type { Filters } from '../../history/delivery-choices.ts'

/** A list without rows: why, and the filters that may find some. */
export function NoDeliveries({
  filters,
  page: { complete, next },
  records,
  reader: { text, link },
}: {
  filters: Filters
  page: DeliveryPage
  records: 'all' | 'failed' | undefined
  reader: Reader
}) {
  const isShort = filters.time !== '30d'
  return (
    <section class="empty">
      <div class="stack">
        <h2>{text('deliveries.none')}</h2>
        <p class="dim">{text(complete ? 'deliveries.none_why' : 'deliveries.none_yet')}</p>
        {records === undefined ? <p class="dim">{text('deliveries.pager_off')}</p> : null}
      </div>
      <div class="row">
        {next === undefined ? null : (
          <a class="btn primary" href={link('deliveries', { ...filters, before: next })}>
            {text('deliveries.search_on')}
          </a>
        )}
        {isShort ? (
          <a
            class={next === undefined ? 'btn primary' : 'btn'}
            href={link('deliveries', { ...filters, before: undefined, time: '30d' })}
          >
            {text('deliveries.longer')}
          </a>
        ) : null}
        <a class="btn" href={link('deliveries')}>
          {text('deliveries.clear')}
        </a>
      </div>
    </section>
  )
}

/** A search that names no id: payloads are searched by the paths that the host declares. */
export function NoId({
  filters: { q, workspace },
  paths,
  reader: { text, link },
}: {
  filters: Filters
  paths: readonly string[]
  reader: Reader
}) {
  return (
    <section class="empty">
      <div class="stack">
        <h2>{text.rich('deliveries.no_id', { q: <span class="mono">{q}</span> })}</h2>
        <p class="dim">{text(paths.length === 0 ? 'deliveries.no_search' : 'deliveries.no_id_why')}</p>
      </div>
      <div class="row">
        {paths.length === 0 ? null : (
          <a class="btn primary" href={link('published', { value: q, workspace })}>
            {text('deliveries.search_published')}
          </a>
        )}
        <a class="btn" href={link('deliveries', { workspace })}>
          {text('deliveries.clear')}
        </a>
      </div>
    </section>
  )
}
