import type { Endpoint } from '@keepsend/engine'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import type { Shown } from '../../site/visit.ts'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalVisit } from '../portal-visit.ts'
import { type PortalTyped, portalInputOf, portalTypedIn, portalTypedOf, problemsOf } from './endpoint-fields.ts'
import { EndpointForm, type FormState, statusOf } from './endpoint-form.tsx'
import { EndpointHead, SendTestLink } from './endpoint-head.tsx'
import { refused } from './endpoint-new.tsx'
import { changedFilter } from './filter-typed.ts'
import { isDisabledBySender } from './who-disabled.ts'
import { WhatItDoes } from './what-it-does.tsx'

const PATH = '/endpoints/:id/settings'

export const portalSettingsPage = pageNeeding('endpoints:write', {
  path: PATH,
  section: 'endpoints',
  async show(visit) {
    const endpoint = await visit.engine.endpoints.get(visit.workspaceId, visit.param('id'))
    return settingsForm(visit, endpoint, { typed: portalTypedOf(endpoint) })
  },
})

export const portalSettingsAction: PortalAction = {
  path: PATH,
  needs: 'endpoints:write',
  async act(sent) {
    const { engine, reader, workspaceId, by } = sent
    const endpoint = await engine.endpoints.get(workspaceId, sent.param('id'))
    const typed = portalTypedIn(sent)
    const filter = changedFilter(typed.filter, sent.field('do') ?? '')
    if (filter) return settingsForm(sent, endpoint, { typed: { ...typed, filter } })
    const problems = new Map(problemsOf(typed, engine, reader))
    if (!problems.has('url') && takesCredentialsAway(typed, endpoint))
      problems.set('url', reader.text('portal.url_credentials_stay', { sender: sent.sender }))
    if (problems.size > 0) return settingsForm(sent, endpoint, { typed, problems })
    try {
      const ifVersion = Number(sent.field('if-version'))
      await engine.endpoints.update(workspaceId, endpoint.id, portalInputOf(typed), { by, ifVersion })
      return reader.link('endpoints', endpoint.id, 'settings', { saved: 1 })
    } catch (error) {
      return settingsForm(sent, await engine.endpoints.get(workspaceId, endpoint.id), refused(error, typed, sent))
    }
  },
}

/**
 * Whether another host would get what only the one of now may have. Headers and credentials are encrypted and never shown; to whoever
 * could change the host they would be sent.
 */
function takesCredentialsAway({ url }: PortalTyped, endpoint: Endpoint): boolean {
  const hasAny = endpoint.auth !== null || endpoint.headerNames.length > 0
  return hasAny && new URL(url.trim()).origin !== new URL(endpoint.url).origin
}

async function settingsForm(visit: PortalVisit, endpoint: Endpoint, state: FormState): Promise<Shown> {
  const { reader } = visit
  const { text, link } = reader
  const status = statusOf(state)
  const main = (
    <>
      <EndpointHead
        endpoint={endpoint}
        current="settings"
        visit={visit}
        actions={<SendTestLink endpoint={endpoint} visit={visit} />}
      />
      {visit.query('saved') === undefined || status !== undefined ? null : (
        <div class="note delivered" role="status">
          <Icon name="check" />
          <div>
            <h2>{text('portal.saved')}</h2>
          </div>
        </div>
      )}
      <div class="split">
        <div class="stack big-gap">
          <EndpointForm
            state={state}
            endpoint={endpoint}
            action={link('endpoints', endpoint.id, 'settings')}
            back={link('endpoints', endpoint.id)}
            visit={visit}
          />
          <Ends endpoint={endpoint} isBySender={await isDisabledBySender(visit, endpoint)} visit={visit} />
        </div>
        <WhatItDoes endpoint={endpoint} visit={visit} />
      </div>
    </>
  )
  return { title: text('portal.settings'), main, status }
}

/** Disabling or enabling, and deleting. */
function Ends({
  endpoint: { id, status },
  isBySender,
  visit: { reader, sender },
}: {
  endpoint: Endpoint
  isBySender: boolean
  visit: PortalVisit
}) {
  const { text, link } = reader
  return (
    <section class="panel" aria-labelledby="h-stop">
      {status === 'enabled' ? (
        <div class="sec row between">
          <div class="grow">
            <h2 id="h-stop">{text('endpoint.disable')}</h2>
            <p class="dim">{text('portal.disable_what')}</p>
          </div>
          <a class="btn" href={link('endpoints', id, 'disable')}>
            {text('endpoint.disable')}…
          </a>
        </div>
      ) : (
        <form class="sec row between" method="post" action={link('endpoints', id, 'enable')}>
          <FormToken reader={reader} />
          <div class="grow">
            <h2 id="h-stop">{text('endpoint.enable')}</h2>
            <p class="dim">{text(isBySender ? 'portal.ask_to_enable' : 'portal.enable_what', { sender })}</p>
          </div>
          {isBySender ? null : <button class="btn">{text('endpoint.enable')}</button>}
        </form>
      )}
      <div class="sec row between">
        <div class="grow">
          <h2>{text('endpoint.delete')}</h2>
          <p class="dim">{text('portal.delete_what')}</p>
        </div>
        <a class="btn danger" href={link('endpoints', id, 'delete')}>
          {text('endpoint.delete')}…
        </a>
      </div>
    </section>
  )
}
