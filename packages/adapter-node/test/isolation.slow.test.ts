import { enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Request, copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS, type Rig, rig, until } from './rig.ts'

const BACKLOG = 10_000
const HEALTHY = 100
const SLOTS = 8

const SHARED = { queue: { slotsPerEndpoint: SLOTS }, engine: { limits: { endpointsPerWorkspace: 200 } } }

/** Inserts rows of one endpoint directly, because ten thousand commits are not the subject. */
async function fill({ db }: Rig, endpointId: string, count: number): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const row = () => ({ eventId: newEventId(), endpointId, workspaceId: 'w', type: 'dead.thing', payload: '{}' })
    await enqueueEvents(db, Array.from({ length: Math.min(1000, count - from) }, row))
  }
}

const counted = (made: Rig, sql: string): number => Number(made.connection.prepare(sql).pluck().get())
const claimsIn = (statements: readonly string[]) =>
  statements.filter((sql) => sql.includes('update pending_events set') && sql.includes('crashes = crashes +')).length

describe('a dead endpoint with 10,000 rows beside 100 healthy ones (trap 20)', { timeout: PATIENCE_MS * 2 }, () => {
  it('uses only its own slots: no healthy delivery waits for it', async () => {
    const dead = await startReceiver(() => {})
    const healthy = await startReceiver()
    const made = await rig(SHARED)
    const { engine, queue, addEndpoint, statements } = made
    const { id } = await addEndpoint(dead.url, { eventTypes: ['dead.*'] })
    for (let n = 0; n < HEALTHY; n++) await addEndpoint(`${healthy.url}/${n}`, { eventTypes: ['message.*'] })
    await fill(made, id, BACKLOG)
    await made.publish(3)

    const from = statements.length
    await queue.start(engine)
    await healthy.arrived(3 * HEALTHY)
    // Its first attempts have not even timed out: no other waited for them.
    expect(dead.requests.length).toBeLessThanOrEqual(SLOTS)
    expect(new Set(copies(healthy.requests))).toEqual(new Set([HEALTHY]))
    // No claim skips ten thousand rows: they wait in their lane.
    expect(claimsIn(statements.slice(from))).toBeLessThan(60)

    await until(() => counted(made, 'select count(*) from pending_events where ready = 1') >= BACKLOG - 2 * SLOTS)
    // Only rows in flight count an attempt.
    expect(counted(made, 'select max(attempts) from pending_events where claimed_at is null')).toBe(0)
    expect(dead.mostOpen()).toBeLessThanOrEqual(SLOTS)
    expect(counted(made, 'select count(*) from keepsend_endpoints where resume_at is not null')).toBe(0)
  })

  it('gets no attempts while its circuit is open, and only attempts that were made count (trap 22)', async () => {
    const dead = await startReceiver((request) => request.answer(500))
    const made = await rig({ queue: { slotsPerEndpoint: SLOTS }, engine: { retrySchedule: [3600] } })
    const { engine, queue, addEndpoint } = made
    const { id } = await addEndpoint(dead.url)
    await fill(made, id, BACKLOG)
    await queue.start(engine)
    await until(
      () =>
        counted(made, "select count(*) from pending_events where status = 'held' and hold_reason = 'circuit_open'") > 0,
    )
    await until(
      () =>
        counted(
          made,
          "select count(*) from pending_events where status = 'pending' and due_at <= (select ms from keepsend_clock)",
        ) === 0,
    )
    await until(() => counted(made, 'select count(*) from pending_events where claimed_at is not null') === 0)
    // One group may have been in flight when the tenth failure was counted.
    expect(dead.requests.length).toBeLessThan(10 + 32 + 192)
    expect(counted(made, 'select sum(attempts) from pending_events')).toBe(dead.requests.length)
    expect(counted(made, "select count(*) from pending_events where status = 'held'")).toBe(
      BACKLOG - dead.requests.length,
    )
    expect(await engine.endpoints.get('w', id)).toMatchObject({
      circuit: 'open',
      failingSince: expect.any(Number) as number,
    })
  })

  it('that was fast and becomes silent occupies no more than its slots', async () => {
    let silent = false
    const turning = await startReceiver((request) => {
      if (!silent) request.answer()
    })
    const healthy = await startReceiver()
    const made = await rig(SHARED)
    const { engine, queue, addEndpoint } = made
    const { id } = await addEndpoint(turning.url, { eventTypes: ['dead.*'] })
    await addEndpoint(healthy.url, { eventTypes: ['message.*'] })
    await fill(made, id, 2000)
    await queue.start(engine)
    await turning.arrived(500)
    silent = true
    await until(() => turning.open() > SLOTS)
    await made.publish(200)
    await healthy.arrived(200)
    expect(turning.open()).toBeGreaterThan(SLOTS)
    expect(turning.open()).toBeLessThanOrEqual(32)
    expect(copies(healthy.requests)).toEqual(Array.from({ length: 200 }, () => 1))
  })
})

