import { describe, expect, it } from 'vitest'
import { createTestEngine } from '../src/index.ts'
import { openEngine } from './open-engine.ts'

const message = (text = 'hi') => ({ type: 'message.created', workspaceId: 'w1', data: { text } })
const url = 'https://hooks.example.com/'

describe('deliverAll', () => {
  it('sends each delivery to the receiver, which verifies its signature with the secret of its endpoint', async () => {
    const engine = await openEngine()
    const one = await engine.endpoints.create('w1', { url, signatures: ['v1'] })
    const other = await engine.endpoints.create('w1', { url: 'https://other.example.com/', signatures: ['v1a'] })
    const { eventId } = await engine.publish(message())
    expect(await engine.deliverAll()).toEqual({
      attempts: 2,
      delivered: 2,
      failed: 0,
      waiting: 0,
      held: 0,
      elapsedMs: 0,
    })
    const ids = { eventId, type: 'message.created', workspaceId: 'w1', attempt: 1, at: engine.now(), verified: true }
    expect(engine.receiver.requests.toSorted((a, b) => (a.url < b.url ? -1 : 1))).toMatchObject([
      { ...ids, endpointId: one.endpoint.id, url, json: { type: 'message.created', data: { text: 'hi' } } },
      { ...ids, endpointId: other.endpoint.id, url: 'https://other.example.com/' },
    ])
  })

  it('moves virtual time to each retry of the default schedule, without jitter', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url })
    await engine.publish(message())
    engine.receiver.answer(503)
    const began = engine.now()
    expect(await engine.deliverAll()).toMatchObject({ attempts: 10, delivered: 0, failed: 1, elapsedMs: 272_105_000 })
    const waits = [0, 5, 300, 1800, 7200, 18_000, 36_000, 50_400, 72_000, 86_400]
    const times = waits.map((_, index) => began + 1000 * waits.slice(0, index + 1).reduce((sum, wait) => sum + wait, 0))
    expect(engine.receiver.requests.map(({ at, attempt }) => [attempt, at])).toEqual(
      times.map((at, index) => [index + 1, at]),
    )
    expect((await engine.deliveries.list('w1', { limit: 10 })).rows).toMatchObject([{ status: 'failed', attempts: 10 }])
  })

  it('answers the attempts of each delivery by a list, and those of one endpoint by their own', async () => {
    const engine = await openEngine()
    const { endpoint: slow } = await engine.endpoints.create('w1', { url })
    const { endpoint: broken } = await engine.endpoints.create('w1', { url, retrySchedule: [1] })
    await engine.endpoints.create('w1', { url })
    engine.receiver.answer([503, 'timeout', { status: 204, headers: { 'X-Seen': 'yes' } }], { endpointId: slow.id })
    engine.receiver.answer(({ attempt }) => (attempt === 1 ? 'connect' : { status: 400, body: 'no' }), {
      endpointId: broken.id,
    })
    await engine.publish(message())
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 12, delivered: 4, failed: 2 })
    const { rows } = await engine.deliveries.list('w1', { limit: 10, status: 'failed' })
    expect(rows.map(({ lastError }) => lastError)).toEqual(['HTTP 400: no', 'HTTP 400: no'])
    const attempts = await engine.attempts.list('w1', { limit: 100, endpointId: slow.id })
    expect(attempts.rows.map(({ outcome, errorClass }) => [outcome, errorClass]).reverse()).toEqual([
      ['retry', 'http_5xx'],
      ['retry', 'http_5xx'],
      ['retry', 'timeout'],
      ['retry', 'timeout'],
      ['delivered', null],
      ['delivered', null],
    ])
  })

  it('answers the next requests by a new list, also after one that did not count as an attempt', async () => {
    const engine = await openEngine({ retrySchedule: [5, 5] })
    await engine.endpoints.create('w1', { url })
    await engine.publish(message())
    engine.receiver.answer([500, 429])
    await engine.deliverAll({ forMs: 5000 })
    engine.receiver.answer([{ status: 429, headers: { 'retry-after': '7' } }, 200])
    expect(await engine.deliverAll()).toMatchObject({ attempts: 2, delivered: 1, elapsedMs: 12_000 })
    expect(engine.receiver.requests.map(({ attempt }) => attempt)).toEqual([1, 2, 3, 4])
  })

  it('waits for the end of a pause that the receiver requested, and of one by a person', async () => {
    const engine = await openEngine()
    const { endpoint } = await engine.endpoints.create('w1', { url })
    await engine.publish(message())
    const began = engine.now()
    engine.receiver.answer(() => {
      return engine.now() < began + 60_000 ? { status: 429, headers: { 'retry-after': '60' } } : 200
    })
    expect(await engine.deliverAll()).toMatchObject({ attempts: 2, delivered: 1, elapsedMs: 60_000 })
    await engine.endpoints.pause('w1', endpoint.id, { forMs: 3_600_000 })
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, delivered: 1, elapsedMs: 3_600_000 })
  })

  it('probes an endpoint whose circuit has opened until it closes', async () => {
    const engine = await openEngine({ circuit: { failuresInRow: 2, openMs: 60_000 } })
    const { endpoint } = await engine.endpoints.create('w1', { url })
    for (let n = 0; n < 20; n++) await engine.publish(message())
    const began = engine.now()
    engine.receiver.answer(() => (engine.now() < began + 120_000 ? 500 : 200))
    expect(await engine.deliverAll({ forMs: 0 })).toMatchObject({ attempts: 2, delivered: 0, held: 18, waiting: 2 })
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ circuit: 'open' })
    expect(await engine.deliverAll()).toMatchObject({ delivered: 20, failed: 0, held: 0 })
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ circuit: 'closed' })
  })

  it('keeps to rate limits in virtual time', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url, rateLimit: 2, ratePeriod: 'minute' })
    for (let n = 0; n < 5; n++) await engine.publish(message())
    const { elapsedMs, ...rest } = await engine.deliverAll()
    expect(rest).toMatchObject({ attempts: 5, delivered: 5 })
    expect(elapsedMs).toBeGreaterThan(115_000)
    expect(elapsedMs).toBeLessThan(130_000)
  })

  it('does not wait for the slots of a rate limit beyond forMs', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url, rateLimit: 10 })
    for (let n = 0; n < 5; n++) await engine.publish(message())
    expect(await engine.deliverAll({ forMs: 0 })).toMatchObject({ attempts: 1, elapsedMs: 0, held: 4 })
    expect(await engine.deliverAll()).toMatchObject({ attempts: 4, delivered: 4, held: 0 })
  })

  it('counts the requests that a function of the test has made the receiver forget', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url })
    for (let n = 0; n < 3; n++) await engine.publish(message())
    engine.receiver.answer(() => {
      engine.receiver.reset()
      return 200
    })
    expect(await engine.deliverAll()).toMatchObject({ attempts: 3, delivered: 3 })
    expect(engine.receiver.requests).toHaveLength(2)
  })

  it('ends with deliveries that are held for a person, such as those of a disabled endpoint', async () => {
    const engine = await openEngine()
    const { endpoint } = await engine.endpoints.create('w1', { url })
    engine.receiver.answer(410)
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, failed: 1, held: 0 })
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 0, held: 1, waiting: 0 })
    engine.receiver.answer(200)
    await engine.endpoints.setStatus('w1', endpoint.id, 'enabled')
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, delivered: 1, held: 0 })
  })

  it('moves time no further than forMs, and says how many deliveries wait', async () => {
    const engine = await openEngine({ retrySchedule: [10, 10] })
    await engine.endpoints.create('w1', { url })
    engine.receiver.answer(500)
    await engine.publish(message())
    expect(await engine.deliverAll({ forMs: 0 })).toMatchObject({ attempts: 1, waiting: 1, elapsedMs: 0 })
    expect(await engine.deliverAll({ forMs: 9999 })).toMatchObject({ attempts: 0, waiting: 1, elapsedMs: 0 })
    engine.advance(9999)
    expect(await engine.deliverAll({ forMs: 1 })).toMatchObject({ attempts: 1, waiting: 1, elapsedMs: 1 })
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, failed: 1, elapsedMs: 10_000 })
  })

  it('fails by its limit of attempts if deliveries never settle, names them, and leaves no claim', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url })
    engine.receiver.answer({ status: 429, headers: { 'retry-after': '1' } })
    const { eventId } = await engine.publish(message())
    await expect(engine.deliverAll({ maxAttempts: 7 })).rejects.toMatchObject({
      code: 'not_settled',
      message: expect.stringMatching(
        new RegExp(`made 7 attempts, of at most 7 \\(maxAttempts\\).*${eventId}.*: HTTP 429`),
      ),
    })
    expect(await engine.stats()).toMatchObject({ inFlight: 0 })
    engine.receiver.reset()
    expect(await engine.deliverAll({ maxAttempts: 1 })).toMatchObject({ attempts: 1, delivered: 1 })
  })

  it('rejects with the error of a function of the test that should answer, and sends the others later', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url, retrySchedule: [1] })
    for (let n = 0; n < 3; n++) await engine.publish(message())
    engine.receiver.answer(() => {
      throw new Error('the mistake of a test')
    })
    await expect(engine.deliverAll()).rejects.toThrow('the mistake of a test')
    expect(await engine.stats()).toMatchObject({ inFlight: 0 })
    engine.receiver.reset()
    expect(await engine.deliverAll()).toMatchObject({ attempts: 3, delivered: 3 })
  })

  it('runs concurrent calls one after the other', async () => {
    const engine = await openEngine()
    await engine.endpoints.create('w1', { url })
    for (let n = 0; n < 5; n++) await engine.publish(message())
    const results = await Promise.all([engine.deliverAll(), engine.deliverAll()])
    expect(results).toMatchObject([{ delivered: 5 }, { delivered: 0 }])
  })

  it('answers a server of OAuth 2.0 itself, and gives the receiver the token', async () => {
    const engine = await openEngine()
    const auth = {
      type: 'oauth2',
      tokenUrl: 'https://auth.example.com/token',
      clientId: 'a',
      clientSecret: 'b',
    } as const
    await engine.endpoints.create('w1', { url, auth })
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, delivered: 1 })
    expect(engine.receiver.requests[0]?.headers).toMatchObject({ authorization: 'Bearer token-of-the-test-kit' })
  })

  it('answers 401 to a request that is not signed with the secret of its endpoint', async () => {
    const engine = await openEngine({ signer: () => 'bm90IGEgc2lnbmF0dXJl' })
    await engine.endpoints.create('w1', { url })
    await engine.publish(message())
    expect(await engine.deliverAll()).toMatchObject({ attempts: 1, failed: 1 })
    expect(engine.receiver.requests).toMatchObject([{ verified: false }])
  })

  it('reaches each endpoint by the old and the new secret while both are valid', async () => {
    const engine = await openEngine()
    const { endpoint } = await engine.endpoints.create('w1', { url })
    await engine.endpoints.rotateSecret('w1', endpoint.id, { overlapMs: 60_000 })
    await engine.publish(message())
    await engine.deliverAll()
    engine.advance(60_001)
    await engine.publish(message())
    await engine.deliverAll()
    const signatures = engine.receiver.requests.map(({ headers }) => headers['webhook-signature']?.split(' ').length)
    expect(signatures).toEqual([2, 1])
    expect(engine.receiver.requests).toMatchObject([{ verified: true }, { verified: true }])
  })
})

