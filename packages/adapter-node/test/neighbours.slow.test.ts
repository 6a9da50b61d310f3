import {
  type OutboxDatabase,
  type OutboxEvent,
  type Statement,
  enqueueEvents,
  newEventId,
  toSql,
} from '@keepsend/outbox'
import { eventIdOf } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { DurableEventQueue } from '../src/index.ts'
import { copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS, type Rig, rig, rival, until } from './rig.ts'

const EVENTS = 20

/** Endpoints of one noisy workspace. */
async function noisy({ engine }: Rig, workspaceId: string, url: string, count: number): Promise<string[]> {
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    ids.push((await engine.endpoints.create(workspaceId, { url: `${url}/${workspaceId}/${n}` })).endpoint.id)
  }
  return ids
}

/** Inserts rows of a workspace, alternating between its endpoints. */
async function fill(
  { db }: Pick<Rig, 'db'>,
  workspaceId: string,
  endpointIds: readonly string[],
  count: number,
  parts: Partial<OutboxEvent> = {},
): Promise<void> {
  for (let from = 0; from < count; from += 1000) {
    const events = Array.from({ length: Math.min(1000, count - from) }, (_, n) => ({
      eventId: newEventId(),
      endpointId: endpointIds[n % endpointIds.length],
      workspaceId,
      type: 'noise.made',
      payload: '{}',
      ...parts,
    }))
    await enqueueEvents(db, events)
  }
}

const looksIn = (statements: readonly string[]) =>
  statements.filter((sql) => sql.includes('recursive workspace')).length

describe.each([
  ['that answers immediately', 0],
  ['that takes its time', 300],
])('a workspace with one endpoint %s', { timeout: PATIENCE_MS }, (_how, tookMs) => {
  it.each([1, 3, 10])('is served beside %i whose receivers never answer', async (count) => {
    const silent = await startReceiver(() => {})
    const healthy = await startReceiver((request) => void setTimeout(() => request.answer(), tookMs))
    const made = await rig({ queue: { concurrency: 8, slotsPerEndpoint: 2 } })
    const { engine, queue, addEndpoint } = made
    await addEndpoint(healthy.url)
    await queue.start(engine)
    const [first = ''] = await made.publish(1)
    await healthy.arrived(1)
    for (let n = 0; n < count; n++) {
      const ids = await noisy(made, `noisy_${n}`, silent.url, 8)
      await fill(made, `noisy_${n}`, ids, 400)
      await queue.send({ type: 'noise.made', workspaceId: `noisy_${n}`, outboxId: `x.${ids[0]}` })
    }
    await until(() => silent.open() >= 8)
    const sent: string[] = [first]
    for (let n = 0; n < EVENTS; n++) sent.push(...(await made.publish(1)))
    await healthy.arrived(1 + EVENTS)
    expect(new Set(healthy.requests.map(({ id }) => eventIdOf(id)))).toEqual(new Set(sent))
    expect(new Set(copies(healthy.requests))).toEqual(new Set([1]))
    // No attempt of the others has ended, so none was awaited. They use only their own slots, and those lent to new endpoints.
    expect(silent.requests.length).toBeLessThanOrEqual(2 * 8)
    const inHand = made.rows().filter(({ claimedAt, workspaceId }) => claimedAt !== null && workspaceId !== 'w')
    expect(inHand.length).toBeLessThanOrEqual(2 * 8 + 192)
  })
})

