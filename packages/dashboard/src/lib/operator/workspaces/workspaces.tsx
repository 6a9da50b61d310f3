import type { WorkspaceSummary } from '@keepsend/engine'
import { Head } from '../../parts/head.tsx'
import { SearchField } from '../../parts/search-field.tsx'
import { NextPager } from '../../parts/pager.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'

const PAGE_ROWS = 50

export const workspacesPage: Page = {
  path: '/workspaces',
  section: 'workspaces',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const { after, q } = queryOf(visit, ['after', 'q'])
    const rows = await engine.workspaces.list({ limit: PAGE_ROWS, after })
    const title = text('nav.workspaces')
    const main = (
      <>
        <Head title={title} reader={reader} />
        <form
          class="filters"
          method="get"
          role="search"
          aria-label={text('workspaces.find')}
          action={link('workspaces')}
        >
          <SearchField label={text('workspaces.id')} value={q} />
          <button class="btn" type="submit">
            {text('filter.apply')}
          </button>
        </form>
        {q === undefined ? null : (
          <div class="chips">
            <a class="link" href={link('workspaces', q)}>
              {text('workspaces.open', { id: q })}
            </a>
          </div>
        )}
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('workspaces.none')}</h2>
              <p class="dim">{text('workspaces.pager')}</p>
            </div>
          </section>
        ) : (
          <Rows rows={rows} reader={reader} />
        )}
        {rows.length === 0 ? null : (
          <NextPager
            next={rows.length === PAGE_ROWS ? link('workspaces', { after: rows.at(-1)?.id }) : undefined}
            reader={reader}
          >
            {text('workspaces.pager')}
          </NextPager>
        )}
      </>
    )
    return { title, main }
  },
}

function Rows({ rows, reader }: { rows: readonly WorkspaceSummary[]; reader: Reader }) {
  const { text, link } = reader
  return (
    <table class="rows">
      <caption class="sr">{text('nav.workspaces')}</caption>
      <thead>
        <tr>
          <th scope="col">{text('column.workspace')}</th>
          <th scope="col" class="n">
            {text('endpoint.enabled')}
          </th>
          <th scope="col" class="n">
            {text('endpoint.disabled')}
          </th>
          <th scope="col">
            <span class="sr">{text('column.actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ id, endpoints }) => (
          <tr>
            <td class="fill a">
              <a class="st" href={link('workspaces', id)}>
                {id}
              </a>
            </td>
            <td class="n b">{showNumber(reader, endpoints.enabled)}</td>
            <td class="n c">{showNumber(reader, endpoints.disabled)}</td>
            <td class="n f">
              <span class="row end">
                <a class="btn sm" href={link('deliveries', { workspace: id })}>
                  {text('nav.deliveries')}
                </a>
                <a class="btn sm" href={link('workspaces', id)}>
                  {text('links.one')}
                </a>
              </span>
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
