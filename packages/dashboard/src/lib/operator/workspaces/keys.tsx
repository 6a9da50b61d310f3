import { type ApiKey, DEFAULT_SCOPES, SCOPES } from '@keepsend/engine'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'

export function Keys({ keys, workspaceId, reader }: { keys: readonly ApiKey[]; workspaceId: string; reader: Reader }) {
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
            <td class="n f">
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

export function NewKey({ workspaceId, reader }: { workspaceId: string; reader: Reader }) {
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
            <input type="checkbox" name="scopes" value={scope} checked={DEFAULT_SCOPES.includes(scope)} />
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
