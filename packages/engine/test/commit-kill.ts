import type { CommitOptions } from '../src/index.ts'

/** The request that is killed and repeated: a write, an event, an idempotency key. */
export function killRequest(): CommitOptions {
  const write = (id: string) => ({ sql: 'insert into messages (id, text) values (?, ?)', params: [id, 'hello'] })
  const event = (type: string) => ({ type, workspaceId: 'w1', data: {} })
  return {
    writes: [write('m1')],
    events: [event('message.created')],
    response: { status: 201, body: { id: 'm1' } },
    idempotencyKey: { key: 'k1', workspaceId: 'w1', method: 'POST', route: '/messages', body: '{}' },
  }
}
