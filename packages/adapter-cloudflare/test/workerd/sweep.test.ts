// The cron's tick: the rows that it finds, their result, and its errors.
import { createExecutionContext, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, commitWithEvents, keepsend } from '@keepsend/engine'
import { firstEventIdAt, sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { Hono } from 'hono'
import { describe, expect, it, vi } from 'vitest'
import { type ExecutionContextLike, consumeBatch, sweep } from '../../src/index.ts'
import { type Fate, type FaultyD1, faulty } from './faulty.ts'
import { LOST_MS, PATIENCE, type Rig, type RigOptions, batchOf, eventIdFrom, fates, rig } from './rig.ts'

const HOUR_MS = 3_600_000

async function newRig(options: RigOptions = {}): Promise<Rig & FaultyD1> {
  const faults = faulty(env.DB)
  return { ...(await rig({ ...options, wrap: () => fromD1(faults.d1) })), ...faults }
}

/** Inserts rows with one statement, each of an event `ageMs` ago; due some time ago, or dispatched. */
async function insertRows(
  { db }: Rig,
  count: number,
  { agoMs, dueAgoMs = null, more = '' }: { agoMs: number; dueAgoMs?: number | null; more?: string },
): Promise<void> {
  const prefix = firstEventIdAt(Date.now() - agoMs)
  await db.run(sqlText`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, due_at, gen, created_at, payload)
    with recursive n(value) as (select 1 union all select value + 1 from n where value < ${count})
    select ${prefix} || '-7000-8000-' || printf('%012x', value) || '.ep_1', 'w', 'test', 'ep_1',
      ms - cast(${dueAgoMs} as integer), ms - ${agoMs}, ms - ${agoMs}, '{}'
    from n, keepsend_clock`)
  if (more) await db.run({ sql: `update pending_events set ${more} where substr(id, 1, 17) = ?`, params: [prefix] })
}

/** The rows whose messages were sent, in the order of their ids. */
function named({ sent }: Rig): string[] {
  return sent.map(({ body }) => (body as { outboxId: string }).outboxId).sort()
}

/** A request that commits a change and its event, as if longer ago than a first lease. */
function postThing(engine: Engine, context: ExecutionContextLike): Response | Promise<Response> {
  const app = new Hono().use(keepsend(engine)).post('/things', (c) =>
    commitWithEvents(c, {
      writes: [],
      events: [{ id: eventIdFrom(LOST_MS), type: 'thing.made', workspaceId: 'w', data: {} }],
      response: { status: 201, body: null },
    }),
  )
  return app.request('/things', { method: 'POST' }, env, context)
}

describe('a lost first dispatch', () => {
  const LOSSES = {
    'throws, as when there are too many requests': 'refused',
    'never returns': 'no answer',
    'arrives, though its answer does not': 'answer lost',
  } as const

  it.each(Object.keys(LOSSES) as (keyof typeof LOSSES)[])(
    'because it %s: the request is answered, its row is there before, and is swept and delivered once',
    async (loss) => {
      let fate: 'well' | (typeof LOSSES)[typeof loss] = LOSSES[loss]
      const parts = await rig({ queueFate: () => fate })
      const hook = await parts.addEndpoint()
      const context = createExecutionContext()
      expect((await postThing(parts.engine, context)).status).toBe(201)
      expect(await parts.rows()).toMatchObject([{ status: 'pending', moves: 0, dueAt: null }])
      await waitOnExecutionContext(context)
      expect(parts.log).toMatchObject([
        { level: 'warn', message: expect.stringContaining('the sweep will pick them up') },
      ])
      expect(parts.engine.counters.queueErrors).toBe(1)

      fate = 'well'
      expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
      expect(fates(await parts.consume()).every((one) => one === 'ack')).toBe(true)
      expect(await hook.arrivals()).toHaveLength(1)
      expect(await parts.rows()).toEqual([])
      expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    },
  )

  it('because the isolate ends after its response is swept and delivered once', async () => {
    let fate: 'well' | 'no answer' = 'no answer'
    const parts = await rig({ queueFate: () => fate })
    const hook = await parts.addEndpoint()
    // Nothing awaits the work of `waitUntil`.
    const response = await postThing(parts.engine, { waitUntil() {}, passThroughOnException() {}, props: {} })
    expect(response.status).toBe(201)
    fate = 'well'
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    await parts.consume()
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })
})

describe('a tick', () => {
  it('leaves a first dispatch to the queue until its lease has expired', async () => {
    const parts = await rig()
    await parts.addEndpoint()
    await parts.publish(1, { agoMs: parts.policy.leaseMs - 60_000 })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await parts.publish(1, { agoMs: parts.policy.leaseMs + 1000 })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
  })

  it('leaves it longer with a longer lease', async () => {
    const parts = await rig({ policy: { leaseMs: LOST_MS + 60_000 } })
    await parts.addEndpoint()
    await parts.publish(1, { agoMs: LOST_MS })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
  })

  it('leaves settled, held and rescheduled rows alone, and those in flight', async () => {
    const parts = await rig()
    const { endpointId } = await parts.addEndpoint()
    await parts.engine.endpoints.setStatus('w', endpointId, 'disabled')
    await parts.db.run(sqlText`update keepsend_endpoints set id = 'ep_1'`)
    const states = [
      `status = 'failed', completed_at = created_at + 3000000`,
      `status = 'held', hold_reason = 'endpoint_disabled'`,
      `due_at = created_at + ${2 * HOUR_MS}`,
      `due_at = created_at + ${2 * HOUR_MS}, claimed_at = created_at, attempts = 1, gen = created_at + 1`,
    ]
    for (const [n, more] of states.entries()) await insertRows(parts, 1, { agoMs: HOUR_MS + n * 60_000, more })
    const before = await parts.rows()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0, exhausted: 0, oldestDueMs: 0 })
    expect(await parts.rows()).toEqual(before)
  })

  it('leases a row under a new gen without counting an attempt, and sends its message after that', async () => {
    const standing: unknown[] = []
    const parts = await rig({
      queue: { sendBatch: async (messages) => void standing.push(...messages, ...(await parts.rows())) },
    })
    await insertRows(parts, 1, { agoMs: HOUR_MS, dueAgoMs: 1000, more: 'attempts = 3, gen = created_at + 3' })
    await sweep(parts.policy)
    const [row] = await parts.rows()
    expect(standing).toEqual([{ body: { outboxId: row?.id, gen: row?.gen } }, row])
    expect(row).toMatchObject({ attempts: 3, moves: 4, claimedAt: null, crashes: 0 })
  })

  it('doubles the lease with each gen, up to 256 times', async () => {
    const parts = await rig()
    await insertRows(parts, 1, { agoMs: 24 * HOUR_MS, dueAgoMs: 1000 })
    for (let moves = 0; moves < 11; moves++) {
      const before = await parts.now()
      expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
      const after = await parts.now()
      const [row] = await parts.rows()
      const leaseMs = parts.policy.leaseMs * 2 ** Math.min(moves, 8)
      expect(row?.moves).toBe(moves + 1)
      expect(row?.dueAt).toBeGreaterThanOrEqual(before + leaseMs)
      expect(row?.dueAt).toBeLessThanOrEqual(after + leaseMs)
      await parts.lapse()
    }
  })

  it('uncounts the attempt of a consumer that died, and dispatches its row', async () => {
    const parts = await rig()
    await insertRows(parts, 1, {
      agoMs: HOUR_MS,
      dueAgoMs: 1000,
      more: 'attempts = 2, gen = created_at + 2, claimed_at = 1',
    })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1, exhausted: 0 })
    expect(await parts.rows()).toMatchObject([{ attempts: 1, crashes: 1, moves: 3, claimedAt: null }])
  })

  it('marks a row without attempts left as failed, reports and logs it, and sends no message', async () => {
    const parts = await rig()
    await insertRows(parts, 2, { agoMs: HOUR_MS, dueAgoMs: 1000, more: 'attempts = max_attempts' })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0, exhausted: 2 })
    expect(await parts.rows()).toMatchObject([
      { status: 'failed', lastError: 'attempts_exhausted' },
      { status: 'failed', lastError: 'attempts_exhausted' },
    ])
    expect(parts.sent).toEqual([])
    expect(parts.log.filter(({ level }) => level === 'warn')).toMatchObject(
      (await parts.rows()).map(({ id }) => ({
        message: 'delivery failed: its attempts are exhausted',
        fields: { deliveryId: id, error: 'attempts_exhausted' },
      })),
    )
  })
})

