import type { OutboxDatabase } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { SendRequest } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { auth, event, world } from '../../../test/oauth2-rig.ts'
import { type Answer, LATER, rig, signal } from '../../../test/rig.ts'

const HOUR_MS = 3_600_000
const MINUTE_MS = 60_000

describe('an access token', () => {
  it('is requested once, sent with every attempt, and stored encrypted', async () => {
    const made = await world()
    for (let sent = 0; sent < 3; sent++) await made.send()
    expect(made.tokens()).toEqual(['t1', 't1', 't1'])
    expect(made.asked).toHaveLength(1)
    await expect.poll(made.stored).toEqual(expect.any(String))
    expect(JSON.stringify(await made.select('select * from keepsend_secrets'))).not.toMatch(/"t1"|s3cret/)
    expect(made.log.entries).toEqual([])
  })

  it('is requested with the sender, the user agent and the deadline of the attempt', async () => {
    const made = await world({ userAgent: 'Acme/1', endpoint: { deadlineMs: 4000 } })
    await made.send()
    expect(made.asked).toMatchObject([
      { url: auth.tokenUrl, deadlineMs: 4000, maxResponseBytes: 65_536, headers: { 'user-agent': 'Acme/1' } },
    ])
  })

  it('is requested once by many concurrent attempts, which all use it', async () => {
    const gate = signal()
    const made = await world({ grant: () => gate.promise.then(() => ({})) })
    for (let sent = 0; sent < 20; sent++) await made.engine.publish(event)
    const working = made.work()
    await expect.poll(() => made.asked.length).toBe(1)
    gate.resolve()
    await working
    expect([made.asked.length, made.received.length]).toEqual([1, 20])
    expect(new Set(made.tokens())).toEqual(new Set(['t1']))
  })

  it('is not shared between endpoints: each requests its own', async () => {
    const made = await world()
    await made.addEndpoint({ auth: { ...auth, clientId: 'd' } })
    await made.send()
    expect(new Set(made.tokens())).toEqual(new Set(['t1', 't2']))
  })

  it('is taken from the database by another process', async () => {
    const on = await openDatabase()
    const first = await world({ on })
    await first.send()
    await expect.poll(first.stored).toEqual(expect.any(String))
    const second = await world({ on, noEndpoint: true })
    await second.send()
    expect([second.asked, second.tokens()]).toEqual([[], ['t1']])
  })

  it('is requested again if the stored one cannot be decrypted', async () => {
    const on = await openDatabase()
    const first = await world({ on })
    await first.send()
    await expect.poll(first.stored).toEqual(expect.any(String))
    await first.exec("update keepsend_secrets set token = 'AAAA' where scheme = 'auth'")
    const second = await world({ on, noEndpoint: true })
    expect(await second.send()).toMatchObject([{ kind: 'complete' }])
    expect(second.asked).toHaveLength(1)
  })

  it('is used by this process if it cannot be stored, which is logged', async () => {
    const made = await world({ wrap: refusesTokens })
    await made.send()
    await made.send()
    expect([made.tokens(), made.asked.length]).toEqual([['t1', 't1'], 1])
    await expect.poll(() => made.log.entries).toMatchObject([{ level: 'warn', fields: { endpointId: made.id } }])
  })

  it.each<[string, unknown, number]>([
    ['an hour', 3600, HOUR_MS - MINUTE_MS],
    ['an hour, in text', '3600', HOUR_MS - MINUTE_MS],
    ['ten seconds', 10, 9000],
    ['an unknown time', null, 270_000],
    ['a year', 31_536_000, 86_400_000 - MINUTE_MS],
  ])('is replaced before it expires, and no sooner: it lives %s', async (_, expires_in, freshMs) => {
    const made = await world({ grant: () => ({ expires_in }) })
    const start = LATER - 2 * 86_400_000
    await made.send(start)
    await made.send(start + freshMs - 1)
    expect(made.asked).toHaveLength(1)
    await made.send(start + freshMs)
    expect(made.asked).toHaveLength(2)
  })

  it.each([0, -60, '0'])(
    'is used only by the waiting attempts if it has expired when issued: expires_in %j',
    async (expires_in) => {
      const made = await world({ grant: () => ({ expires_in }) })
      await made.engine.publish(event)
      await made.send()
      await made.send()
      expect(made.tokens()).toEqual(['t1', 't1', 't2'])
      expect(await made.stored()).toBeNull()
    },
  )

  it('is used until it expires while the token server fails', async () => {
    const made = await world({ grant: (count) => (count === 1 ? {} : { answer: 500 }) })
    const start = LATER - 2 * 86_400_000
    await made.send(start)
    expect(await made.send(start + HOUR_MS - 1000)).toMatchObject([{ kind: 'complete' }])
    expect(await made.send(start + HOUR_MS)).toMatchObject([{ kind: 'reschedule' }])
    expect([made.asked.length, made.tokens()]).toEqual([3, ['t1', 't1']])
  })
})

