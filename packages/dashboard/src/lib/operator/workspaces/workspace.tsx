import type { PortalLink } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { OperatorPage } from '../operator-visit.ts'
import { CAPABILITIES } from './capabilities.ts'
import { NewLink } from './new-link.tsx'
import { WorkspaceHead, dayOfWorkspace } from './workspace-head.tsx'

const SHOWN = 50

const MAKE_LINK = `app.get('/settings/webhooks', requireUser, async (c) => {
  const { url } = await createPortalLink({
    engine, portalUrl,
    workspaceId: c.get('workspaceId'),
    uses: 'many',
  })
  return c.redirect(url)
})`

/** The portal links of a workspace, and the form of a new one. */
export const workspacePage: OperatorPage = {
  path: '/workspaces/:workspace',
  section: 'workspaces',
  async show({ engine, reader, param, query, portalUrl }) {
    const { text, link, canAct } = reader
    const id = param('workspace')
    const { rows, next } = await engine.portalLinks.list(id, { limit: SHOWN, cursor: query('before') })
    const day = await dayOfWorkspace(engine, id, reader.now)
    const main = (
      <>
        <WorkspaceHead id={id} tab="links" day={day} reader={reader} />
        <div class="with-aside wide-aside">
          <div>
            <section aria-labelledby="h-links">
              <div class="sec-h">
                <h2 id="h-links">{text('links.title')}</h2>
                <span class="sub">{text('links.what')}</span>
              </div>
              {rows.length === 0 ? <p class="sec dim">{text('links.none')}</p> : <Links rows={rows} reader={reader} />}
              {next === undefined ? null : (
                <div class="pager">
                  <span>{text('links.retained')}</span>
                  <a class="btn sm" href={link('workspaces', id, { before: next })}>
                    {text('pager.older')}
                  </a>
                </div>
              )}
            </section>
            <div class="sec rule stack">
              <h2>{text('links.in_app')}</h2>
              <p class="dim">{text('links.in_app_how')}</p>
              <div class="snip">
                <pre class="code" tabindex={0}>
                  {MAKE_LINK}
                </pre>
                <Copy label={text('copy.code')} text={MAKE_LINK} />
              </div>
            </div>
          </div>
          <aside aria-labelledby="h-new">
            {canAct ? <NewLink workspaceId={id} hasPortal={portalUrl !== undefined} reader={reader} /> : null}
          </aside>
        </div>
      </>
    )
    return { title: id, main }
  },
}

function Links({ rows, reader }: { rows: readonly PortalLink[]; reader: Reader }) {
  const { text } = reader
  return (
    <table class="rows">
      <caption class="sr">{text('links.title')}</caption>
      <thead>
        <tr>
          <th scope="col">{text('fact.created')}</th>
          <th scope="col">{text('links.for')}</th>
          <th scope="col">{text('links.may')}</th>
          <th scope="col" class="n">
            {text('links.used')}
          </th>
          <th scope="col" class="n">
            {text('links.ends')}
          </th>
          <th scope="col">
            <span class="sr">{text('column.actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((one) => (
          <Row one={one} reader={reader} />
        ))}
      </tbody>
    </table>
  )
}

function Row({ one, reader }: { one: PortalLink; reader: Reader }) {
  const { text, link, canAct } = reader
  const { id, workspaceId, capabilities, createdAt, createdBy, subject, lastUsedAt, expiresAt, state } = one
  const isAll = capabilities.length === CAPABILITIES.length
  const may =
    capabilities.length === 0 ? text('links.see_only') : capabilities.map((each) => text(`capability.${each}`))
  const isOver = state === 'expired' || state === 'revoked'
  return (
    <tr>
      <td class="a">
        <Moment at={createdAt} reader={reader} />{' '}
        {createdBy === '' ? null : <span class="dim">{text('links.by', { by: createdBy })}</span>}
      </td>
      <td class="b">{subject ?? <span class="dim">–</span>}</td>
      <td class="fill tx e sub">{isAll ? text('links.all') : Array.isArray(may) ? may.join(', ') : may}</td>
      <td class="n c">
        {lastUsedAt === null ? (
          <span class="dim">{text('keys.never')}</span>
        ) : (
          <Moment at={lastUsedAt} reader={reader} />
        )}
      </td>
      <td class="n d dim">{isOver ? text(`links.${state}`) : <Moment at={expiresAt} reader={reader} />}</td>
      <td class="n f">
        {canAct && !isOver ? (
          <form method="post" action={link('workspaces', workspaceId, 'links', id)}>
            <FormToken reader={reader} />
            <button class="btn sm danger">{text('links.end')}</button>
          </form>
        ) : null}
      </td>
    </tr>
  )
}
