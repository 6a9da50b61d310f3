import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { enqueueEvent, enqueueEvents } from '../enqueue.ts'
import { MAX_PAYLOAD_BYTES, type OutboxEvent, newEventId } from '../event.ts'
import { insertManyStatements, insertSelectStatements } from '../insert.ts'
import type { PendingEvent } from '../row.ts'
import { raw, sqlText } from '../statement.ts'
import { type Holds, MINUTE, T, counted, databaseNow, event, eventIdAt, findAll, moved, row } from './fixtures.ts'

/** Payloads that a careless driver, a JSON step or a parameter parser would change. */
export const AWKWARD_PAYLOADS = [
  '',
  'null',
  '007',
  ' { "spaces" : "kept" } \r\n\t',
  `quotes ' '' " "" \` and \\ \\n \\u0041`,
  'is it ? a $1 or :name or @name or ?1 or ${x} -- ; /* parameter */',
  'żółć, 你好, שלום, é e\u0301, \u{1f469}\u200d\u{1f680}, \u2028\u2029\ufeff\uffff',
  `{"long":"${'ą?\'"'.repeat(200 * 205)}"}`,
]

export function enqueuePromises(holds: Holds): void {
  holds('enqueueEvent resolves when the row is committed and visible to others', async ({ db, rival }) => {
    const { id, result } = await enqueueEvent(db, event({ maxAttempts: 4 }))
    expect(result).toBe('inserted')
    expect(moved(await row(rival, id))).toMatchObject({
      id,
      workspaceId: 'ws_1',
      type: 'message.created',
      endpointId: 'ep_1',
      status: 'pending',
      attempts: 0,
      maxAttempts: 4,
      gen: 0,
      dueAt: T,
      claimedAt: null,
      completedAt: null,
      lastError: null,
    })
  })

  holds('a row without an endpoint has the event id alone', async ({ db }) => {
    const eventId = newEventId()
    const { endpointId: _, ...alone } = event({ eventId })
    expect(await enqueueEvent(db, alone)).toEqual({ id: eventId, result: 'inserted' })
    expect((await row(db, eventId)).endpointId).toBe('')
  })

  holds('a repeated insert of an id returns exists and leaves the first row unchanged', async ({ db, rival }) => {
    const first = event({ payload: 'first' })
    const { id } = await enqueueEvent(db, first)
    expect(await enqueueEvent(rival, { ...first, payload: 'second' })).toEqual({ id, result: 'exists' })
    expect(await findAll(db)).toMatchObject([{ id, payload: 'first' }])
  })

  holds('an id given twice in one call is inserted once and exists once', async ({ db }) => {
    const twice = event()
    const results = (await enqueueEvents(db, [twice, twice])).map(({ result }) => result)
    expect(results).toEqual(['inserted', 'exists'])
    expect(await findAll(db)).toHaveLength(1)
  })

  holds('one event for two endpoints is two rows', async ({ db }) => {
    const eventId = newEventId()
    await enqueueEvents(db, [event({ eventId, endpointId: 'ep_b' }), event({ eventId, endpointId: 'ep_a' })])
    expect((await findAll(db)).map(({ id }) => id)).toEqual([`${eventId}.ep_a`, `${eventId}.ep_b`])
  })

  holds('one call inserts many events, and returns their results in order', async ({ db }) => {
    const events = Array.from({ length: 50 }, () => event())
    await enqueueEvent(db, events[7] ?? event())
    const results = (await enqueueEvents(db, events)).map(({ result }) => result)
    expect(results).toEqual(events.map((_, index) => (index === 7 ? 'exists' : 'inserted')))
    expect(await findAll(db)).toHaveLength(50)
  })

  holds('one call inserts ten megabytes of events in one transaction', async ({ db, rival }) => {
    const events = Array.from({ length: 40 }, () => event({ payload: '"'.repeat(MAX_PAYLOAD_BYTES) }))
    const watched = counted(db)
    expect(await enqueueEvents(watched.db, events)).toMatchObject(events.map(() => ({ result: 'inserted' })))
    expect(watched.count.commits).toBe(1)
    const { claims } = await claimDueEvents(rival, { limit: 100, now: T })
    expect(claims.map(({ payload }) => payload.length)).toEqual(events.map(() => MAX_PAYLOAD_BYTES))
  })

  holds('one invalid event among many prevents the insert of all', async ({ db }) => {
    for (const wrong of [
      event({ eventId: 'evt_1' }),
      event({ eventId: newEventId().toUpperCase() }),
      event({ endpointId: 'a.b' }),
      event({ workspaceId: '' }),
      event({ maxAttempts: 0 }),
      event({ due: 1.5 }),
      event({ payload: 'a\0b' }),
      event({ payload: '\ud800' }),
      event({ payload: 'é'.repeat(MAX_PAYLOAD_BYTES / 2 + 1) }),
    ]) {
      await expect(enqueueEvents(db, [event(), wrong])).rejects.toMatchObject({ code: 'invalid_event' })
    }
    expect(await findAll(db)).toEqual([])
  })

  holds('a missing value is an error, never a silently skipped row', async ({ db }) => {
    // @ts-expect-error The type forbids it; a caller without types can do it.
    const nameless: OutboxEvent = { ...event(), workspaceId: null }
    const events = [event(), nameless].map((one) => ({ event: one, place: null }))
    const { insert } = insertManyStatements(db.dialect, { events, payloads: [] })
    await expect(db.run(insert)).rejects.toThrow(/not.?null/i)
    expect(await findAll(db)).toEqual([])
  })

  holds('a payload is returned byte for byte', async ({ db, rival }) => {
    const events = AWKWARD_PAYLOADS.map((payload) => event({ payload }))
    await enqueueEvents(db, events)
    const { claims } = await claimDueEvents(rival, { limit: 100, now: T })
    const found = new Map(claims.map(({ id, payload }) => [id.slice(0, 40), payload]))
    expect(events.filter(({ eventId, payload }) => found.get(eventId) !== payload)).toEqual([])
  })

  holds('texts that look like numbers remain texts', async ({ db }) => {
    const { id } = await enqueueEvent(db, event({ workspaceId: '007', endpointId: '42', type: '1e3' }))
    expect(await row(db, id)).toMatchObject({ workspaceId: '007', endpointId: '42', type: '1e3' })
  })

  holds("due 'now' is due by the database's clock", async ({ db }) => {
    const before = await databaseNow(db)
    const { id } = await enqueueEvent(db, event({ due: 'now' }))
    const after = await databaseNow(db)
    const { dueAt, createdAt } = await row(db, id)
    expect(dueAt).toBe(createdAt)
    expect(createdAt).toBeGreaterThanOrEqual(before)
    expect(createdAt).toBeLessThanOrEqual(after)
    expect((await claimDueEvents(db, { limit: 5 })).claims).toHaveLength(1)
  })

  holds('a dispatched row has no due time, because the queue brings it', async ({ db }) => {
    const { id } = await enqueueEvent(db, event({ due: 'dispatched' }))
    expect((await row(db, id)).dueAt).toBeNull()
    expect((await claimDueEvents(db, { limit: 5, now: T })).claims).toEqual([])
  })

  holds('a row whose id is more than 5 minutes off the clock is never dispatched, but due now', async ({ db }) => {
    const now = await databaseNow(db)
    for (const [offset, dispatched] of [
      [-6, false],
      [-4, true],
      [4, true],
      [6, false],
    ] as const) {
      const { id } = await enqueueEvent(db, event({ eventId: eventIdAt(now + offset * MINUTE), due: 'dispatched' }))
      const { dueAt, createdAt } = await row(db, id)
      expect([offset, dueAt]).toEqual([offset, dispatched ? null : createdAt])
    }
  })

  holds(
    'an insert by a select puts rows in line with joinsLine, while its workspace has others in line',
    async ({ db }) => {
      await db.run({ sql: 'create table receivers (name text not null primary key)', params: [] })
      await db.run({ sql: "insert into receivers values ('ep_a'), ('ep_b')", params: [] })
      const insertOf = async (workspaceId: string, joinsLine?: boolean): Promise<unknown[]> => {
        const one = {
          ...event({ workspaceId, due: 'dispatched', eventId: eventIdAt(await databaseNow(db)) }),
          joinsLine,
        }
        const receivers = {
          endpointId: raw('receivers.name'),
          maxAttempts: raw('3'),
          heldFor: raw('null'),
          from: raw('receivers where 1 = 1'),
        }
        const { insert } = insertSelectStatements(db.dialect, one, () => receivers)
        const { rows } = await db.run<{ id: string; ready: number }>(insert)
        return Promise.all(rows.map(async ({ id, ready }) => [ready, (await row(db, id)).dueAt !== null]))
      }
      await enqueueEvent(db, event({ workspaceId: 'ws_2', due: 'now' }))
      const dispatched = [
        [0, false],
        [0, false],
      ]
      expect(await insertOf('ws_1', true)).toEqual(dispatched)
      expect(await insertOf('ws_2')).toEqual(dispatched)
      expect(await insertOf('ws_2', true)).toEqual([
        [1, true],
        [1, true],
      ])
      await enqueueEvent(db, event({ workspaceId: 'ws_1', due: T }))
      expect(await insertOf('ws_1', true)).toEqual(dispatched)
    },
  )

  holds('an insert by a select creates a row for each receiver, and returns the new ones', async ({ db, rival }) => {
    await db.run({ sql: 'create table receivers (name text not null primary key, tries integer not null)', params: [] })
    const one = event()
    const { insert } = insertSelectStatements(db.dialect, one, () => ({
      endpointId: raw('receivers.name'),
      maxAttempts: raw('receivers.tries'),
      heldFor: raw(`case when receivers.tries = 3 then 'resting' end`),
      from: sqlText`receivers where tries < ${9}`,
    }))
    expect(await db.run(insert)).toMatchObject({ rows: [] })
    await db.run({ sql: "insert into receivers values ('ep_b', 2), ('ep_a', 1), ('ep_c', 9), ('ep_d', 3)", params: [] })
    const { rows } = await db.run<Pick<PendingEvent, 'id' | 'endpointId' | 'gen' | 'ready' | 'holdReason'>>(insert)
    const all = await findAll(rival)
    expect(rows.toSorted((a, b) => (a.id < b.id ? -1 : 1))).toEqual(
      all.map(({ id, endpointId, gen, ready, holdReason }) => ({
        id,
        endpointId,
        gen,
        ready,
        holdReason,
        isFiltered: 0,
      })),
    )
    expect(all.map(moved)).toMatchObject([
      { id: `${one.eventId}.ep_a`, endpointId: 'ep_a', maxAttempts: 1, gen: 0, dueAt: T, payload: one.payload },
      { id: `${one.eventId}.ep_b`, endpointId: 'ep_b', maxAttempts: 2, gen: 0, dueAt: T, payload: one.payload },
      {
        id: `${one.eventId}.ep_d`,
        status: 'held',
        holdReason: 'resting',
        heldAt: all[2]?.createdAt,
        gen: 0,
        dueAt: null,
      },
    ])
    expect(all.slice(0, 2)).toMatchObject([
      { status: 'pending' },
      { status: 'pending', holdReason: null, heldAt: null },
    ])
    expect((await db.run(insert)).rows).toEqual([])
    expect(await findAll(db)).toEqual(all)
  })
}