describe('an access token that its receiver refuses with 401', () => {
  const refusing = (request: SendRequest): Answer => (request.headers['authorization'] === 'Bearer t1' ? 401 : 200)

  it('is discarded, and the delivery is retried with a new one', async () => {
    const made = await world({ respond: refusing })
    expect(await made.send()).toMatchObject([{ kind: 'reschedule', deferral: false, httpStatus: 401 }])
    expect(await made.work({ now: LATER })).toMatchObject([{ kind: 'complete' }])
    expect(made.tokens()).toEqual(['t1', 't2'])
  })

  it('is not read from the database again, by this process or another', async () => {
    const on = await openDatabase()
    const made = await world({ on, respond: refusing })
    await made.engine.publish(event)
    await made.engine.publish(event)
    await made.work({ limit: 1 })
    // The cached endpoint is at most a second old, and has the refused token.
    await made.work()
    expect(made.tokens()).toEqual(['t1', 't2'])
    await expect.poll(made.stored).toEqual(expect.any(String))
    const other = await world({ on, noEndpoint: true })
    await other.send()
    expect([other.asked, other.tokens()]).toEqual([[], ['t2']])
  })

  it('is not used again from an endpoint that was read before the refusal', async () => {
    const on = await openDatabase()
    const first = await world({ on })
    await first.send()
    await expect.poll(first.stored).toEqual(expect.any(String))
    const other = await world({
      on,
      noEndpoint: true,
      respond: refusing,
      monotonic: () => 0,
      grant: () => ({ token: 'new' }),
    })
    await other.send()
    await other.send()
    expect(other.tokens()).toEqual(['t1', 'new'])
  })

  it('does not discard the new one when its refusal comes late', async () => {
    const gate = signal()
    const made = await world({
      respond: async (request) => {
        if (request.headers['authorization'] !== 'Bearer t1') return 200
        if (made.received.length === 1) await gate.promise
        return 401
      },
    })
    for (let sent = 0; sent < 3; sent++) await made.engine.publish(event)
    const late = made.work({ limit: 1 })
    await expect.poll(() => made.received.length).toBe(1)
    await made.work({ limit: 1 })
    await made.work({ limit: 1 })
    gate.resolve()
    await late
    await made.send()
    expect([made.asked.length, made.tokens()]).toEqual([2, ['t1', 't1', 't2', 't2']])
  })

  it('ends the delivery by its schedule if no other can be had, with one request per attempt', async () => {
    const made = await world({ respond: () => 401, endpoint: { retrySchedule: [1] } })
    await made.send()
    await made.work({ now: LATER })
    expect(await made.rows()).toMatchObject([{ status: 'failed', attempts: 2, lastStatus: 401 }])
    expect(made.asked).toHaveLength(2)
  })

  it('fails the delivery of an endpoint without tokens', async () => {
    const { addEndpoint, engine, work } = await rig({ answer: () => 401 })
    await addEndpoint({ auth: { type: 'bearer', token: 'fixed' } })
    await engine.publish(event)
    expect(await work()).toMatchObject([{ kind: 'fail', httpStatus: 401 }])
  })
})

describe('a change of auth', () => {
  it('discards its token, in memory and in the database', async () => {
    const made = await world()
    await made.send()
    await expect.poll(made.stored).toEqual(expect.any(String))
    await made.engine.endpoints.update('w1', made.id, { auth: { ...auth, scope: 'more' } })
    expect(await made.stored()).toBeNull()
    await made.send()
    expect(made.tokens()).toEqual(['t1', 't2'])
  })

  it('during a token request leaves the new auth without that token', async () => {
    const gate = signal()
    const made = await world({ grant: (count) => (count === 1 ? gate.promise.then(() => ({})) : {}) })
    await made.engine.publish(event)
    const working = made.work()
    await expect.poll(() => made.asked.length).toBe(1)
    await made.engine.endpoints.update('w1', made.id, { auth: { ...auth, clientId: 'another' } })
    gate.resolve()
    await working
    expect(await made.stored()).toBeNull()
    await made.send()
    expect(made.tokens()).toEqual(['t1', 't2'])
    await expect.poll(made.stored).toEqual(expect.any(String))
  })
})

/** Passes every statement except those that store a token. */
function refusesTokens(db: OutboxDatabase): OutboxDatabase {
  return {
    ...db,
    atomic: (list) => db.atomic(list),
    run: (one) =>
      'sql' in one && one.sql.includes('set token') ? Promise.reject(new Error('read only')) : db.run(one),
  }
}
