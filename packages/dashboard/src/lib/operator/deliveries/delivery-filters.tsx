import type { DeliveryFilter, HttpClass } from '@keepsend/engine'
import type { PlainKey } from '../../language/text.ts'
import { Icon } from '../../parts/icon.tsx'
import { Select } from '../../parts/select.tsx'
import type { Reader } from '../../reader/reader.ts'

export const PAGE_ROWS = 50
const HOUR_MS = 3_600_000

/** How far back a list reaches. A list without a bound would read all that is stored. */
export const RANGES: readonly (readonly [value: string, name: PlainKey, ms: number])[] = [
  ['1h', 'range.1h', HOUR_MS],
  ['24h', 'range.24h', 24 * HOUR_MS],
  ['7d', 'range.7d', 7 * 24 * HOUR_MS],
  ['30d', 'range.30d', 30 * 24 * HOUR_MS],
]
export const DEFAULT_RANGE = '24h'

export const STATUSES: readonly (readonly [value: NonNullable<DeliveryFilter['status']>, name: PlainKey])[] = [
  ['completed', 'state.delivered'],
  ['pending', 'state.pending'],
  ['held', 'state.held'],
  ['failed', 'state.failed'],
]

export const CLASSES: readonly (readonly [value: HttpClass, name: PlainKey])[] = [
  ['2xx', 'http.2xx'],
  ['3xx', 'http.3xx'],
  ['4xx', 'http.4xx'],
  ['5xx', 'http.5xx'],
  ['no_response', 'http.no_response'],
  ['none_yet', 'http.none_yet'],
]

export const FILTERS = ['q', 'status', 'type', 'endpoint', 'workspace', 'http', 'event', 'time', 'before'] as const

export type Filters = Record<(typeof FILTERS)[number], string | undefined>

export function FilterForm({
  filters,
  types,
  reader: { text, link },
}: {
  filters: Filters
  types: readonly string[]
  reader: Reader
}) {
  const named = (pairs: readonly (readonly [string, PlainKey, ...unknown[]])[]) =>
    pairs.map(([value, name]) => [value, text(name)] as const)
  return (
    <form class="filters" method="get" role="search" aria-label={text('deliveries.filter')} action={link('deliveries')}>
      <div class="find">
        <Icon name="search" />
        <input
          type="search"
          name="q"
          placeholder={text('deliveries.search')}
          aria-label={text('deliveries.search')}
          value={filters.q ?? ''}
        />
      </div>
      <Select
        name="status"
        label={text('column.status')}
        value={filters.status}
        choices={[['', text('filter.any_status')], ...named(STATUSES)]}
      />
      {types.length === 0 ? (
        <input
          type="text"
          name="type"
          aria-label={text('column.type')}
          placeholder={text('column.type')}
          value={filters.type ?? ''}
        />
      ) : (
        <Select
          name="type"
          label={text('column.type')}
          value={filters.type}
          choices={[['', text('filter.all_types')], ...types.map((type) => [type, type] as const)]}
        />
      )}
      <Select
        name="http"
        label={text('column.response')}
        value={filters.http}
        choices={[['', text('filter.any_response')], ...named(CLASSES)]}
      />
      <Select
        name="time"
        label={text('filter.time')}
        value={filters.time}
        none={DEFAULT_RANGE}
        choices={named(RANGES)}
      />
      {(['endpoint', 'workspace', 'event'] as const).map((name) =>
        filters[name] === undefined ? null : <input type="hidden" name={name} value={filters[name]} />,
      )}
      <button class="btn" type="submit">
        {text('filter.apply')}
      </button>
    </form>
  )
}

const CHIPS = ['status', 'type', 'endpoint', 'workspace', 'http', 'event'] as const

/** The filters that are set, each with a link that removes it. */
export function Chips({ filters, reader: { text, link } }: { filters: Filters; reader: Reader }) {
  const set = CHIPS.filter((name) => filters[name] !== undefined)
  if (set.length === 0) return null
  const names: Readonly<Record<string, PlainKey>> = Object.fromEntries([...STATUSES, ...CLASSES])
  return (
    <div class="chips">
      {set.map((name) => {
        const value = filters[name] ?? ''
        const key = names[value]
        return (
          <span class="chip">
            {key === undefined ? <span class="mono">{value}</span> : text(key)}
            <a
              href={link('deliveries', { ...filters, [name]: undefined, before: undefined })}
              aria-label={text('filter.remove', { name })}
            >
              <Icon name="x" />
            </a>
          </span>
        )
      })}
      <a class="link" href={link('deliveries')}>
        {text('filter.clear')}
      </a>
    </div>
  )
}
