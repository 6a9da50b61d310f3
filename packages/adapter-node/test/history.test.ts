// History with the real poller and sender: what it records of each exchange, and what it costs in statements.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { newEventId } from '@keepsend/outbox'
import { expect, it, onTestFinished } from 'vitest'
import { createUndiciSender } from '../src/index.ts'
import { startNameServer } from './name-server.ts'
import { startReceiver } from './receiver.ts'
import { LOOPBACK, rig, until } from './rig.ts'
import { startTlsReceiver } from './tls-receiver.ts'

it('records each attempt of a poller, with the steps of its exchange and its response', async () => {
  const made = await rig({ engine: { history: true, urlPolicy: LOOPBACK, retrySchedule: [0.1] } })
  let refused = 0
  const receiver = await startReceiver((request) => {
    const isRefused = refused++ < 3
    setTimeout(() => request.answer(isRefused ? 500 : 200, isRefused ? 'no' : 'ok', { 'x-why': 'full' }), 20)
  })
  await made.addEndpoint(receiver.url)
  await made.publish(50)
  await made.queue.start(made.engine)
  await until(() => made.rows().length === 0)
  const { rows } = await made.engine.attempts.list('w', { limit: 1000 })
  expect(rows.filter(({ outcome }) => outcome === 'delivered')).toHaveLength(50)
  expect(rows).toHaveLength(53)
  const failed = rows.filter(({ outcome }) => outcome === 'retry')
  expect(failed[0]).toMatchObject({ httpStatus: 500, body: 'no', headers: { 'x-why': 'full' }, number: 1 })
  for (const { connectUs, firstByteUs, totalUs } of rows) {
    expect(connectUs).toBeGreaterThanOrEqual(0)
    expect(firstByteUs).toBeGreaterThan(connectUs ?? Infinity)
    expect(totalUs).toBeGreaterThanOrEqual(firstByteUs ?? Infinity)
  }
  expect(made.log.messages.filter((line) => line.includes('failed to record'))).toEqual([])
  // In the transactions of the settles: no statement of its own commits.
  const inserts = made.statements.filter((sql) => sql.startsWith('insert into keepsend_attempts'))
  expect(inserts.length).toBeGreaterThan(0)
  expect(inserts.length).toBeLessThanOrEqual(rows.length)
})

it('records an attempt without an answer by its error, without a time of a head', async () => {
  const made = await rig({ engine: { history: true, urlPolicy: LOOPBACK, retrySchedule: [] } })
  const closed = createServer().listen(0, '127.0.0.1')
  await new Promise((resolve) => closed.on('listening', resolve))
  const { port } = closed.address() as AddressInfo
  closed.close()
  onTestFinished(() => void closed.close())
  await made.addEndpoint(`http://127.0.0.1:${port}/in?token=secret`, { retrySchedule: [] })
  await made.publish(1)
  await made.queue.start(made.engine)
  await until(() => made.rows().every(({ status }) => status === 'failed'))
  const { rows } = await made.engine.attempts.list('w', { limit: 10 })
  expect(rows).toMatchObject([
    {
      outcome: 'failed',
      httpStatus: null,
      errorClass: 'connect',
      connectUs: null,
      firstByteUs: null,
      headers: null,
      body: null,
      url: `http://127.0.0.1:${port}/in`,
    },
  ])
})

it('records how long the look-up and the TLS handshake took for the attempt that made the connection, and for no other', async () => {
  const names = await startNameServer((_, family) => ({ addresses: family === 4 ? ['127.0.0.1'] : [], afterMs: 100 }))
  onTestFinished(() => names.close())
  const receiver = await startTlsReceiver()
  const { port } = new URL(receiver.url)
  const sender = createUndiciSender({ urlPolicy: LOOPBACK, dnsServers: [names.address], verifyCertificates: false })
  onTestFinished(() => sender.close())
  const made = await rig({ engine: { history: true, sender } })
  await made.addEndpoint(`https://hooks.customer.com:${port}/`)
  for (let count = 1; count <= 2; count++) {
    await made.publish(1)
    if (count === 1) await made.queue.start(made.engine)
    await until(() => receiver.requests.length === count && made.rows().length === 0)
  }
  const { rows } = await made.engine.attempts.list('w', { limit: 10 })
  const [second, first] = rows
  // A lower bound: the name server answers only then. A timer may be a little early.
  expect(first?.dnsUs).toBeGreaterThan(90_000)
  expect(first?.tlsUs).toBeGreaterThan(0)
  expect(first?.connectUs).toBeGreaterThanOrEqual((first?.dnsUs ?? Infinity) + (first?.tlsUs ?? Infinity))
  expect(second).toMatchObject({ dnsUs: null, tlsUs: null, outcome: 'delivered' })
  expect(receiver.connections()).toBe(1)
})

it('records no look-up for an address, and no handshake for http', async () => {
  const made = await rig({ engine: { history: true, urlPolicy: LOOPBACK } })
  const receiver = await startReceiver((request) => request.answer(200))
  await made.addEndpoint(receiver.url)
  await made.publish(1)
  await made.queue.start(made.engine)
  await until(() => made.rows().length === 0)
  const { rows } = await made.engine.attempts.list('w', { limit: 10 })
  expect(rows).toMatchObject([{ dnsUs: null, tlsUs: null, connectUs: expect.any(Number) as number }])
})

it('records the event of a message without rows, once, with its payload and its values', async () => {
  const made = await rig({ engine: { history: { search: ['data.n'] } } })
  await made.queue.start(made.engine)
  const message = { type: 'message.created', workspaceId: 'w', data: { n: 1 }, eventId: newEventId() }
  for (let n = 0; n < 2; n++) await made.queue.send(message)
  const search = { path: 'data.n', value: '1' }
  const { rows } = await made.engine.events.list('w', { limit: 10, search })
  expect(rows).toMatchObject([{ id: message.eventId, type: message.type }])
  expect((await made.engine.events.get('w', message.eventId)).payload).toContain('"data":{"n":1}')
})