describe('an endpoint with its own concurrency', { timeout: PATIENCE_MS }, () => {
  it('never gets more concurrent requests, and its whole backlog arrives', async () => {
    const receiver = await startReceiver((request) => void setTimeout(() => request.answer(), 5))
    const made = await rig(SHARED)
    const { engine, queue, addEndpoint, rows } = made
    const { id } = await addEndpoint(receiver.url, { concurrency: 2 })
    await fill(made, id, 300)
    await queue.start(engine)
    await receiver.arrived(300)
    await until(() => rows().length === 0)
    expect([receiver.mostOpen(), receiver.requests.length]).toEqual([2, 300])
  })
})

describe('a held row', { timeout: PATIENCE_MS }, () => {
  it('of a disabled endpoint is resumed when it is enabled, by the settles of earlier ones: each arrives once', async () => {
    const receiver = await startReceiver()
    const made = await rig(SHARED)
    const { engine, queue, addEndpoint, rows } = made
    const { id } = await addEndpoint(receiver.url)
    await fill(made, id, 3000)
    await engine.endpoints.setStatus('w', id, 'disabled')
    await queue.start(engine)
    await until(() => counted(made, "select count(*) from pending_events where status = 'held'") === 3000)
    expect(receiver.requests).toEqual([])
    await engine.endpoints.setStatus('w', id, 'enabled')
    await receiver.arrived(3000)
    await until(() => rows().length === 0)
    expect(new Set(copies(receiver.requests))).toEqual(new Set([1]))
    await until(() => counted(made, 'select count(*) from keepsend_endpoints where resume_at is not null') === 0)
  })

  it('is resumed by the settles of earlier ones also if all of them end together', async () => {
    const open: Request[] = []
    const receiver = await startReceiver((request) => void open.push(request))
    // As a slow process sees them: all in flight have ended before any of them is settled.
    const answering = setInterval(() => {
      for (const request of open.splice(0)) request.answer()
    }, 60)
    onTestFinished(() => clearInterval(answering))
    const made = await rig()
    const { engine, queue, addEndpoint, connection, rows } = made
    const { id } = await addEndpoint(receiver.url)
    await fill(made, id, 300)
    connection.exec("update pending_events set status = 'held', hold_reason = 'circuit_open', due_at = null, ready = 0")
    connection.exec('update keepsend_endpoints set resume_at = (select ms from keepsend_clock)')
    await queue.start(engine)
    await receiver.arrived(1)
    // Only settles resume the others: the timer would in an hour.
    connection.exec('update keepsend_endpoints set resume_at = resume_at + 3600000')
    await until(() => rows().length === 0)
    expect(copies(receiver.requests)).toEqual(Array.from({ length: 300 }, () => 1))
  })

  it('is resumed by the settles of earlier ones also beside a flood that leaves no room for a claim', async () => {
    const flood = await startReceiver((request) => void setTimeout(() => request.answer(), 20))
    const receiver = await startReceiver()
    const made = await rig()
    const { engine, queue, addEndpoint, connection } = made
    const { id } = await addEndpoint(receiver.url)
    const other = await addEndpoint(flood.url)
    await fill(made, id, 200)
    connection.exec("update pending_events set status = 'held', hold_reason = 'circuit_open', due_at = null, ready = 0")
    await fill(made, other.id, 20_000)
    connection.exec(
      `update keepsend_endpoints set resume_at = (select ms from keepsend_clock) + 300 where id = '${id}'`,
    )
    await queue.start(engine)
    await receiver.arrived(1)
    connection.exec('update keepsend_endpoints set resume_at = resume_at + 3600000')
    await receiver.arrived(200)
    expect(flood.requests.length).toBeLessThan(20_000)
  })

  it('is resumed at a time that another process has set: the next attempt of its endpoint reads it', async () => {
    const receiver = await startReceiver()
    const made = await rig(SHARED)
    const { engine, queue, addEndpoint, rows, connection, statements } = made
    // Under a rate limit no settle resumes a row.
    const { id } = await addEndpoint(receiver.url, { rateLimit: 1000 })
    await queue.start(engine)
    // Poller and maintenance have found no `resume_at`, and will look again in a minute.
    for (const look of ['where resume_at is not null', 'with recursive holder (id)']) {
      await until(() => statements.some((sql) => sql.includes(look)))
    }
    await fill(made, id, 1)
    connection.exec("update pending_events set status = 'held', hold_reason = 'rate_limited', due_at = null, ready = 0")
    connection.exec('update keepsend_endpoints set resume_at = (select ms from keepsend_clock) + 300')
    await made.publish(1)
    await receiver.arrived(2)
    await until(() => rows().length === 0)
    expect(copies(receiver.requests)).toEqual([1, 1])
  })
})
