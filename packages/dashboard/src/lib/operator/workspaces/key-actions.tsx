import { EngineError, SCOPES, type Scope } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import type { Action, Page } from '../../site/visit.ts'

const DAY_MS = 86_400_000

/** The confirmation of a revocation, which ends what uses the key. */
export const revokeKeyPage: Page = {
  path: '/workspaces/:workspace/keys/:key',
  section: 'workspaces',
  async show({ engine, reader, param }) {
    const { text, link } = reader
    const [workspaceId, id] = [param('workspace'), param('key')]
    const key = (await engine.apiKeys.list(workspaceId, { limit: 1000 })).find((one) => one.id === id)
    if (!key) throw new EngineError('not_found', 'no such API key')
    const title = text('keys.revoke_title')
    const main = (
      <form class="page-mid" method="post" action={link('workspaces', workspaceId, 'keys', id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          <b>{key.name === '' ? key.id : key.name}</b>, {workspaceId}
        </p>
        <p>{text('keys.revoke_then')}</p>
        <div class="row">
          <button class="btn danger primary">{text('keys.revoke')}</button>
          <a class="btn" href={link('workspaces', workspaceId)}>
            {text('back')}
          </a>
        </div>
      </form>
    )
    return { title, main }
  },
}

export const KEY_ACTIONS: readonly Action[] = [
  {
    path: '/workspaces/:workspace/keys',
    section: 'workspaces',
    async act({ engine, reader, param, field, fields, by }) {
      const { text, link } = reader
      const workspaceId = param('workspace')
      const days = field('days')
      const created = await engine.apiKeys.create({
        workspaceId,
        name: field('name') ?? '',
        scopes: fields('scopes').filter((scope): scope is Scope => (SCOPES as readonly string[]).includes(scope)),
        expiresInMs: days === undefined ? undefined : Number(days) * DAY_MS,
        by,
      })
      const title = text('keys.created')
      const main = (
        <div class="page-mid">
          <h1>{title}</h1>
          <p>{text('keys.shown_once')}</p>
          <p class="secret">
            <code>{created.key}</code>
            <Copy label={text('keys.copy')} text={created.key} />
          </p>
          <div class="row">
            <a class="btn primary" href={link('workspaces', workspaceId)}>
              {text('keys.stored')}
            </a>
          </div>
        </div>
      )
      return { title, main }
    },
  },
  {
    path: '/workspaces/:workspace/keys/:key',
    section: 'workspaces',
    async act({ engine, reader, param, by }) {
      await engine.apiKeys.revoke(param('workspace'), param('key'), { by })
      return reader.link('workspaces', param('workspace'))
    },
  },
]
