import { EngineError } from '@keepsend/engine'
import type { Reader } from '../../reader/reader.ts'
import { MiddlePage } from '../../site/problem-page.tsx'
import type { Action, Sent, Shown } from '../../site/visit.ts'

export const ENDPOINT_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/:workspace/:id',
    section: 'endpoints',
    async act(sent) {
      const { engine, reader, param, field, by } = sent
      const { endpoints } = engine
      const { link } = reader
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      const forMs = field('for')
      if (verb === 'enable') await endpoints.setStatus(workspaceId, id, 'enabled', { by })
      else if (verb === 'disable') await endpoints.setStatus(workspaceId, id, 'disabled', { by })
      else if (verb === 'pause')
        await endpoints.pause(workspaceId, id, { by, forMs: forMs === undefined ? undefined : Number(forMs) })
      else if (verb === 'resume') await endpoints.resume(workspaceId, id, { by })
      else if (verb === 'probe') return probe(sent)
      else if (verb === 'delete') {
        await endpoints.delete(workspaceId, id, { by })
        return link('endpoints')
      } else
        throw new EngineError(
          'invalid_request',
          `an endpoint can be enabled, disabled, paused, resumed, probed or deleted; found ${verb ?? 'nothing'}`,
        )
      return link('endpoints', workspaceId, id)
    },
  },
]

/** Sends one held delivery now: while the circuit is open, that is its probe. */
async function probe({ engine, reader, param, by }: Sent): Promise<string | Shown> {
  const { link } = reader
  const [workspaceId, endpointId] = [param('workspace'), param('id')]
  const { rows } = await engine.deliveries.list(workspaceId, { endpointId, status: 'held', limit: 1 })
  const [held] = rows
  if (!held) return nothingToProbe(link('endpoints', workspaceId, endpointId), reader)
  await engine.deliveries.retryNow(workspaceId, held.id, { by })
  return link('endpoints', workspaceId, endpointId)
}

function nothingToProbe(back: string, { text }: Reader): Shown {
  const title = text('refused.title')
  const way = (
    <a class="btn primary" href={back}>
      {text('back')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>{text('endpoint.nothing_to_probe')}</p>
    </MiddlePage>
  )
  return { title, main, status: 409 }
}
