import type { PlainKey } from '../../language/text.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { findEndpoint } from './find-endpoint.ts'
import { heldOf } from './held-of.ts'

/** Confirmations of changes that an endpoint does not take back by itself; a GET changes nothing. */
export const endpointConfirmations: readonly Page[] = [
  confirmation('disable', {
    title: 'disable.title',
    effects: ['disable.then', 'disable.later', 'disable.seen'],
    verb: 'disable.verb',
  }),
  confirmation('delete', {
    title: 'delete.title',
    effects: ['delete.then', 'delete.secrets', 'delete.history'],
    verb: 'delete.verb',
  }),
]

function confirmation(
  action: 'disable' | 'delete',
  { title, effects, verb }: { title: PlainKey; effects: readonly PlainKey[]; verb: PlainKey },
): Page {
  return {
    path: `/endpoints/:workspace/:id/${action}`,
    section: 'endpoints',
    async show(visit) {
      const { engine, reader } = visit
      const { text, link } = reader
      const { workspaceId, endpoint } = await findEndpoint(visit)
      const { count, isMore } = await heldOf(engine, endpoint)
      const here = link('endpoints', workspaceId, endpoint.id)
      const main = (
        <form class="page-mid" method="post" action={here}>
          <FormToken reader={reader} />
          <h1>{text(title)}</h1>
          <p>
            {text.rich('confirm.endpoint', { url: <span class="mono">{endpoint.url}</span>, workspace: workspaceId })}
          </p>
          <ul class="list plain-list">
            <li>{text(isMore ? 'confirm.held_more' : 'confirm.held', { n: count })}</li>
            {effects.map((effect) => (
              <li>{text(effect)}</li>
            ))}
            {action === 'delete' ? (
              <li>
                {text.rich('delete.instead', {
                  disable: (
                    <a class="link" href={link('endpoints', workspaceId, endpoint.id, 'disable')}>
                      {text('delete.disable_it')}
                    </a>
                  ),
                })}
              </li>
            ) : null}
          </ul>
          <div class="row">
            <button class={action === 'delete' ? 'btn danger primary' : 'btn primary'} name="do" value={action}>
              {text(verb)}
            </button>
            <a class="btn" href={here}>
              {text('confirm.keep')}
            </a>
          </div>
        </form>
      )
      return { title: text(title), main }
    },
  }
}
