import { TEST_KEYS } from './keys.ts'
import { createExecutionContext, reset, waitOnExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type Engine, createEngine, migrateEngine, newEventId, silentLogger } from '@keepsend/engine'
import type { OutboxDatabase, Statement } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, inject, it, onTestFinished, vi } from 'vitest'
import { InlineEventQueue, createFetchSender, createWorker } from '../../src/index.ts'
import type { Arrival } from './receiver.ts'
import { type StandingRow, standingRows } from './rig.ts'
import type { Env } from './worker.ts'

const ENGINE = {
  sender: createFetchSender(),
  urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
  // No receiver here is slow: only a busy machine could time out.
  deadlineMs: 14_000,
  maxDeadlineMs: 14_000,
  retrySchedule: [0, 0],
  random: () => 0,
  logger: silentLogger,
} as const

interface Inline {
  db: OutboxDatabase
  engine: Engine
  queue: InlineEventQueue
  url: string
  rows: () => Promise<StandingRow[]>
  arrivals: () => Promise<Arrival[]>
  answer: (status: number | 'never') => Promise<void>
  publish: (count?: number) => Promise<{ delivered: Promise<unknown> }>
}

async function inline(wrap: (db: OutboxDatabase) => OutboxDatabase = (db) => db): Promise<Inline> {
  await reset()
  const plain = fromD1(env.DB)
  await migrateEngine(plain)
  const db = wrap(plain)
  const queue = new InlineEventQueue()
  const circuit = { failuresInRow: 1000, minAttempts: 1000 }
  const engine = createEngine({ ...ENGINE, db, queue, secrets: TEST_KEYS, circuit })
  queue.start(engine)
  const url = `${inject('receiver')}/hook/${crypto.randomUUID()}`
  await engine.endpoints.create('w', { url })
  return {
    db,
    engine,
    queue,
    url,
    rows: () => standingRows(plain),
    arrivals: async () => (await (await fetch(url)).json<{ arrivals: Arrival[] }>()).arrivals,
    answer: async (status) => void (await fetch(url, { method: 'PUT', body: JSON.stringify({ status }) })),
    async publish(count = 1) {
      const work: Promise<void>[] = []
      const events = Array.from({ length: count }, () => ({ id: newEventId(), type: 't', workspaceId: 'w', data: {} }))
      await engine.commit({ writes: [], events, background: (one) => void work.push(one) })
      return { delivered: Promise.all(work) }
    },
  }
}

/** As if the event had been published five minutes ago by a process that died. */
async function age(db: OutboxDatabase): Promise<void> {
  const { rows } = await db.run(sqlText`select id from pending_events where due_at is null`)
  for (const { id } of rows) {
    const old = (Date.now() - 300_000).toString(16).padStart(12, '0')
    const aged = `evt_${old.slice(0, 8)}-${old.slice(8)}${String(id).slice(17)}`
    await db.run(sqlText`
      update pending_events set id = ${aged}, created_at = created_at - 300000, gen = gen - 300000
      where id = ${String(id)}`)
  }
}

