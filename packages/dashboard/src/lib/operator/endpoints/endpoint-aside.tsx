import type { AuditEntry, Endpoint } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import type { Reader } from '../../reader/reader.ts'
import { EndpointFacts } from './endpoint-facts.tsx'

/** The settings of an endpoint, how its requests are signed, and its latest actions. */
export function EndpointAside({
  endpoint,
  actions,
  reader,
}: {
  endpoint: Endpoint
  actions: readonly AuditEntry[]
  reader: Reader
}) {
  const { text, link, canAct } = reader
  const { workspaceId, id, signatures, compatHeader, auth, tls } = endpoint
  const none = <span class="dim">{text('none')}</span>
  return (
    <aside aria-label={text('delivery.facts')}>
      <div class="sec stack">
        <div class="row between">
          <h2>{text('endpoint.settings')}</h2>
          {canAct ? (
            <a class="btn sm" href={link('endpoints', workspaceId, id, 'edit')}>
              <Icon name="edit" />
              {text('endpoint.edit')}
            </a>
          ) : null}
        </div>
        <EndpointFacts endpoint={endpoint} reader={reader} />
      </div>
      <div class="sec stack">
        <div class="row between">
          <h2>{text('endpoint.signing')}</h2>
          <a class="btn sm" href={link('endpoints', workspaceId, id, 'secrets')}>
            <Icon name="key" />
            {text('endpoint.secrets')}
          </a>
        </div>
        <dl class="facts">
          <dt>{text('fact.signed')}</dt>
          <dd class="mono">{[...signatures, ...(compatHeader === null ? [] : [compatHeader])].join(', ')}</dd>
          <dt>{text('fact.auth')}</dt>
          <dd>{auth === null ? none : <span class="mono">{auth.type}</span>}</dd>
          <dt>TLS</dt>
          <dd>{tls === null ? text('default') : text('endpoint.own_tls')}</dd>
        </dl>
      </div>
      <div class="sec stack">
        <h2>{text('endpoint.actions')}</h2>
        {actions.length === 0 ? (
          <p class="dim">{text('endpoint.no_actions')}</p>
        ) : (
          <ul class="list">
            {actions.map(({ verb, by, at }) => (
              <li>
                <span class="mono">{verb}</span>
                <span class="sub nw">
                  {by ?? '–'}, <Moment at={at} reader={reader} />
                </span>
              </li>
            ))}
          </ul>
        )}
      </div>
    </aside>
  )
}
