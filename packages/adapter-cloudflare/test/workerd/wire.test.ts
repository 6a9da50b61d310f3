// Requests on the wire, from D1 and a queue to a server that verifies them.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, it } from 'vitest'
import { metered } from './metered.ts'
import { fates, rig } from './rig.ts'

const OLD = 'the-secret-of-the-old-sender'
const BODIES = [
  { body: '\ufeff<é a="?">\r\n</é>', contentType: 'text/xml; charset=utf-8' },
  { body: '', contentType: 'text/plain' },
  { body: '{ "id":12345678901234567890 }', contentType: 'application/json' },
  { body: 'é'.repeat(131_072), contentType: 'application/x-ndjson' },
]

/** In hex, by WebCrypto alone. */
async function hmac(secret: string, body: string): Promise<string> {
  const encoder = new TextEncoder()
  const algorithm = { name: 'HMAC', hash: 'SHA-256' }
  const key = await crypto.subtle.importKey('raw', encoder.encode(secret), algorithm, false, ['sign'])
  const bytes = new Uint8Array(await crypto.subtle.sign('HMAC', key, encoder.encode(body)))
  return [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('')
}

it('raw bodies, an older signature and the type in a header arrive from D1, for two written rows each', async () => {
  const meter = metered(env.DB)
  const { addEndpoint, engine, consume, rows } = await rig({ wrap: () => fromD1(meter.d1) })
  const hook = await addEndpoint(
    { status: 200 },
    {
      compatSignature: { header: 'x-hub-signature-256', format: 'sha256', secret: OLD },
      eventTypeHeader: 'x-acme-event',
    },
  )
  for (const raw of BODIES) {
    meter.read()
    const told: Promise<void>[] = []
    const event = { type: 'order.placed', workspaceId: 'w', raw }
    await engine.commit({ writes: [], events: [event], background: (work) => void told.push(work) })
    await Promise.all(told)
    expect(meter.read().rowsWritten).toBe(1)
    expect(fates(await consume())).toEqual(['ack'])
    expect(meter.read().rowsWritten).toBe(1)
    const { body, headers, verified } = (await hook.arrivals()).at(-1) ?? {}
    expect({ body, verified }).toEqual({ body: raw.body, verified: true })
    expect(headers).toMatchObject({
      'content-type': raw.contentType,
      'x-acme-event': 'order.placed',
      'x-hub-signature-256': `sha256=${await hmac(OLD, raw.body)}`,
    })
  }
  expect(await rows()).toEqual([])
})

it('a raw body that D1 refuses travels in its message, and is sent unchanged', async () => {
  let isDown = false
  const { addEndpoint, engine, consume, sent } = await rig({
    wrap: (db) => ({
      ...db,
      atomic: (statements) => (isDown ? Promise.reject(new Error('D1_ERROR: down')) : db.atomic(statements)),
      run: (statement) => (isDown ? Promise.reject(new Error('D1_ERROR: down')) : db.run(statement)),
    }),
  })
  const hook = await addEndpoint({ status: 200 })
  const [raw] = BODIES
  if (!raw) return
  isDown = true
  const told: Promise<void>[] = []
  const event = { type: 'order.placed', workspaceId: 'w', raw }
  expect(await engine.publish(event, (work) => void told.push(work))).toMatchObject({ accepted: false })
  await Promise.all(told)
  isDown = false
  expect(sent).toMatchObject([{ body: { raw } }])
  expect(fates(await consume())).toEqual(['ack'])
  expect(fates(await consume())).toEqual(['ack'])
  expect(await hook.arrivals()).toMatchObject([
    { body: raw.body, verified: true, headers: { 'content-type': raw.contentType } },
  ])
})