describe('without a queue', () => {
  it('a publish is delivered after the response, five concurrently, and leaves nothing behind', async () => {
    const { arrivals, publish, rows } = await inline()
    const { delivered } = await publish(12)
    await delivered
    expect(await arrivals()).toHaveLength(12)
    expect(await rows()).toEqual([])
  })

  it('waitUntil covers the delivery', async () => {
    const { engine, url, rows } = await inline()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w', name: 'k' })
    const worker = createWorker({
      bindings: (given: Env) => ({ db: given.DB, queue: 'inline', secrets: TEST_KEYS, engine: ENGINE }),
    }) satisfies ExportedHandler<Env>
    const context = createExecutionContext()
    const response = await worker.fetch(
      new Request('http://app/webhooks/events', {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ type: 't', data: {} }),
      }),
      env,
      context,
    )
    expect(response.status).toBe(202)
    await waitOnExecutionContext(context)
    expect((await (await fetch(url)).json<{ arrivals: Arrival[] }>()).arrivals).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  it('a receiver that requests a pause gets nothing until the cron resumes its endpoint', async () => {
    const { answer, arrivals, engine, publish, queue, rows } = await inline()
    await answer(429)
    await (
      await publish(2)
    ).delivered
    const before = (await arrivals()).length
    const paused = { status: 'held', holdReason: 'endpoint_paused', attempts: 0 }
    expect(await rows()).toMatchObject([paused, paused])
    await answer(200)
    expect(await queue.sweep()).toMatchObject({ resumed: 0, redispatched: 0 })
    expect(await arrivals()).toHaveLength(before)
    const [endpoint] = await engine.endpoints.list('w', { limit: 1 })
    const work: Promise<void>[] = []
    await engine.endpoints.resume('w', endpoint?.id ?? '', { background: (one) => void work.push(one) })
    await Promise.all(work)
    await queue.sweep()
    expect([(await arrivals()).length, await rows()]).toEqual([before + 2, []])
  })

  it('a failed receiver gets its next attempt from the cron, which claims it', async () => {
    const { answer, arrivals, publish, queue, rows } = await inline()
    await answer(503)
    await (
      await publish()
    ).delivered
    expect(await rows()).toMatchObject([{ attempts: 1, status: 'pending', lastStatus: 503 }])
    await answer(200)
    expect(await queue.sweep()).toMatchObject({ redispatched: 1, exhausted: 0 })
    expect(await arrivals()).toHaveLength(2)
    expect(await rows()).toEqual([])
  })

  it('the cron fails a row without attempts left', async () => {
    const { answer, arrivals, publish, queue, rows } = await inline()
    await answer(500)
    await (
      await publish()
    ).delivered
    await queue.sweep()
    await queue.sweep()
    expect(await rows()).toMatchObject([{ status: 'failed', attempts: 3, lastStatus: 500 }])
    expect(await arrivals()).toHaveLength(3)
  })

  it('an isolate that dies after the response loses nothing: the cron finds the row when its lease expires', async () => {
    let dead = false
    const { arrivals, db, publish, queue, rows } = await inline((plain) => ({
      ...plain,
      // The delivery starts by reading the row.
      run: (statement) =>
        dead && 'sql' in statement && /\bjoin pending_events\b/.test(statement.sql)
          ? new Promise(() => {})
          : plain.run(statement),
    }))
    dead = true
    await publish()
    dead = false
    expect(await queue.sweep()).toMatchObject({ redispatched: 0 })
    expect(await arrivals()).toHaveLength(0)
    await age(db)
    expect(await queue.sweep()).toMatchObject({ redispatched: 1 })
    expect(await arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  it('a tick without time left releases its unsent rows: due at the next tick, no attempt or crash counted', async () => {
    let passes = false
    let late = 0
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => Date.now() + late)
    onTestFinished(() => clock.mockRestore())
    const { answer, arrivals, publish, queue, rows } = await inline((plain) => ({
      ...plain,
      async run<R extends object>(statement: Statement) {
        const result = await plain.run<R>(statement)
        // The claim took a minute.
        if (passes && result.rows.some((row) => 'claimedAt' in row && row.claimedAt !== null)) late += 60_000
        return result
      },
    }))
    await answer(503)
    await (
      await publish(3)
    ).delivered
    const before = await rows()
    await answer(200)
    passes = true
    await queue.sweep()
    expect(await arrivals()).toHaveLength(3)
    expect(await rows()).toMatchObject(before.map(({ id }) => ({ id, attempts: 1, crashes: 0, claimedAt: null })))
    passes = false
    expect(await queue.sweep()).toMatchObject({ redispatched: 3 })
    expect(await arrivals()).toHaveLength(6)
    expect(await rows()).toEqual([])
  })

  it('two concurrent crons deliver each row once', async () => {
    const { answer, arrivals, publish, queue, rows } = await inline()
    await answer(503)
    await (
      await publish(30)
    ).delivered
    await answer(200)
    const before = (await arrivals()).length
    const swept = await Promise.all([queue.sweep(), queue.sweep(), queue.sweep()])
    expect(swept.reduce((sum, { redispatched }) => sum + redispatched, 0)).toBe(30)
    expect((await arrivals()).length - before).toBe(30)
    expect(await rows()).toEqual([])
  })

  it('one invocation stays within the fifty requests of the free plan, including those to D1', async () => {
    let requests = 0
    // Each request to D1 takes 500 ms longer: what is read again after a second counts too.
    const clock = vi.spyOn(performance, 'now').mockImplementation(() => Date.now() + requests * 500)
    onTestFinished(() => clock.mockRestore())
    const { answer, arrivals, publish, queue, rows } = await inline((db) => ({
      ...db,
      run: (statement) => (requests++, db.run(statement)),
      atomic: (statements) => (requests++, db.atomic(statements)),
    }))
    await answer(503)
    requests = 0
    await (
      await publish(70)
    ).delivered
    expect(await arrivals()).toHaveLength(20)
    expect(requests + 20).toBeLessThanOrEqual(50)
    await answer(200)
    for (const [arrived, left] of [
      [40, 50],
      [60, 30],
      [80, 10],
      [90, 0],
    ]) {
      requests = 0
      await queue.sweep()
      expect([(await arrivals()).length, (await rows()).length]).toEqual([arrived, left])
      expect(requests + 20).toBeLessThanOrEqual(50)
    }
  })

  it('the ticks of even minutes step erasures, and those of odd ones replays', async () => {
    const { engine, queue, answer, publish } = await inline()
    await answer(400)
    await (
      await publish(2)
    ).delivered
    const replay = await engine.replays.create('w', { what: 'failed' })
    await engine.endpoints.create('erased', { url: 'https://hooks.example.com/' })
    await engine.commit({ writes: [], events: [{ type: 't', workspaceId: 'erased', data: {} }] })
    const erasure = await engine.erase({ workspaceId: 'erased', what: 'workspace' })
    const done = async () => [
      (await engine.erasures.get('erased', erasure.id)).deliveries,
      (await engine.replays.get('w', replay.id)).sent,
    ]
    const now = vi.spyOn(Date, 'now')
    onTestFinished(() => now.mockRestore())
    await answer(200)
    const minute = 2 * Math.floor(Date.now() / 120_000)
    now.mockReturnValue(minute * 60_000)
    await queue.sweep()
    expect(await done()).toEqual([1, 0])
    now.mockReturnValue((minute + 1) * 60_000)
    await queue.sweep()
    expect(await done()).toEqual([1, 2])
  })

  it('an event without rows gets them inserted and delivered', async () => {
    const { arrivals, queue, rows } = await inline()
    await queue.send({ type: 't', workspaceId: 'w', data: {}, eventId: newEventId() })
    expect(await arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  it('start refuses deadlines that are longer than the platform waits', () => {
    const queue = new InlineEventQueue()
    const engine = createEngine({ db: fromD1(env.DB), queue, secrets: TEST_KEYS, sender: createFetchSender() })
    expect(() => queue.start(engine)).toThrow(/maxDeadlineMs must be at most 14000; found 30000/)
    expect(() => new InlineEventQueue({ deliveriesPerInvocation: 0 })).toThrow(/^deliveriesPerInvocation must be/)
  })

  it('send and sweep ask for start(engine) first', async () => {
    const queue = new InlineEventQueue()
    await expect(queue.send({ type: 't', workspaceId: 'w', outboxId: 'x', gen: 0 })).rejects.toThrow(/start\(engine\)/)
    await expect(queue.sweep()).rejects.toThrow(/start\(engine\)/)
  })
})
