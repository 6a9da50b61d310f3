import { EngineError } from '@keepsend/engine'
import type { Action } from '../../site/visit.ts'

export const PROBLEM_ACTIONS: readonly Action[] = [
  {
    path: '/problems/:workspace/:id',
    section: 'problems',
    async act({ engine, reader, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'acknowledge') await engine.problems.acknowledge(workspaceId, id, { by })
      else if (verb === 'resolve') await engine.problems.resolve(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a problem can be acknowledged or resolved; found ${verb ?? 'nothing'}`,
        )
      return reader.link('problems')
    },
  },
]
