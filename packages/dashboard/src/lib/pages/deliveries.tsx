import { type DeliveryFilter, type Engine, EngineError, type HttpClass, allWorkspaces } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import { Head } from '../parts/head.tsx'
import { Icon } from '../parts/icon.tsx'
import { Pager } from '../parts/pager.tsx'
import { Select } from '../parts/select.tsx'
import type { Reader } from '../reader/reader.ts'
import { FormToken } from '../shell/shell.tsx'
import { type Page, queryOf } from '../visit.ts'
import { DeliveryRows } from './delivery-rows.tsx'

const PAGE_ROWS = 50
const HOUR_MS = 3_600_000

/** How far back a list reaches. A list without a bound would read all that is stored. */
const RANGES: readonly (readonly [value: string, name: PlainKey, ms: number])[] = [
  ['1h', 'range.1h', HOUR_MS],
  ['24h', 'range.24h', 24 * HOUR_MS],
  ['7d', 'range.7d', 7 * 24 * HOUR_MS],
  ['30d', 'range.30d', 30 * 24 * HOUR_MS],
]
const DEFAULT_RANGE = '24h'

const STATUSES: readonly (readonly [value: NonNullable<DeliveryFilter['status']>, name: PlainKey])[] = [
  ['completed', 'state.delivered'],
  ['pending', 'state.pending'],
  ['held', 'state.held'],
  ['failed', 'state.failed'],
]

const CLASSES: readonly (readonly [value: HttpClass, name: PlainKey])[] = [
  ['2xx', 'http.2xx'],
  ['3xx', 'http.3xx'],
  ['4xx', 'http.4xx'],
  ['5xx', 'http.5xx'],
  ['no_response', 'http.no_response'],
  ['none_yet', 'http.none_yet'],
]

const FILTERS = ['q', 'status', 'type', 'endpoint', 'workspace', 'http', 'event', 'time', 'before'] as const

type Filters = Record<(typeof FILTERS)[number], string | undefined>

export const deliveriesPage: Page = {
  path: '/deliveries',
  section: 'deliveries',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const filters = queryOf(visit, FILTERS)
    const { rows, next, complete } = await find(engine, filters, reader)
    const urls = await urlsOf(engine, rows)
    const title = text('nav.deliveries')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            <a class="btn" href={link('replays', 'new')}>
              <Icon name="replay" />
              {text('deliveries.replay_by_filter')}
            </a>
          }
        />
        <FilterForm filters={filters} types={engine.eventTypes().map(({ type }) => type)} reader={reader} />
        <Chips filters={filters} reader={reader} />
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('deliveries.none')}</h2>
              <p class="dim">{complete ? text('deliveries.none_why') : text('deliveries.none_yet')}</p>
            </div>
            <div class="row">
              {next === undefined ? (
                <a class="btn primary" href={link('deliveries', { time: '30d' })}>
                  {text('deliveries.all')}
                </a>
              ) : (
                <a class="btn primary" href={link('deliveries', { ...filters, before: next })}>
                  {text('deliveries.search_on')}
                </a>
              )}
            </div>
          </section>
        ) : (
          <form class="picks" method="post" action={link('deliveries')}>
            <FormToken reader={reader} />
            <table class="rows">
              <caption class="sr">{text('deliveries.caption')}</caption>
              <thead>
                <tr>
                  <th scope="col" class="pick">
                    <input class="js" type="checkbox" data-all aria-label={text('deliveries.select_all')} />
                  </th>
                  <th scope="col">{text('column.status')}</th>
                  <th scope="col">{text('column.type')}</th>
                  <th scope="col">{text('column.endpoint')}</th>
                  <th scope="col" class="xl">
                    {text('column.workspace')}
                  </th>
                  <th scope="col" class="n">
                    {text('column.response')}
                  </th>
                  <th scope="col">{text('column.attempts')}</th>
                  <th scope="col" class="n lo">
                    {text('column.next')}
                  </th>
                  <th scope="col" class="n">
                    {text('column.created')}
                  </th>
                </tr>
              </thead>
              <tbody>
                <DeliveryRows rows={rows} urls={urls} reader={reader} />
              </tbody>
            </table>
            {reader.canAct ? (
              <div class="bulk">
                <span>
                  <b>
                    <span class="tally" />
                    {text('deliveries.selected')}
                  </b>
                </span>
                <button class="btn primary" type="submit" name="do" value="replay">
                  <Icon name="replay" />
                  {text('deliveries.replay_selected')}
                </button>
              </div>
            ) : null}
          </form>
        )}
        {rows.length === 0 ? null : (
          <Pager path={['deliveries']} query={filters} next={next} reader={reader}>
            {complete ? text('deliveries.pager', { n: PAGE_ROWS }) : text('deliveries.pager_incomplete')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: filters.before === undefined ? 5000 : undefined }
  },
}

/** The deliveries of a page. An id in the search finds its event's deliveries. */
async function find(engine: Engine, filters: Filters, reader: Reader) {
  const scope = filters.workspace ?? allWorkspaces
  const range = RANGES.find(([value]) => value === (filters.time ?? DEFAULT_RANGE)) ?? RANGES[1]
  const eventId = filters.event ?? eventIdIn(filters.q)
  return engine.deliveries.list(scope, {
    limit: PAGE_ROWS,
    before: filters.before,
    status: oneOf(STATUSES, filters.status),
    httpClass: oneOf(CLASSES, filters.http),
    type: filters.type,
    endpointId: filters.endpoint,
    eventId,
    // An event is found by its id, however old it is.
    since: eventId === undefined && range ? reader.now - range[2] : undefined,
  })
}

/** The event id at the beginning of an id; what is no id is refused with a sentence. */
function eventIdIn(q: string | undefined): string | undefined {
  if (q === undefined) return undefined
  const id = /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/.exec(q.trim())?.[0]
  if (id === undefined)
    throw new EngineError('invalid_request', `an event id begins with evt_; found ${q.slice(0, 100)}`)
  return id
}

function oneOf<V extends string>(
  choices: readonly (readonly [V, ...unknown[]])[],
  value: string | undefined,
): V | undefined {
  return choices.find(([choice]) => choice === value)?.[0]
}

/** The URLs of the endpoints of some rows. A page has few endpoints, each of which is read once. */
export async function urlsOf(
  engine: Engine,
  rows: readonly { workspaceId: string; endpointId: string | null }[],
): Promise<ReadonlyMap<string, string>> {
  const wanted = new Map(
    rows.flatMap(({ endpointId, workspaceId }) => (endpointId === null ? [] : [[endpointId, workspaceId]])),
  )
  const urls = new Map<string, string>()
  await Promise.all(
    [...wanted].map(async ([id, workspaceId]) => {
      try {
        const { url } = await engine.endpoints.get(workspaceId, id)
        urls.set(id, url)
      } catch (error) {
        // A deleted endpoint is shown by its id.
        if (!(error instanceof EngineError && error.code === 'not_found')) throw error
      }
    }),
  )
  return urls
}

function FilterForm({
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
function Chips({ filters, reader: { text, link } }: { filters: Filters; reader: Reader }) {
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
