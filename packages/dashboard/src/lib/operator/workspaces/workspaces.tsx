import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { showNumber } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'

const PAGE_ROWS = 50

export const workspacesPage: Page = {
  path: '/workspaces',
  section: 'workspaces',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const { after } = queryOf(visit, ['after'])
    const rows = await engine.workspaces.list({ limit: PAGE_ROWS, after })
    const title = text('nav.workspaces')
    const main = (
      <>
        <Head title={title} reader={reader} />
        <table class="rows">
          <caption class="sr">{title}</caption>
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
                  <a class="btn sm" href={link('deliveries', { workspace: id })}>
                    {text('nav.deliveries')}
                  </a>
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        <div class="pager">
          <span>{text('workspaces.pager')}</span>
          {rows.length === PAGE_ROWS ? (
            <a class="btn sm" href={link('workspaces', { after: rows.at(-1)?.id })}>
              {text('pager.next')}
              <Icon name="right" />
            </a>
          ) : null}
        </div>
      </>
    )
    return { title, main }
  },
}
