import { z } from '@hono/zod-openapi'
import { AUDIT_VERBS } from '../audit-verbs.ts'
import { id, time } from './schemas.ts'
import { workspaceShown } from './workspace-scope.ts'

export const auditSchema = z
  .object({
    id: id('action'),
    at: time,
    by: z
      .string()
      .nullable()
      .openapi({ description: 'The API key, or the name that the host gave; null: none was given' }),
    verb: z.enum(AUDIT_VERBS),
    endpointId: z.string().nullable(),
    deliveryId: z.string().nullable(),
    problemId: z.string().nullable(),
    replayId: z.string().nullable(),
    erasureId: z.string().nullable(),
    apiKeyId: z.string().nullable(),
    newApiKeyId: z.string().nullable().openapi({ description: 'The key that a rotation made' }),
    portalLinkId: z.string().nullable(),
    ...workspaceShown,
  })
  .openapi('AuditEntry')
