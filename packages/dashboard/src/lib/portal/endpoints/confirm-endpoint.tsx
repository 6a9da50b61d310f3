import { EngineError } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { countDeliveries, showCount } from '../../endpoint/count-deliveries.ts'
import type { PlainKey } from '../../language/text.ts'
import { breakable } from '../../parts/breakable.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { pageNeeding } from '../not-allowed.tsx'
import type { PortalAction, PortalPage, PortalVisit } from '../portal-visit.ts'
import { isDisabledBySender } from './who-disabled.ts'

const NEEDS = 'endpoints:write'

/** Confirmations of what an endpoint does not take back by itself. */
export const endpointConfirmations: readonly PortalPage[] = [
  confirmation('disable', { title: 'disable.title', verb: 'portal.disable', keep: 'portal.keep_enabled' }, disabling),
  confirmation('delete', { title: 'delete.title', verb: 'portal.delete', keep: 'portal.keep' }, deleting),
]

export const ENDPOINT_STATE_ACTIONS: readonly PortalAction[] = [
  {
    path: '/endpoints/:id/disable',
    needs: NEEDS,
    async act({ engine, reader, workspaceId, param, by }) {
      await engine.endpoints.setStatus(workspaceId, param('id'), 'disabled', { by })
      return reader.link('endpoints', param('id'))
    },
  },
  {
    path: '/endpoints/:id/enable',
    needs: NEEDS,
    async act(sent) {
      const { engine, reader, workspaceId, param, sender, by } = sent
      const endpoint = await engine.endpoints.get(workspaceId, param('id'))
      if (await isDisabledBySender(sent, endpoint))
        throw new EngineError('conflict', reader.text('portal.ask_to_enable', { sender }))
      await engine.endpoints.setStatus(workspaceId, endpoint.id, 'enabled', { by })
      return reader.link('endpoints', endpoint.id)
    },
  },
  {
    path: '/endpoints/:id/delete',
    needs: NEEDS,
    async act({ engine, reader, workspaceId, param, by }) {
      await engine.endpoints.delete(workspaceId, param('id'), { by })
      return reader.link()
    },
  },
]

function confirmation(
  action: 'disable' | 'delete',
  { title, verb, keep }: Record<'title' | 'verb' | 'keep', PlainKey>,
  consequences: (visit: PortalVisit, id: string) => Promise<Child[]>,
): PortalPage {
  return pageNeeding(NEEDS, {
    path: `/endpoints/:id/${action}`,
    section: 'endpoints',
    async show(visit) {
      const { engine, reader, workspaceId } = visit
      const { text, link } = reader
      const { id, url } = await engine.endpoints.get(workspaceId, visit.param('id'))
      const sentences = await consequences(visit, id)
      const main = (
        <form class="page-mid" method="post" action={link('endpoints', id, action)}>
          <FormToken reader={reader} />
          <h1>{text(title)}</h1>
          <p>
            <span class="mono">{breakable(url)}</span>
          </p>
          <ul class="list plain-list">
            {sentences.map((sentence) => (
              <li>{sentence}</li>
            ))}
          </ul>
          <div class="row">
            <button class={action === 'delete' ? 'btn primary danger' : 'btn primary'}>{text(verb)}</button>
            <a class="btn" href={link('endpoints', id, 'settings')}>
              {text(keep)}
            </a>
          </div>
        </form>
      )
      return { title: text(title), main }
    },
  })
}

async function disabling({ engine, workspaceId, sender, reader }: PortalVisit, endpointId: string): Promise<Child[]> {
  const { text } = reader
  const [pending, failed] = await Promise.all([
    countDeliveries(engine, workspaceId, { endpointId, status: 'pending' }),
    countDeliveries(engine, workspaceId, { endpointId, status: 'failed' }),
  ])
  return [
    text('portal.disable_stops', { sender }),
    text('portal.disable_holds'),
    ...(pending.n === 0 ? [] : [text('portal.disable_pending', { n: pending.n, count: showCount(pending, reader) })]),
    ...(failed.n === 0 ? [] : [text('portal.disable_failed', { n: failed.n, count: showCount(failed, reader) })]),
  ]
}

async function deleting({ engine, workspaceId, sender, reader }: PortalVisit, endpointId: string): Promise<Child[]> {
  const { text, link } = reader
  const [pending, held] = await Promise.all([
    countDeliveries(engine, workspaceId, { endpointId, status: 'pending' }),
    countDeliveries(engine, workspaceId, { endpointId, status: 'held' }),
  ])
  const { status } = await engine.endpoints.get(workspaceId, endpointId)
  const off = <a href={link('endpoints', endpointId, 'disable')}>{text('portal.disable_it')}</a>
  return [
    text('portal.delete_stops', { sender }),
    ...(pending.n === 0 ? [] : [text('portal.delete_pending', { n: pending.n, count: showCount(pending, reader) })]),
    ...(held.n === 0 ? [] : [text('portal.delete_held', { n: held.n, count: showCount(held, reader) })]),
    text('portal.delete_secret'),
    ...(status === 'disabled' ? [] : [<>{text.rich('portal.delete_milder', { link: off })}</>]),
  ]
}