describe('the limit of a tick', () => {
  it('bounds its rows, with half of it reserved for lost first dispatches', async () => {
    const parts = await rig({ policy: { sweepLimit: 10 } })
    await insertRows(parts, 30, { agoMs: 2 * HOUR_MS, dueAgoMs: 1000 })
    await insertRows(parts, 30, { agoMs: LOST_MS })
    const dispatched = new Set((await parts.rows()).filter(({ dueAt }) => dueAt === null).map(({ id }) => id))
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 10 })
    expect(named(parts).filter((id) => dispatched.has(id))).toHaveLength(5)
  })

  it('is all for due rows if no first dispatch is lost', async () => {
    const parts = await rig({ policy: { sweepLimit: 10 } })
    await insertRows(parts, 30, { agoMs: 2 * HOUR_MS, dueAgoMs: 1000 })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 10 })
  })

  it('is at most half for lost first dispatches: the others are due at the next tick', async () => {
    const parts = await rig({ policy: { sweepLimit: 10 } })
    await insertRows(parts, 12, { agoMs: LOST_MS })
    const redispatched: number[] = []
    for (let tick = 0; tick < 4; tick++) redispatched.push((await sweep(parts.policy)).redispatched)
    expect(redispatched).toEqual([5, 5, 2, 0])
    expect(new Set(named(parts))).toHaveLength(12)
  })

  it('may exceed a message batch: messages are sent in batches of a hundred', async () => {
    const sizes: number[] = []
    const parts = await rig({ queue: { sendBatch: async (messages) => void sizes.push([...messages].length) } })
    await insertRows(parts, 250, { agoMs: HOUR_MS, dueAgoMs: 1000 })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 250 })
    expect(sizes).toEqual([100, 100, 50])
  })

  it('leaves rows, and the tick reports how long the oldest has been due', async () => {
    const parts = await rig({ policy: { sweepLimit: 2 } })
    await insertRows(parts, 3, { agoMs: HOUR_MS, dueAgoMs: 600_000 })
    const { oldestDueMs } = await sweep(parts.policy)
    expect(oldestDueMs).toBeGreaterThanOrEqual(600_000)
    expect(oldestDueMs).toBeLessThan(HOUR_MS)
    expect(parts.log).toMatchObject([{ level: 'info', message: 'swept', fields: { redispatched: 2, oldestDueMs } }])
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1, oldestDueMs: 0 })
  })
})

