import type { PlainKey } from '../../language/text.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { findEndpoint } from './find-endpoint.ts'

/** Confirmations of what an endpoint does not take back by itself; a GET changes nothing. */
export const endpointConfirmations: readonly Page[] = [
  confirmation('disable', { title: 'disable.title', effect: 'disable.then', verb: 'endpoint.disable' }),
  confirmation('delete', { title: 'delete.title', effect: 'delete.then', verb: 'endpoint.delete' }),
]

function confirmation(
  action: 'disable' | 'delete',
  { title, effect, verb }: Record<'title' | 'effect' | 'verb', PlainKey>,
): Page {
  return {
    path: `/endpoints/:workspace/:id/${action}`,
    section: 'endpoints',
    async show(visit) {
      const { engine, reader } = visit
      const { text, link } = reader
      const { workspaceId, endpoint } = await findEndpoint(visit)
      const waiting = await engine.deliveries.list(workspaceId, {
        endpointId: endpoint.id,
        status: 'held',
        limit: 1000,
      })
      const count = waiting.rows.length
      const main = (
        <form class="page-mid" method="post" action={link('endpoints', workspaceId, endpoint.id)}>
          <FormToken reader={reader} />
          <h1>{text(title)}</h1>
          <p class="mono">{endpoint.url}</p>
          <p>{text(effect)}</p>
          <p>
            {waiting.next === undefined ? text('confirm.held', { n: count }) : text('confirm.held_more', { n: count })}
          </p>
          <div class="row">
            <button class="btn danger primary" name="do" value={action}>
              {text(verb)}
            </button>
            <a class="btn" href={link('endpoints', workspaceId, endpoint.id)}>
              {text('back')}
            </a>
          </div>
        </form>
      )
      return { title: text(title), main }
    },
  }
}
