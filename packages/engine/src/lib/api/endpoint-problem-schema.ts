import { z } from '@hono/zod-openapi'
import { ERROR_CLASS_NAMES } from '../error-classes.ts'
import { PROBLEM_STATES } from '../problems/endpoint-problem.ts'
import { count, id, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

export const endpointProblemSchema = z
  .object({
    id: id('problem'),
    endpointId: z.string(),
    errorClass: z.enum(ERROR_CLASS_NAMES),
    httpStatus: z.int().nullable().openapi({ description: 'null: there was no answer' }),
    explanation: z.string().nullable().openapi({ description: 'What happened, and the most likely fix' }),
    state: z.enum(PROBLEM_STATES).openapi({
      description:
        '`resolved`: by a person, or because no attempt has failed for 24 hours; the next failure opens it again',
    }),
    stateSince: time,
    acknowledgedBy: z.string().nullable(),
    opened: z.int().openapi({ description: 'How often it opened', minimum: 1 }),
    firstSeenAt: time.openapi({ description: 'The first failure since it opened last' }),
    lastSeenAt: time,
    attempts: count.openapi({ description: 'Failed attempts, since it opened first' }),
    deliveries: count.openapi({ description: 'Failed attempts whose delivery had another error before, or none' }),
    lastError: z.string(),
    lastDeliveryId: z.string(),
    ...workspaceShown,
  })
  .openapi('EndpointProblem')