describe('the hourly pass', () => {
  /** Moves the start of the last pass back by an hour. */
  async function hourPasses({ db }: Rig): Promise<void> {
    await db.run(sqlText`update keepsend_sweep_pass set began_at = began_at - ${HOUR_MS}`)
  }

  it('continues from tick to tick until it has covered all keys, and starts again an hour after its start', async () => {
    const parts = await rig({ policy: { sweepLimit: 4 } })
    // Lost, and older than the window of each tick; beside as many rows that wait for a retry.
    await insertRows(parts, 7, { agoMs: 5 * HOUR_MS })
    await insertRows(parts, 7, { agoMs: 3 * HOUR_MS, dueAgoMs: -HOUR_MS })
    await insertRows(parts, 7, { agoMs: 2 * HOUR_MS })
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await hourPasses(parts)
    // Two keys a tick, of 21.
    for (let tick = 0; tick < 11; tick++) await sweep(parts.policy)
    expect(named(parts)).toHaveLength(14)
    expect(new Set(named(parts))).toHaveLength(14)

    await insertRows(parts, 1, { agoMs: 4 * HOUR_MS })
    for (let tick = 0; tick < 3; tick++) expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await hourPasses(parts)
    for (let tick = 0; tick < 11; tick++) await sweep(parts.policy)
    expect(named(parts)).toHaveLength(15)
  })
})

