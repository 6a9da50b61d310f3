import { type ApiKey, DEFAULT_SCOPES, SCOPES } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import type { Reader } from '../../reader/reader.ts'
import type { OperatorPage } from '../operator-visit.ts'
import { WorkspaceHead, dayOfWorkspace } from './workspace-head.tsx'

const SHOWN = 50

const LIFETIMES = [
  ['30', 'keys.30d'],
  ['90', 'keys.90d'],
  ['365', 'keys.365d'],
  ['', 'keys.never_ends'],
] as const

/** The API keys of a workspace, and the form of a new one. */
export const workspaceKeysPage: OperatorPage = {
  path: '/workspaces/:workspace/keys',
  section: 'workspaces',
  async show({ engine, reader, param, query }) {
    const { text, link, canAct } = reader
    const id = param('workspace')
    const keys = await engine.apiKeys.list(id, { limit: SHOWN, after: query('after') })
    const day = await dayOfWorkspace(engine, id, reader.now)
    const main = (
      <>
        <WorkspaceHead
          id={id}
          tab="keys"
          day={day}
          actions={
            canAct ? (
              <a class="btn primary" href="#new" data-key="r">
                <Icon name="plus" />
                {text('keys.new')}
              </a>
            ) : undefined
          }
          reader={reader}
        />
        {keys.length === 0 ? (
          <p class="sec dim">{text('keys.none')}</p>
        ) : (
          <Keys keys={keys} workspaceId={id} reader={reader} />
        )}
        {keys.length === SHOWN ? (
          <div class="pager">
            <span />
            <a class="btn sm" href={link('workspaces', id, 'keys', { after: keys.at(-1)?.id })}>
              {text('pager.next')}
            </a>
          </div>
        ) : null}
        {canAct ? <NewKey workspaceId={id} reader={reader} /> : null}
      </>
    )
    return { title: text('keys.title'), main }
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
          <th scope="col" class="lo">
            {text('keys.id')}
          </th>
          <th scope="col">{text('keys.scopes')}</th>
          <th scope="col" class="n">
            {text('keys.used')}
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
        {keys.map(({ id, name, scopes, lastUsedAt, expiresAt }) => (
          <tr>
            <td class="a st tx">{name === '' ? <span class="mono dim">{id}</span> : name}</td>
            <td class="lo">
              <CopiedIdent id={id} label={text('copy.id')} />
            </td>
            <td class="fill tx e xs mono">{scopes.join(', ')}</td>
            <td class="n b">
              <span class="sm-only">{text('keys.used')} </span>
              {lastUsedAt === null ? text('keys.never') : <Moment at={lastUsedAt} reader={reader} />}
            </td>
            <td class="n c">
              <span class="sm-only">{text('links.ends')} </span>
              {expiresAt === null ? text('keys.never') : <Moment at={expiresAt} reader={reader} />}
            </td>
            <td class="n f">
              {canAct ? (
                <form class="row end" method="post" action={link('workspaces', workspaceId, 'keys', id)}>
                  <FormToken reader={reader} />
                  <button class="btn sm" name="do" value="rotate">
                    {text('keys.rotate')}
                  </button>
                  <a class="btn sm danger" href={link('workspaces', workspaceId, 'keys', id)}>
                    {text('keys.revoke')}…
                  </a>
                </form>
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
    <form id="new" class="sec stack form" method="post" action={link('workspaces', workspaceId, 'keys')}>
      <FormToken reader={reader} />
      <h2>{text('keys.new')}</h2>
      <div class="cols">
        <div class="field">
          <label for="name">{text('keys.name')}</label>
          <input id="name" name="name" maxlength={200} />
        </div>
        <div class="field">
          <label for="days">{text('links.ends_after')}</label>
          <select id="days" name="days">
            {LIFETIMES.map(([days, name]) => (
              <option value={days} selected={days === '90'}>
                {text(name)}
              </option>
            ))}
          </select>
        </div>
      </div>
      <fieldset class="stack tight">
        <legend>{text('links.may')}</legend>
        {SCOPES.map((scope) => (
          <label class="check">
            <input type="checkbox" name="scopes" value={scope} checked={DEFAULT_SCOPES.includes(scope)} />
            <span class="mono">{scope}</span>
          </label>
        ))}
      </fieldset>
      <p class="help">{text('keys.help')}</p>
      <div>
        <button class="btn primary">{text('keys.create')}</button>
      </div>
    </form>
  )
}
