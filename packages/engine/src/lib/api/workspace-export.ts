import { z } from '@hono/zod-openapi'
import type { EngineRoutes } from '../engine-routes.ts'
import { MAX_EXPORT_POSITION } from '../export/export-position.ts'
import { lineOf } from '../export/export-workspace.ts'
import { EngineError } from '../errors.ts'
import { utf8 } from '../formats/encoding.ts'
import { type Logger, errorFields } from '../logger.ts'
import { MAX_WORKSPACE_ID } from '../workspace-id.ts'
import * as bounded from './bounded.ts'
import { type RouteEngine, defineRoute, newRoutes } from './route.ts'

const NDJSON: string = 'application/x-ndjson'

const exported = defineRoute(
  'workspaces:export',
  {
    method: 'get',
    path: '/workspaces/{id}/export',
    operationId: 'exportWorkspace',
    tags: ['Workspaces'],
    summary: 'Export everything that is stored of a workspace',
    description:
      'For operators. One JSON object a line, without secrets and keys. The last line is of kind `end`; after any other, ask again with the `after` of the last line of kind `cursor`, and ignore the lines behind that.',
    request: {
      params: z.object({
        id: z.string().min(1).max(MAX_WORKSPACE_ID).openapi({ description: 'The id of the workspace' }),
      }),
      query: z.strictObject({
        since: bounded.isoTime.optional().openapi({ description: 'At this time or later' }),
        until: bounded.isoTime.optional().openapi({ description: 'Before this time' }),
        after: z.string().max(MAX_EXPORT_POSITION).optional().openapi({ description: 'Continues an export' }),
      }),
    },
    responses: {
      200: {
        description: 'The lines',
        content: {
          [NDJSON]: {
            schema: z.string().openapi('ExportLines'),
            example: '{"kind":"endpoint","id":"ep_…"}\n{"kind":"end","counts":{…}}\n',
          },
        },
      },
    },
  },
  { problems: ['not_retained'] },
)

export function workspaceExportRoutes(engine: RouteEngine): EngineRoutes {
  const app = newRoutes()

  app.openapi(exported, async (c) => {
    const { since, until, after } = c.req.valid('query')
    const times = { since: bounded.msOf(since), until: bounded.msOf(until) }
    const lines = engine.export(c.req.valid('param').id, { ...times, after })
    // Before the answer begins: an error is a problem document still.
    const first = await lines.next()
    return c.body(streamOf(first, lines, engine.logger), 200, { 'content-type': NDJSON })
  })

  return app
}

type Lines = AsyncGenerator<string, void, undefined>

/** Each line is read when the client has taken the one before; when it goes away, the reads end. */
function streamOf(
  first: IteratorResult<string, void>,
  lines: Lines,
  logger: Pick<Logger, 'error'>,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let next: Promise<IteratorResult<string, void>> | undefined = Promise.resolve(first)
  return new ReadableStream(
    {
      async pull(controller) {
        try {
          const { value } = await (next ?? lines.next())
          next = undefined
          if (value === undefined) controller.close()
          else controller.enqueue(utf8(value))
        } catch (error) {
          logger.error(errorFields(error), 'an export ended early')
          controller.enqueue(
            utf8(lineOf({ kind: 'error', code: error instanceof EngineError ? error.code : 'internal' })),
          )
          controller.close()
        }
      },
      cancel: async () => void (await lines.return()),
    },
    { highWaterMark: 0 },
  )
}
