import { Copy } from '../../parts/copy.tsx'
import type { OperatorAction } from '../operator-visit.ts'
import { CAPABILITIES } from './capabilities.ts'
import { WorkspaceHead } from './workspace-head.tsx'

export const LINK_ACTIONS: readonly OperatorAction[] = [
  {
    path: '/workspaces/:workspace/links',
    section: 'workspaces',
    async act({ engine, reader, param, field, fields, by, portalUrl }) {
      const { text, link, times } = reader
      const workspaceId = param('workspace')
      const may = fields('may')
      const ends = field('ends')
      const made = await engine.portalLinks.create(workspaceId, {
        capabilities: CAPABILITIES.filter((one) => may.includes(one)),
        expiresInMs: ends === undefined ? undefined : Number(ends),
        uses: field('uses') === 'many' ? 'many' : 'once',
        subject: field('who'),
        by,
      })
      const url = portalUrl === undefined ? undefined : `${portalUrl.replace(/\/$/, '')}/enter/${made.token}`
      const title = text('links.ready')
      const main = (
        <>
          <WorkspaceHead id={workspaceId} tab="links" day={undefined} reader={reader} />
          <section class="empty">
            <div class="stack">
              <h2>{title}</h2>
              <p class="dim">
                {text('links.ready_what', { workspace: workspaceId, time: times.whole(made.link.expiresAt) })}{' '}
                {text(made.link.uses === 'once' ? 'links.opens_once' : 'links.opens_many')}
              </p>
              {url === undefined ? <p>{text('links.token_only')}</p> : null}
            </div>
            <div class="secret grow">
              <code>{url ?? made.token}</code>
              <Copy label={text('links.copy')} text={url ?? made.token} />
            </div>
            <div class="row">
              <a class="btn primary" href={link('workspaces', workspaceId)}>
                {text('keys.stored')}
              </a>
            </div>
          </section>
        </>
      )
      return { title, main }
    },
  },
  {
    path: '/workspaces/:workspace/links/:link',
    section: 'workspaces',
    async act({ engine, reader, param, by }) {
      const workspaceId = param('workspace')
      await engine.portalLinks.revoke(workspaceId, param('link'), { by })
      return reader.link('workspaces', workspaceId)
    },
  },
]
