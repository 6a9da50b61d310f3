// Races of recorded events that need a database with many writers.
import { claimDueEvents, cleanupPayloads, newEventId, toSql } from '@keepsend/outbox'
import { endpointIdOf, eventIdTime, sqlText } from '@keepsend/outbox/internal'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { RETAINED_PAYLOADS, cleanupEvents } from '../src/lib/history/event-retention.ts'
import { insertTaken } from '../src/lib/replays/insert-again.ts'
import { openPostgres } from './database.ts'
import { type Rig, rig } from './rig.ts'

const DAY = 86_400_000
const OUTCOME = { kind: 'complete', httpStatus: 200 } as const

describe('retention while a transaction inserts a delivery of an old event', () => {
  it.each([
    [
      'a replay',
      (made: Rig, id: string) => {
        const taken = {
          ids: [id],
          workspaceId: 'w1',
          endpointId: endpointIdOf(id),
          oldest: undefined,
          guard: sqlText`1 = 1`,
        }
        return [insertTaken(made.db, taken, { which: 'delivered', retentionMs: DAY }, undefined)]
      },
    ],
    [
      'a repeated publish',
      ({ engine }: Rig, id: string) =>
        engine.publishStatements({ type: 'a.b', workspaceId: 'w1', data: {}, id: id.slice(0, 40) }),
    ],
  ])('leaves the event and its payload to it: %s', async (_name, statements) => {
    const { url, ...on } = await openPostgres()
    const made = await rig({ history: true, on })
    const { id: endpointId } = await made.addEndpoint()
    const { eventId } = await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: { n: 1 } })
    await made.work()
    const host = new pg.Client({ connectionString: url })
    onTestFinished(() => host.end())
    await host.connect()
    await host.query('begin')
    for (const statement of statements(made, `${eventId}.${endpointId}`)) {
      const { sql, params } = toSql(statement, 'postgres')
      await host.query(sql, [...params])
    }
    const cleanUp = async (now: number) => {
      await cleanupEvents(made.db, { retentionMs: -60_000, limit: 10 })
      await cleanupPayloads(made.db, { now, retained: RETAINED_PAYLOADS })
    }
    await cleanUp(Date.now() + DAY)
    await host.query('commit')
    await cleanUp(Date.now() + 2 * DAY)
    expect(await made.count('keepsend_events')).toBe(0)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
    const [first, second] = made.sender.requests
    expect(second?.body).toBe(first?.body)
  })
})

it('every row has its own payload while events are published again, replayed and deleted by retention', async () => {
  const { url: _, ...on } = await openPostgres()
  const made = await rig({ history: true, on })
  const { db, engine } = made
  const { id: endpointId } = await made.addEndpoint()
  await made.addEndpoint()
  const done = new AbortController()
  const sent: string[] = []
  let rounds = 0
  let replays = 0
  const refused: string[] = []
  // How old events are when they are replayed: retention deletes them at the same time.
  let retentionMs = 60_000

  const publish = async (): Promise<void> => {
    for (let n = 0; n < 40; n++) {
      const id = newEventId()
      const commit = async (body: string) => {
        const event = { type: 'a.b', workspaceId: 'w1', raw: { body, contentType: 'text/plain' }, id }
        await engine.commit({ writes: [], events: [event] })
      }
      await commit(id)
      while ((await made.select('select 1 from pending_events where id like ?', `${id}%`)).length > 0);
      retentionMs = Math.max(20, 2 * (Date.now() - eventIdTime(id)))
      if (n % 2 === 0) await commit(`${id} again`)
      else
        await engine.deliveries.replay('w1', `${id}.${endpointId}`).then(
          () => replays++,
          ({ code }: { code: string }) => refused.push(code),
        )
    }
  }
  const drain = async (): Promise<void> => {
    while (!done.signal.aborted) {
      const { claims } = await claimDueEvents(db, { limit: 20 })
      for (const { id, payload } of claims) sent.push(`${payload?.slice(0, 40) === id.slice(0, 40)}`)
      const record = { startedAt: Date.now(), tookMs: 1, url: '', response: {} }
      await engine.worker.settle(claims.map((claim) => ({ claim, outcome: { ...OUTCOME, record } })))
    }
  }
  const clean = async (): Promise<void> => {
    for (; !done.signal.aborted; rounds++) {
      await cleanupEvents(db, { retentionMs, limit: 10 })
      await cleanupPayloads(db, { batchSize: 10, now: Date.now() + rounds * DAY, retained: RETAINED_PAYLOADS })
    }
  }

  const besides = [drain(), drain(), clean(), clean()]
  await Promise.all([publish(), publish(), publish()])
  done.abort()
  await Promise.all(besides)
  expect(sent.length).toBeGreaterThan(240)
  expect(replays).toBeGreaterThan(0)
  expect(refused.filter((code) => code !== 'not_retained')).toEqual([])
  expect(new Set(sent)).toEqual(new Set(['true']))
  const lost = await made.select(`
    select id from pending_events as delivery where payload is null
      and not exists (select 1 from keepsend_payloads as stored where stored.id = delivery.payload_id)`)
  expect(lost).toEqual([])
  await made.exec('delete from pending_events')
  await cleanupEvents(db, { retentionMs: 0, limit: 1000 })
  for (const days of [1e9, 2e9])
    await cleanupPayloads(db, { now: Date.now() + days * DAY, budgetMs: 60_000, retained: RETAINED_PAYLOADS })
  expect([await made.count('keepsend_events'), await made.count('keepsend_payloads')]).toEqual([0, 0])
}, 60_000)
