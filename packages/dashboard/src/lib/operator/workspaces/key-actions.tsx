import { EngineError, SCOPES, type Scope } from '@keepsend/engine'
import { Copy } from '../../parts/copy.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { Action, Page, Shown } from '../../site/visit.ts'

const DAY_MS = 86_400_000

/** The confirmation of a revocation, which ends all use of the key. */
export const revokeKeyPage: Page = {
  path: '/workspaces/:workspace/keys/:key',
  section: 'workspaces',
  async show({ engine, reader, param }) {
    const { text, link } = reader
    const [workspaceId, id] = [param('workspace'), param('key')]
    const key = (await engine.apiKeys.list(workspaceId, { limit: 1000 })).find((one) => one.id === id)
    if (!key) throw new EngineError('not_found', 'no such API key')
    const title = text('keys.revoke_title', { name: key.name === '' ? key.id : key.name })
    const here = link('workspaces', workspaceId, 'keys')
    const main = (
      <form class="page-mid" method="post" action={link('workspaces', workspaceId, 'keys', id)}>
        <FormToken reader={reader} />
        <h1>{title}</h1>
        <p>
          {key.lastUsedAt === null
            ? text('keys.of_unused', { workspace: workspaceId })
            : text.rich('keys.of', {
                workspace: workspaceId,
                time: <Moment at={key.lastUsedAt} reader={reader} />,
              })}
        </p>
        <ul class="list plain-list">
          <li>{text('keys.revoke_then')}</li>
          <li>{text('keys.rotate_instead')}</li>
        </ul>
        <div class="row">
          <button class="btn danger primary" name="do" value="revoke">
            {text('keys.revoke')}
          </button>
          <button class="btn" name="do" value="rotate">
            {text('keys.rotate')}
          </button>
          <a class="btn" href={here}>
            {text('confirm.keep')}
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
      const workspaceId = param('workspace')
      const days = field('days')
      const created = await engine.apiKeys.create({
        workspaceId,
        name: field('name') ?? '',
        scopes: fields('scopes').filter((scope): scope is Scope => (SCOPES as readonly string[]).includes(scope)),
        expiresInMs: days === undefined ? undefined : Number(days) * DAY_MS,
        by,
      })
      return keyOnce(created.key, workspaceId, reader)
    },
  },
  {
    path: '/workspaces/:workspace/keys/:key',
    section: 'workspaces',
    async act({ engine, reader, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('key'), field('do')]
      if (verb === 'rotate') {
        const { key } = await engine.apiKeys.rotate(workspaceId, id, { by })
        return keyOnce(key, workspaceId, reader)
      }
      if (verb !== 'revoke')
        throw new EngineError('invalid_request', `a key can be rotated or revoked; found ${verb ?? 'nothing'}`)
      await engine.apiKeys.revoke(workspaceId, id, { by })
      return reader.link('workspaces', workspaceId, 'keys')
    },
  },
]

/** The page that shows a key, this once. */
function keyOnce(key: string, workspaceId: string, { text, link }: Reader): Shown {
  const title = text('keys.created')
  const main = (
    <div class="page-mid">
      <h1>{title}</h1>
      <p>{text('keys.shown_once')}</p>
      <p class="secret">
        <code>{key}</code>
        <Copy label={text('keys.copy')} text={key} />
      </p>
      <div class="row">
        <a class="btn primary" href={link('workspaces', workspaceId, 'keys')}>
          {text('keys.stored')}
        </a>
      </div>
    </div>
  )
  return { title, main }
}
