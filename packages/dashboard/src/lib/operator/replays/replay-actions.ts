import { EngineError } from '@keepsend/engine'
import type { Action } from '../../site/visit.ts'
import { inputOf } from './replay-form.ts'

export const REPLAY_ACTIONS: readonly Action[] = [
  {
    path: '/replays',
    section: 'replays',
    async act({ engine, reader, field, by }) {
      const job = await engine.replays.create(field('workspace') ?? '', inputOf(field), { by })
      return reader.link('replays', job.id)
    },
  },
  {
    path: '/replays/:workspace/:id',
    section: 'replays',
    async act({ engine: { replays }, reader, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'pause') await replays.pause(workspaceId, id, { by })
      else if (verb === 'resume') await replays.resume(workspaceId, id, { by })
      else if (verb === 'cancel') await replays.cancel(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a replay can be paused, resumed or cancelled; found ${verb ?? 'nothing'}`,
        )
      return reader.link('replays', id)
    },
  },
]
