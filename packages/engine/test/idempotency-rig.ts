import type { OutboxDatabase } from '@keepsend/outbox'
import { Hono } from 'hono'
import { commitWithEvents, keepsend } from '../src/index.ts'
import { type Rig, rig, signal } from './rig.ts'

export interface Apps extends Rig {
  post: (path: string, body: string, idempotencyKey?: string, method?: string) => Promise<Response>
  /** Expires every mark. */
  expire: () => Promise<void>
}

/** An app with the engine's routes and a route of the host, both of which publish, and one endpoint. */
export async function apps(options: Parameters<typeof rig>[0] = {}): Promise<Apps> {
  const made = await rig(options)
  await made.addEndpoint()
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
  const app = new Hono()
  app.use(keepsend(made.engine))
  app.route('/webhooks', made.engine.routes)
  let writes = 0
  app.on(['POST', 'PUT'], '/rooms/:workspace/:room', async (c) => {
    const { text = '' } = await c.req.json<{ text?: string }>()
    const id = `m${++writes}`
    return commitWithEvents(c, {
      writes: [{ sql: 'insert into messages (id, text) values (?, ?)', params: [id, text] }],
      events: [{ type: 'message.created', workspaceId: c.req.param('workspace'), data: { id, text } }],
      response: { status: 201, body: { id, text } },
    })
  })
  const post = async (path: string, body: string, idempotencyKey?: string, method = 'POST') =>
    app.request(path, {
      method,
      body,
      headers: {
        'content-type': 'application/json',
        authorization: `Bearer ${key}`,
        ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
      },
    })
  const expire = () => made.exec('update keepsend_idempotency_marks set expires_at = 0')
  return { ...made, post, expire }
}

/** A database whose transactions wait, once armed, until it is opened. */
export function gated() {
  const arrived = [signal(), signal()] as const
  const open = signal()
  let waiting: number | undefined
  const wrap = (db: OutboxDatabase): OutboxDatabase => ({
    ...db,
    run: (statement) => db.run(statement),
    async atomic(statements) {
      if (waiting !== undefined && statements.length > 1) {
        arrived[waiting++]?.resolve()
        await open.promise
      }
      return db.atomic(statements)
    },
  })
  const arm = () => {
    waiting = 0
  }
  return { wrap, arm, arrived, open }
}

/** The header that marks an answer as replayed. */
export const replayed = (response: Response) => response.headers.get('idempotency-replayed')
