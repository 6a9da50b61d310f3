// Requests on the wire, from publish to a server that verifies them, on each database of the poller.
import { createHmac } from 'node:crypto'
import type { EndpointInput, WebhookEvent } from '@keepsend/engine'
import { expect, it } from 'vitest'
import { postgresRig } from './postgres-rig.ts'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, rig, until } from './rig.ts'

const OLD = 'the-secret-of-the-old-sender'
const LEGACY: Partial<EndpointInput> = {
  compatSignature: { header: 'x-hub-signature-256', format: 'sha256', secret: OLD },
  eventTypeHeader: 'x-acme-event',
}
const BODIES = [
  { body: '\ufeff<é a="?">\r\n</é>', contentType: 'text/xml; charset=utf-8' },
  { body: '', contentType: 'text/plain' },
  { body: '{ "id":12345678901234567890 }', contentType: 'application/json' },
  { body: 'é'.repeat(131_072), contentType: 'application/x-ndjson' },
]

it.each([
  ['SQLite', rig],
  ['Postgres', postgresRig],
] as const)(
  'raw bodies, an older signature and the type in a header arrive from %s',
  { timeout: PATIENCE_MS },
  async (_, open) => {
    const { engine, queue, addEndpoint, rows } = await open()
    const receiver = await startReceiver((request) => request.answer(200))
    const { secret } = await addEndpoint(receiver.url, LEGACY)
    const events: WebhookEvent[] = BODIES.map((raw) => ({ type: 'order.placed', workspaceId: 'w', raw }))
    events.push({ type: 'order.placed', workspaceId: 'w', data: { n: 1 } })
    await engine.commit({ writes: [], events })
    await queue.start(engine)
    await until(() => receiver.requests.length === events.length)
    receiver.verifyAll(secret)
    for (const raw of BODIES) {
      const signature = createHmac('sha256', OLD).update(raw.body).digest('hex')
      expect(receiver.requests).toContainEqual(
        expect.objectContaining({
          body: raw.body,
          headers: expect.objectContaining({
            'content-type': raw.contentType,
            'content-length': String(Buffer.byteLength(raw.body)),
            'x-acme-event': 'order.placed',
            'x-hub-signature-256': `sha256=${signature}`,
          }),
        }),
      )
    }
    await queue.stop()
    expect(await rows()).toEqual([])
  },
)
