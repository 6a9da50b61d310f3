import { type ApiKey, EngineError, SCOPES, type Scope } from '@keepsend/engine'
import { Copy } from '../parts/copy.tsx'
import { Head } from '../parts/head.tsx'
import { Icon } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { ShownUrl } from '../parts/split.tsx'
import { EndpointStatus } from '../parts/status.tsx'
import { type Reader, showNumber } from '../reader/reader.ts'
import { FormToken } from '../shell/shell.tsx'
import { type Action, type Page, queryOf } from '../visit.ts'

const PAGE_ROWS = 50
const DAY_MS = 86_400_000

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
                <td class="n">
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

export const workspacePage: Page = {
  path: '/workspaces/:workspace',
  section: 'workspaces',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const id = visit.param('workspace')
    const endpoints = await engine.endpoints.list(id, { limit: PAGE_ROWS })
    const keys = await engine.apiKeys.list(id)
    const main = (
      <>
        <Head
          title={id}
          crumbs={<a href={link('workspaces')}>{text('nav.workspaces')}</a>}
          actions={
            <a class="btn" href={link('deliveries', { workspace: id })}>
              <Icon name="deliveries" />
              {text('nav.deliveries')}
            </a>
          }
          reader={reader}
        />
        <section aria-labelledby="h-endpoints">
          <div class="sec-h">
            <h2 id="h-endpoints">{text('nav.endpoints')}</h2>
            {canAct ? (
              <a class="btn sm" href={link('endpoints', 'new', { workspace: id })}>
                <Icon name="plus" />
                {text('endpoints.add')}
              </a>
            ) : null}
          </div>
          <table class="rows">
            <caption class="sr">{text('nav.endpoints')}</caption>
            <tbody>
              {endpoints.map((endpoint) => (
                <tr>
                  <td class="fill a">
                    <ShownUrl url={endpoint.url} href={link('endpoints', id, endpoint.id)} />
                  </td>
                  <td class="b">
                    <EndpointStatus endpoint={endpoint} reader={reader} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </section>
        <section aria-labelledby="h-keys">
          <div class="sec-h">
            <h2 id="h-keys">{text('keys.title')}</h2>
          </div>
          {keys.length === 0 ? (
            <p class="sec dim">{text('keys.none')}</p>
          ) : (
            <Keys keys={keys} workspaceId={id} reader={reader} />
          )}
          {canAct ? <NewKey workspaceId={id} reader={reader} /> : null}
        </section>
      </>
    )
    return { title: id, main }
  },
}

function Keys({ keys, workspaceId, reader }: { keys: readonly ApiKey[]; workspaceId: string; reader: Reader }) {
  const { text, link, canAct } = reader
  return (
    <table class="rows">
      <caption class="sr">{text('keys.title')}</caption>
      <thead>
        <tr>
          <th scope="col">{text('keys.name')}</th>
          <th scope="col">{text('keys.scopes')}</th>
          <th scope="col" class="n">
            {text('keys.used')}
          </th>
          <th scope="col" class="n">
            {text('secret.expires')}
          </th>
          <th scope="col">
            <span class="sr">{text('column.actions')}</span>
          </th>
        </tr>
      </thead>
      <tbody>
        {keys.map(({ id, name, scopes, lastUsedAt, expiresAt }) => (
          <tr>
            <td class="a">{name === '' ? <span class="mono dim">{id}</span> : name}</td>
            <td class="fill tx e xs mono">{scopes.join(', ')}</td>
            <td class="n b">{lastUsedAt === null ? text('keys.never') : <Moment at={lastUsedAt} reader={reader} />}</td>
            <td class="n c">{expiresAt === null ? '–' : <Moment at={expiresAt} reader={reader} />}</td>
            <td class="n">
              {canAct ? (
                <a class="btn sm danger" href={link('workspaces', workspaceId, 'keys', id)}>
                  {text('keys.revoke')}…
                </a>
              ) : null}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}

function NewKey({ workspaceId, reader }: { workspaceId: string; reader: Reader }) {
  const { text, link } = reader
  return (
    <form class="sec stack form" method="post" action={link('workspaces', workspaceId, 'keys')}>
      <FormToken reader={reader} />
      <h3>{text('keys.create')}</h3>
      <div class="field">
        <label for="name">{text('keys.name')}</label>
        <input id="name" name="name" maxlength={200} />
      </div>
      <fieldset class="stack tight">
        <legend>{text('keys.scopes')}</legend>
        {SCOPES.map((scope) => (
          <label class="check">
            <input type="checkbox" name="scopes" value={scope} checked={scope !== 'keys:write'} />
            <span class="mono">{scope}</span>
          </label>
        ))}
      </fieldset>
      <div class="field">
        <label for="days">{text('keys.days')}</label>
        <input id="days" name="days" type="number" min="1" max="3650" class="short" placeholder="–" />
      </div>
      <div>
        <button class="btn primary">{text('keys.create')}</button>
      </div>
    </form>
  )
}

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

export const WORKSPACE_ACTIONS: readonly Action[] = [
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
