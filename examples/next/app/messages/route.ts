import { EngineError, problemResponse } from '@keepsend/engine'
import { webhooks } from '../../lib/keepsend'

/** Commits a message, its webhooks and the answer to the `Idempotency-Key` in one transaction. */
export async function POST(request: Request): Promise<Response> {
  const { engine } = await webhooks()
  const body = await request.text()
  const key = request.headers.get('idempotency-key')
  try {
    const message = { id: crypto.randomUUID(), text: readText(body) }
    const committed = await engine.commit({
      writes: [{ sql: 'insert into messages (id, text) values (?, ?)', params: [message.id, message.text] }],
      events: [{ type: 'message.created', workspaceId: 'w1', data: message }],
      response: { status: 201, body: message },
      ...(key && { idempotencyKey: { key, workspaceId: 'w1', method: 'POST', route: '/messages', body } }),
    })
    const headers = new Headers({ 'content-type': 'application/json' })
    if (committed.replayed) headers.set('idempotency-replayed', 'true')
    return new Response(committed.body, { status: committed.status, headers })
  } catch (error) {
    if (error instanceof EngineError) return problemResponse(error, engine.logger)
    throw error
  }
}

/** @throws {EngineError} `invalid_request`, which is answered with 400 */
function readText(body: string): string {
  try {
    const { text } = JSON.parse(body) as { text?: unknown }
    if (typeof text === 'string') return text
  } catch {
    // Not JSON, or null: refused below.
  }
  throw new EngineError('invalid_request', 'the body must be JSON with a text, such as {"text":"hello"}')
}