it('time stands still until the kit moves it', async () => {
  const engine = await openEngine()
  const began = engine.now()
  expect(Math.abs(Date.now() - began)).toBeLessThan(60_000)
  await engine.endpoints.create('w1', { url })
  const [first] = await engine.endpoints.list('w1', { limit: 1 })
  engine.advance(86_400_000)
  await engine.endpoints.create('w1', { url })
  const [, second] = await engine.endpoints.list('w1', { limit: 2 })
  expect([first?.createdAt, second?.createdAt]).toEqual([began, began + 86_400_000])
  expect(() => engine.advance(-1)).toThrow('ms must be a whole number from 0 to 31536000000; found -1')
})

it.each([
  'select ms as "ms" from keepsend_clock',
  'select keepsend_clock.ms as "ms" from (select 1 as one) as one, keepsend_clock',
  'select own.ms as "ms" from (select 1 as one) as one cross join keepsend_clock as own',
  `select 'from the keepsend_clock' as "text", (select ms from keepsend_clock) as "ms"`,
])('a statement reads virtual time wherever it reads the clock: %s', async (sql) => {
  const outer = await openEngine()
  const engine = await openEngine({ db: outer.db })
  engine.advance(1000)
  const { rows } = await engine.db.run({ sql, params: [] })
  expect(rows).toMatchObject([{ ms: outer.now() + 1000 }])
})

it('records attempts and statistics under virtual time', async () => {
  const engine = await createTestEngine()
  await engine.endpoints.create('w1', { url })
  engine.advance(40 * 86_400_000)
  await engine.publish(message())
  await engine.deliverAll()
  expect((await engine.attempts.list('w1', { limit: 10 })).rows).toMatchObject([
    { startedAt: engine.now(), outcome: 'delivered' },
  ])
  expect((await engine.events.list('w1', { limit: 10 })).rows).toMatchObject([{ completed: 1 }])
  await engine.close()
})