describe('a workspace', { timeout: PATIENCE_MS }, () => {
  it('is served by two processes beside ten that flood both', async () => {
    const slow = await startReceiver((request) => void setTimeout(() => request.answer(), 100))
    const healthy = await startReceiver()
    const made = await rig({ queue: { concurrency: 8, slotsPerEndpoint: 2 } })
    const other = await rival(made, { queue: { concurrency: 8, slotsPerEndpoint: 2 } })
    const { engine, queue, addEndpoint } = made
    await addEndpoint(healthy.url)
    for (let n = 0; n < 10; n++) {
      const ids = await noisy(made, `noisy_${n}`, slow.url, 4)
      await fill(made, `noisy_${n}`, ids, 1000)
    }
    await queue.start(engine)
    await other.queue.start(other.engine)
    await slow.arrived(16)
    await made.publish(EVENTS)
    await healthy.arrived(EVENTS)
    expect(copies(healthy.requests)).toEqual(Array.from({ length: EVENTS }, () => 1))
    // Ten thousand rows are older.
    expect(slow.requests.length).toBeLessThan(2000)
  })

  it('does not wait behind a backlog of due rows', async () => {
    const slow = await startReceiver((request) => void setTimeout(() => request.answer(), 50))
    const healthy = await startReceiver()
    const made = await rig({ queue: { concurrency: 8, slotsPerEndpoint: 2 } })
    const { engine, queue, addEndpoint, connection } = made
    await addEndpoint(healthy.url)
    await fill(made, 'noisy', await noisy(made, 'noisy', slow.url, 10), 5000)
    // As a process leaves them that died during retries.
    connection.exec('update pending_events set ready = 0, due_at = 1')
    await made.publish(5)
    await queue.start(engine)
    await healthy.arrived(5)
    expect(slow.requests.length).toBeLessThan(500)
    await until(
      () => Number(connection.prepare('select count(*) from pending_events where ready = 1').pluck().get()) > 4000,
    )
  })

  it('is served with few looks beside ten thousand rows that are due tomorrow', async () => {
    const healthy = await startReceiver()
    const made = await rig()
    const { engine, queue, addEndpoint, statements } = made
    await addEndpoint(healthy.url)
    for (let from = 0; from < 10_000; from += 1000) {
      await enqueueEvents(
        made.db,
        Array.from({ length: 1000 }, (_, n) => ({
          eventId: newEventId(),
          endpointId: 'ep',
          workspaceId: `waits_${from + n}`,
          type: 'a.b',
          payload: '{}',
          due: Date.now() + 86_400_000,
        })),
      )
    }
    await queue.start(engine)
    const before = statements.length
    await made.publish(EVENTS)
    await healthy.arrived(EVENTS)
    await until(() => made.rows().length === 10_000)
    expect(looksIn(statements.slice(before))).toBeLessThan(60)
  })

  it('that another process publishes for is served while this one is busy, without commit signals', async () => {
    const silent = await startReceiver(() => {})
    const healthy = await startReceiver()
    const made = await rig({ queue: { concurrency: 4 } })
    const { engine, addEndpoint, db } = made
    // A database without commit signals.
    const quiet: OutboxDatabase = {
      dialect: db.dialect,
      run: (statement) => db.run(statement),
      atomic: (statements) => db.atomic(statements),
    }
    const queue = new DurableEventQueue({ db: quiet, leaseMs: 20_000, pollMs: 60_000, concurrency: 4 })
    await addEndpoint(healthy.url)
    const [id = ''] = await noisy(made, 'noisy', silent.url, 1)
    await queue.start(engine)
    await fill(made, 'noisy', [id], 1)
    await queue.send({ type: 'a.b', workspaceId: 'noisy', outboxId: `x.${id}` })
    await silent.arrived(1)
    // Committed by another process's connection, without a signal.
    const other = await rival(made)
    await other.publish(3)
    await healthy.arrived(3)
    expect(copies(healthy.requests)).toEqual([1, 1, 1])
    await queue.stop({ drainMs: 0 })
  })
})

describe('between a look and the claim', { timeout: PATIENCE_MS }, () => {
  /** Runs a function once, after a look. */
  function afterLook(act: () => Promise<unknown>) {
    const state = { on: false }
    const wrap = (db: OutboxDatabase): OutboxDatabase => ({
      ...db,
      async run<R extends object>(statement: Statement) {
        const result = await db.run<R>(statement)
        if (state.on && toSql(statement, 'sqlite').sql.includes('recursive workspace')) {
          state.on = false
          await act()
        }
        return result
      },
    })
    return { state, wrap }
  }

  it('a published row is claimed immediately', async () => {
    const receiver = await startReceiver()
    let publish: () => Promise<unknown> = async () => undefined
    const { state, wrap } = afterLook(() => publish())
    const made = await rig({ wrap })
    publish = () => made.publish(1)
    await made.addEndpoint(receiver.url)
    state.on = true
    await made.queue.start(made.engine)
    await receiver.arrived(1)
    expect(state.on).toBe(false)
  })

  it('rows that another process has claimed cause no busy loop', async () => {
    const receiver = await startReceiver()
    let take: () => unknown = () => undefined
    const { state, wrap } = afterLook(async () => take())
    const made = await rig({ wrap })
    take = () => made.connection.exec('update pending_events set ready = 0, due_at = due_at + 3600000, gen = gen + 1')
    await made.addEndpoint(receiver.url)
    await made.publish(50)
    state.on = true
    await made.queue.start(made.engine)
    await until(() => !state.on)
    await new Promise((resolve) => {
      setTimeout(resolve, 300)
    })
    expect(looksIn(made.statements)).toBeLessThan(40)
    expect(receiver.requests).toEqual([])
  })
})

describe('an endpoint that requests a pause', { timeout: PATIENCE_MS }, () => {
  it('gets no more requests: its claimed and waiting rows are held in the same commit', async () => {
    const receiver = await startReceiver((request) => request.answer(429, 'later', { 'retry-after': '600' }))
    const healthy = await startReceiver()
    const made = await rig({ queue: { concurrency: 8, slotsPerEndpoint: 2 } })
    const { engine, queue, addEndpoint, connection } = made
    const { id } = await addEndpoint(receiver.url, { eventTypes: ['noise.*'] })
    await addEndpoint(healthy.url, { eventTypes: ['message.*'] })
    await fill(made, 'w', [id], 900)
    await queue.start(engine)
    await until(
      () =>
        Number(
          connection.prepare("select count(*) from pending_events where hold_reason = 'endpoint_paused'").pluck().get(),
        ) === 900,
    )
    expect(receiver.requests.length).toBeLessThanOrEqual(2)
    expect(connection.prepare('select max(attempts) + max(deferrals) from pending_events').pluck().get()).toBe(0)
    await made.publish(3)
    await healthy.arrived(3)
  })
})
