import { EngineError, problemResponse } from '@keepsend/engine'
import { webhooks } from '../../lib/keepsend'

export async function POST(request: Request): Promise<Response> {
  const { engine } = await webhooks()
  const body = await request.text()
  const message = { id: crypto.randomUUID(), text: String(JSON.parse(body).text) }
  const key = request.headers.get('idempotency-key')
  try {
    const committed = await engine.commit({
      writes: [{ sql: 'insert into messages (id, text) values (?, ?)', params: [message.id, message.text] }],
      events: [{ type: 'message.created', workspaceId: 'w1', data: message }],
      response: { status: 201, body: message },
      ...(key && { idempotencyKey: { key, workspaceId: 'w1', method: 'POST', route: '/messages', body } }),
    })
    return new Response(committed.body, { status: committed.status, headers: { 'content-type': 'application/json' } })
  } catch (error) {
    if (error instanceof EngineError) return problemResponse(error, engine.logger)
    throw error
  }
}
