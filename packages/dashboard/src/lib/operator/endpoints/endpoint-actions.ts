import { EngineError } from '@keepsend/engine'
import type { Action } from '../../site/visit.ts'

export const ENDPOINT_ACTIONS: readonly Action[] = [
  {
    path: '/endpoints/:workspace/:id',
    section: 'endpoints',
    async act({ engine: { endpoints }, reader: { link }, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'enable') await endpoints.setStatus(workspaceId, id, 'enabled', { by })
      else if (verb === 'disable') await endpoints.setStatus(workspaceId, id, 'disabled', { by })
      else if (verb === 'pause') await endpoints.pause(workspaceId, id, { by })
      else if (verb === 'resume') await endpoints.resume(workspaceId, id, { by })
      else if (verb === 'delete') {
        await endpoints.delete(workspaceId, id, { by })
        return link('endpoints')
      } else
        throw new EngineError(
          'invalid_request',
          `an endpoint can be enabled, disabled, paused, resumed or deleted; found ${verb ?? 'nothing'}`,
        )
      return link('endpoints', workspaceId, id)
    },
  },
]
