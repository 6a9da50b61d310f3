import { Hono } from 'hono'
import { webhooks } from '../../../lib/keepsend'

async function handle(request: Request): Promise<Response> {
  const { engine } = await webhooks()
  return new Hono().route('/webhooks', engine.routes).fetch(request)
}

export { handle as GET, handle as POST, handle as PUT, handle as PATCH, handle as DELETE }