describe('crons that overlap', () => {
  it('dispatch each row once, whether due or lost', async () => {
    const parts = await rig()
    await insertRows(parts, 60, { agoMs: 2 * HOUR_MS, dueAgoMs: 1000 })
    await insertRows(parts, 60, { agoMs: LOST_MS })
    const ticks = await Promise.all([sweep(parts.policy), sweep(parts.policy), sweep(parts.policy)])
    expect(ticks.reduce((sum, { redispatched }) => sum + redispatched, 0)).toBe(120)
    expect(named(parts)).toEqual((await parts.rows()).map(({ id }) => id))
    expect((await parts.rows()).every(({ moves, attempts }) => moves === 1 && attempts === 0)).toBe(true)
  })

  it('take disjoint sets of rows within their limits', async () => {
    const parts = await rig({ policy: { sweepLimit: 20 } })
    await insertRows(parts, 50, { agoMs: 2 * HOUR_MS, dueAgoMs: 1000 })
    const ticks = await Promise.all([sweep(parts.policy), sweep(parts.policy)])
    expect(ticks.map(({ redispatched }) => redispatched)).toEqual([20, 20])
    expect(new Set(named(parts))).toHaveLength(40)
  })
})

describe('a sweep that overtakes a delivery in flight', () => {
  it.each([
    { status: 200, rows: [] },
    { status: 500, rows: [{ status: 'pending', attempts: 1, moves: 2 }] },
  ])('answered $status settles once, by exactly one of the two', async ({ status, rows }) => {
    const parts = await rig()
    const hook = await parts.addEndpoint({ status: 'never' })
    await parts.publish(1, { agoMs: LOST_MS })
    const first = parts.consume()
    await vi.waitFor(async () => expect(await hook.open()).toBe(1), PATIENCE)
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
    await hook.answer({ status })
    expect(fates(await first)).toEqual(['ack'])
    // The settle of the first attempt changed nothing: the row belongs to the sweep.
    expect(await parts.rows()).toMatchObject([{ moves: 1, attempts: 0, lastStatus: null }])
    expect(fates(await parts.consume())).toEqual(['ack'])
    expect(await parts.rows()).toMatchObject(rows)
    expect(new Set((await hook.arrivals()).map(({ id }) => id))).toHaveLength(1)
    expect(parts.sent).toHaveLength(rows.length)
  })
})

describe('a row whose message the queue refuses', () => {
  it('is released: due at the next tick, no attempt counted, and the tick reports it', async () => {
    let fate: 'well' | 'refused' = 'refused'
    const parts = await rig({ queueFate: () => fate })
    await insertRows(parts, 1, { agoMs: LOST_MS })
    await expect(sweep(parts.policy)).rejects.toMatchObject({
      name: 'AggregateError',
      errors: [expect.objectContaining({ message: 'Too Many Requests' })],
    })
    const [row] = await parts.rows()
    expect(row).toMatchObject({ status: 'pending', attempts: 0, crashes: 0 })
    expect(row?.dueAt).toBeLessThanOrEqual(await parts.now())
    fate = 'well'
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 1 })
  })

  it('is released alone, and the messages of all others are sent', async () => {
    let calls = 0
    const parts = await rig({ queueFate: () => (calls++ === 1 ? 'refused' : 'well') })
    await insertRows(parts, 250, { agoMs: HOUR_MS, dueAgoMs: 1000 })
    await expect(sweep(parts.policy)).rejects.toThrow(AggregateError)
    expect(parts.sent).toHaveLength(150)
    expect(parts.log).toContainEqual(
      expect.objectContaining({
        message: 'swept',
        fields: expect.objectContaining({ redispatched: 150, released: 100 }),
      }),
    )
    // It waits in its lane, from which the next ticks dispatch.
    const redispatched: number[] = []
    for (let tick = 0; tick < 6; tick++) redispatched.push((await sweep(parts.policy)).redispatched)
    expect(redispatched).toEqual([20, 20, 20, 20, 20, 0])
    expect(new Set(named(parts))).toHaveLength(250)
  })

  it('although it took it is delivered once, whichever of its messages comes first', async () => {
    let fate: 'well' | 'answer lost' = 'answer lost'
    const parts = await rig({ queueFate: () => fate })
    const hook = await parts.addEndpoint()
    await parts.publish(1, { agoMs: LOST_MS })
    await expect(sweep(parts.policy)).rejects.toMatchObject({ errors: [{ code: 'queue_timeout' }] })
    fate = 'well'
    await sweep(parts.policy)
    expect(parts.sent).toHaveLength(3)
    for (const { body } of parts.sent.splice(0)) {
      const batch = batchOf([body])
      await consumeBatch(parts.policy, batch)
      expect(fates(batch.messages)).toEqual(['ack'])
    }
    expect(await hook.arrivals()).toHaveLength(1)
    expect(await parts.rows()).toEqual([])
  })
})

