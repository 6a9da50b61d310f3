import { CLASSES, type Filters, STATUSES } from '../../history/delivery-choices.ts'
import { StatusField, TimeField, TypeField, namedChoices } from '../../history/filter-fields.tsx'
import type { PlainKey } from '../../language/text.ts'
import { Icon } from '../../parts/icon.tsx'
import { Select } from '../../parts/select.tsx'
import type { Reader } from '../../reader/reader.ts'
import { SearchField } from '../../parts/search-field.tsx'

export function FilterForm({
  filters,
  types,
  paths,
  reader,
}: {
  filters: Filters
  types: readonly string[]
  /** The paths by whose values events are found. */
  paths: readonly string[]
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <form class="filters" method="get" role="search" aria-label={text('deliveries.filter')} action={link('deliveries')}>
      <SearchField
        label={text(paths.length === 0 ? 'deliveries.search' : 'deliveries.search_payload')}
        value={filters.q}
      />
      <StatusField value={filters.status} reader={reader} />
      <TypeField value={filters.type} types={types} reader={reader} />
      <input
        type="text"
        name="workspace"
        aria-label={text('column.workspace')}
        placeholder={text('column.workspace')}
        value={filters.workspace ?? ''}
      />
      <Select
        name="http"
        label={text('column.response')}
        value={filters.http}
        choices={[['', text('filter.any_response')], ...namedChoices(CLASSES, reader)]}
      />
      <TimeField value={filters.time} reader={reader} />
      {(['endpoint', 'event', 'error', 'code'] as const).map((name) =>
        filters[name] === undefined ? null : <input type="hidden" name={name} value={filters[name]} />,
      )}
      <button class="btn" type="submit">
        {text('filter.apply')}
      </button>
    </form>
  )
}

const CHIPS = {
  status: 'column.status',
  type: 'column.type',
  endpoint: 'column.endpoint',
  workspace: 'column.workspace',
  http: 'column.response',
  error: 'column.problem',
  code: 'column.response',
  event: 'fact.event',
} as const satisfies Partial<Record<keyof Filters, PlainKey>>
const CHIP_NAMES = Object.keys(CHIPS) as (keyof typeof CHIPS)[]

/** The filters that are set, each with a link that removes it. */
export function Chips({
  filters,
  urls,
  reader,
}: {
  filters: Filters
  /** The URL of the endpoint, as far as it is known. */
  urls: ReadonlyMap<string, string>
  reader: Reader
}) {
  const { text, link } = reader
  const set = CHIP_NAMES.filter((name) => filters[name] !== undefined)
  if (set.length === 0) return null
  const names: ReadonlyMap<string, PlainKey> = new Map([...STATUSES, ...CLASSES])
  return (
    <div class="chips">
      {set.map((name) => {
        const value = filters[name] ?? ''
        const key = names.get(value)
        return (
          <span class="chip">
            {key === undefined ? <span class="mono">{urls.get(value) ?? value}</span> : text(key)}
            <a
              href={link('deliveries', { ...filters, [name]: undefined, before: undefined })}
              aria-label={text('filter.remove', { name: text(CHIPS[name]) })}
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
