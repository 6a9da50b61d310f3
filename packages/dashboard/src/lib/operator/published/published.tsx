import { type ListedEvent, type Page as EnginePage, allWorkspaces } from '@keepsend/engine'
import { Moment } from '../../parts/moment.tsx'
import { Pager } from '../../parts/pager.tsx'
import { Refusal } from '../../parts/refusal.tsx'
import { Select } from '../../parts/select.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'
import { isRefusal } from '../../site/refusals.ts'
import { type Page, type Visit, queryOf } from '../../site/visit.ts'
import { EventTabs } from '../events/event-tabs.tsx'

const PAGE_ROWS = 50
const DAY_MS = 86_400_000
const SEARCHED_MS = 30 * DAY_MS

const FIELDS = ['workspace', 'type', 'path', 'value', 'before'] as const

type Filters = Record<(typeof FIELDS)[number], string | undefined>

/** The events that were published, with the number of their deliveries; found by type, or by a value of their payload. */
export const publishedPage: Page = {
  path: '/published',
  section: 'events',
  async show(visit) {
    const { engine, reader } = visit
    const { text } = reader
    const filters = queryOf(visit, FIELDS)
    const { page, problem } = await find(visit, filters)
    const title = text('published.title')
    const main = (
      <>
        <EventTabs current="published" reader={reader} />
        <Filter filters={filters} paths={engine.searchPaths} reader={reader} />
        {problem === undefined ? null : <Refusal problem={problem} reader={reader} />}
        {page === undefined ? null : page.rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('published.none')}</h2>
              <p class="dim">{text(page.complete ? 'published.none_why' : 'deliveries.none_yet')}</p>
            </div>
          </section>
        ) : (
          <Rows rows={page.rows} reader={reader} />
        )}
        {page === undefined ? null : (
          <Pager path={['published']} query={filters} next={page.next} reader={reader}>
            {text(page.complete ? 'published.pager' : 'deliveries.pager_incomplete')}
          </Pager>
        )}
      </>
    )
    return { title, main }
  },
}

/** Without recorded events, or with a search that is refused, the page says so. */
async function find(
  { engine, reader }: Visit,
  { workspace, type, path, value, before }: Filters,
): Promise<{ page?: EnginePage<ListedEvent>; problem?: string }> {
  const isPrefix = value?.endsWith('*') === true
  const search =
    value === undefined
      ? undefined
      : {
          path: path ?? engine.searchPaths[0] ?? '',
          ...(isPrefix ? { prefix: value.slice(0, -1) } : { value }),
        }
  try {
    const page = await engine.events.list(workspace ?? allWorkspaces, {
      limit: PAGE_ROWS,
      before,
      type,
      search,
      since: reader.now - SEARCHED_MS,
    })
    return { page }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return { problem: error.message }
  }
}

function Filter({ filters, paths, reader }: { filters: Filters; paths: readonly string[]; reader: Reader }) {
  const { text, link } = reader
  return (
    <form class="filters" method="get" role="search" aria-label={text('published.filter')} action={link('published')}>
      {paths.length === 0 ? null : (
        <>
          <SearchField name="value" label={text('published.value')} value={filters.value} />
          <Select
            name="path"
            label={text('published.path')}
            value={filters.path}
            none={paths[0] ?? ''}
            choices={paths.map((path) => [path, path] as const)}
          />
        </>
      )}
      {(['type', 'workspace'] as const).map((name) => (
        <input
          type="text"
          name={name}
          aria-label={text(`column.${name}`)}
          placeholder={text(`column.${name}`)}
          value={filters[name] ?? ''}
        />
      ))}
      <button class="btn" type="submit">
        {text('filter.apply')}
      </button>
    </form>
  )
}

function Rows({ rows, reader }: { rows: readonly ListedEvent[]; reader: Reader }) {
  const { text, link } = reader
  return (
    <table class="rows">
      <caption class="sr">{text('published.title')}</caption>
      <thead>
        <tr>
          <th scope="col">{text('column.type')}</th>
          <th scope="col">{text('fact.event')}</th>
          <th scope="col" class="lo">
            {text('column.workspace')}
          </th>
          <th scope="col" class="n">
            {text('state.delivered')}
          </th>
          <th scope="col" class="n">
            {text('state.failed')}
          </th>
          <th scope="col" class="n lo">
            {text('published.waiting')}
          </th>
          <th scope="col" class="n">
            {text('fact.published')}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, workspaceId, type, createdAt, completed, failed, pending, held }) => (
          <tr>
            <td class="a">
              <a class="mono nw" href={link('published', workspaceId, id)}>
                {type}
              </a>
            </td>
            <td class="fill e">
              <CopiedIdent id={id} label={text('copy.event_id')} />
            </td>
            <td class="lo dim nw">{workspaceId}</td>
            <td class="n c">{showNumber(reader, completed)}</td>
            <td class="n">
              <span class={failed > 0 ? 'failed tone' : undefined}>{showNumber(reader, failed)}</span>
            </td>
            <td class="n lo">{showNumber(reader, pending + held)}</td>
            <td class="n d dim">
              <Moment at={createdAt} reader={reader} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