describe('a tick in which something fails', () => {
  it('runs all other parts, logs each error and then throws them together', async () => {
    const parts = await newRig({ engine: { failedRetentionMs: 0 } })
    await insertRows(parts, 3, { agoMs: HOUR_MS, more: `status = 'failed', completed_at = 1` })
    await insertRows(parts, 1, { agoMs: 2 * HOUR_MS, more: `status = 'held', hold_reason = 'replay'` })
    parts.judge(({ verbs }) => (verbs.includes('update') ? 'refused' : 'well'))
    // The update of the sweep, and the one that sets `resume_at` of endpoints with held rows.
    await expect(sweep(parts.policy)).rejects.toMatchObject({
      name: 'AggregateError',
      errors: [expect.objectContaining({ code: 'not_accepted' }), expect.objectContaining({ code: 'not_accepted' })],
    })
    expect(await parts.rows()).toMatchObject([{ status: 'held' }])
    expect(parts.log.map(({ level, message }) => [level, message])).toEqual([
      ['error', 'a part of the sweep failed; the next tick retries it'],
      ['error', 'a part of the sweep failed; the next tick retries it'],
      ['info', 'swept'],
    ])
  })

  it('in its maintenance dispatches orphaned rows all the same', async () => {
    const parts = await newRig()
    await insertRows(parts, 3, { agoMs: HOUR_MS, dueAgoMs: 1000 })
    parts.judge(({ verbs }) => (verbs.includes('delete') ? 'refused' : 'well'))
    await expect(sweep(parts.policy)).rejects.toThrow('the sweep failed in 1 of its parts')
    expect(parts.sent).toHaveLength(3)
  })

  it('in both queue and database: the rows come back when their leases expire', async () => {
    let fate: 'well' | 'refused' = 'refused'
    let next: Fate = 'well'
    const parts = await newRig({
      queueFate() {
        // The first call to the database after the queue would release the rows.
        if (fate === 'refused') next = 'refused'
        return fate
      },
    })
    await insertRows(parts, 2, { agoMs: HOUR_MS, dueAgoMs: 1000 })
    parts.judge(() => {
      const now = next
      next = 'well'
      return now
    })
    await expect(sweep(parts.policy)).rejects.toMatchObject({ errors: { length: 2 } })
    parts.judge()
    fate = 'well'
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 0 })
    await parts.lapse()
    expect(await sweep(parts.policy)).toMatchObject({ redispatched: 2 })
  })
})

describe('maintenance', () => {
  it('deletes settled rows that are older than their retention, five hundred a statement', async () => {
    const parts = await newRig({ engine: { failedRetentionMs: HOUR_MS } })
    const settled = (ago: number): string =>
      `status = 'failed', completed_at = (select ms from keepsend_clock) - ${ago * HOUR_MS}`
    await insertRows(parts, 1200, { agoMs: 5 * HOUR_MS, more: settled(3) })
    await insertRows(parts, 3, { agoMs: 4 * HOUR_MS, more: settled(0.5) })
    parts.judge()
    let deleted = 0
    // A busy machine may need more than one tick.
    for (let more = true; more;) {
      const { maintenance } = await sweep(parts.policy)
      deleted += maintenance.deletedRows
      more = maintenance.more
    }
    expect(deleted).toBe(1200)
    expect(await parts.rows()).toHaveLength(3)
    expect(parts.calls.filter(({ verbs }) => verbs[0] === 'delete').length).toBeGreaterThanOrEqual(3)
  })

  it('stops when its time is over, and continues in the next tick', async () => {
    const parts = await newRig({ engine: { failedRetentionMs: HOUR_MS } })
    await insertRows(parts, 1200, { agoMs: 5 * HOUR_MS, more: `status = 'failed', completed_at = 1` })
    // Each read of the clock adds a second.
    let time = Date.now()
    const clock = vi.spyOn(Date, 'now').mockImplementation(() => (time += 1000))
    try {
      const rounds: unknown[] = []
      for (let tick = 0; tick < 3; tick++) rounds.push((await sweep(parts.policy)).maintenance)
      expect(rounds).toMatchObject([
        { deletedRows: 500, more: true },
        { deletedRows: 500, more: true },
        { deletedRows: 200, more: false },
      ])
    } finally {
      clock.mockRestore()
    }
  })
})
