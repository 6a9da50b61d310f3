import { z } from '@hono/zod-openapi'
import { count } from './schemas.ts'

export const workspaceSchema = z
  .object({
    id: z.string().openapi({ description: 'The id of the workspace' }),
    endpoints: z
      .object({ enabled: count, disabled: count })
      .openapi({ description: 'Its endpoints by status, of the first 1,000' }),
  })
  .openapi('Workspace')
