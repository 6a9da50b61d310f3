import { expect } from 'vitest'
import { claimDueEvents, claimEvents, claimReadyEvents } from '../claim.ts'
import { type OutboxDatabase, onlyRow } from '../database.ts'
import { enqueueEvent, enqueueEvents } from '../enqueue.ts'
import { type OutboxEvent, newEventId } from '../event.ts'
import { insertSelectStatements } from '../insert.ts'
import { beginEvents } from '../lease.ts'
import { replayEvents } from '../replay.ts'
import { settleEvents } from '../settle.ts'
import { raw, sqlText } from '../statement.ts'
import {
  type Holds,
  MINUTE,
  databaseNow,
  event,
  eventIdAt,
  findAll,
  refsOf,
  sharing,
  storedPayloads as stored,
} from './fixtures.ts'

const DAY = 86_400_000

/** Inserts names of receivers into a table for {@link publish}. */
async function makeReceivers(db: OutboxDatabase, count: number): Promise<void> {
  await db.run({ sql: 'create table receivers (name text not null primary key)', params: [] })
  await db.run(sqlText`
    insert into receivers
    with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count})
    select 'ep_' || value from n`)
}

/** Inserts one row for each receiver, or for the named one. */
async function publish(db: OutboxDatabase, parts: Partial<OutboxEvent> = {}, name?: string): Promise<void> {
  const { before, insert } = insertSelectStatements(db.dialect, event(parts), () => ({
    endpointId: raw('receivers.name'),
    maxAttempts: raw('3'),
    heldFor: raw('cast(null as text)'),
    from: sqlText`receivers where name = coalesce(cast(${name ?? null} as text), name)`,
  }))
  await db.atomic([...before, insert])
}

const payloadsOf = async (db: OutboxDatabase): Promise<string[]> => (await findAll(db)).map(({ payload }) => payload)

export function payloadPromises(holds: Holds): void {
  holds('more than three rows of one event share a payload', async ({ db }) => {
    await makeReceivers(db, 4)
    await enqueueEvents(db, sharing(3))
    await publish(db, {}, 'ep_1')
    expect(await stored(db)).toMatchObject({ once: 0, inline: 4 })
    await enqueueEvents(db, [event(), ...sharing(4, { payload: 'shared ?' }), event()])
    expect(await stored(db)).toMatchObject({ once: 1, inline: 6 })
    await publish(db, { payload: 'published ?' })
    expect(await stored(db)).toMatchObject({ once: 2, inline: 6 })
    const shared = (await payloadsOf(db)).filter((payload) => payload.endsWith('?'))
    expect(shared).toEqual([...Array(4).fill('shared ?'), ...Array(4).fill('published ?')])
  })

  holds('a payload that is too long for a row is stored beside it, except on D1 and Postgres', async ({ db }) => {
    await makeReceivers(db, 1)
    const { inlinesLong } = db.dialect
    const most = inlinesLong ? 20_000 : 1000
    // The limit is in bytes, and each of these characters has two.
    const [fits, long] = ['é'.repeat(most / 2), 'é'.repeat(most / 2 + 1)]
    const insert = async (payload: string): Promise<void> => {
      await enqueueEvent(db, event({ payload }))
      await enqueueEvents(db, [event({ payload }), event({ payload })])
      await publish(db, { payload })
    }
    await insert(fits)
    expect(await stored(db)).toMatchObject({ once: 0, inline: 4 })
    await insert(long)
    expect(await stored(db)).toMatchObject(inlinesLong ? { once: 0, inline: 8 } : { once: 4, inline: 4 })
    expect(await payloadsOf(db)).toEqual([...Array(4).fill(fits), ...Array(4).fill(long)])
  })

  holds('an event of 256 KiB for 2,000 receivers takes the bytes of one', async ({ db }) => {
    await makeReceivers(db, 2000)
    await publish(db, { payload: 'x'.repeat(262_144) })
    expect(await countRows(db)).toBe(2000)
    expect(await stored(db)).toEqual({ once: 1, inline: 0, characters: 262_144 })
    await enqueueEvents(db, sharing(2000, { payload: 'y'.repeat(262_144) }))
    expect(await countRows(db)).toBe(4000)
    expect(await stored(db)).toEqual({ once: 2, inline: 0, characters: 2 * 262_144 })
  })

  holds('an event without a receiver stores nothing', async ({ db }) => {
    await makeReceivers(db, 1)
    for (const payload of ['{}', 'x'.repeat(5000)]) await publish(db, { payload }, 'nobody')
    expect(await stored(db)).toEqual({ once: 0, inline: 0, characters: 0 })
  })

  holds('every verb that returns a row returns its payload', async ({ db, rival }) => {
    const payload = 'the bytes'
    const expected = Array(4).fill(payload)
    const of = (rows: readonly { payload: string }[]): string[] => rows.map((row) => row.payload)
    const lanes = ['ep_1', 'ep_2', 'ep_3', 'ep_4'].map((endpointId) => ({ workspaceId: 'ws_1', endpointId, count: 1 }))
    const now = await databaseNow(db)
    await enqueueEvents(db, sharing(4, { payload, due: 'now' }))
    const first = await claimReadyEvents(rival, { lanes, now })
    expect(of(first.claims)).toEqual(expected)
    const failing = first.claims.map((claim) => ({ settle: 'fail', claim, error: 'e' }) as const)
    await settleEvents(db, failing, { now })
    await replayEvents(db, { status: 'failed' }, { now })
    const second = await claimReadyEvents(rival, { lanes, now })
    expect(of(second.claims)).toEqual(expected)
    // The next claim in the commit of a settle.
    await enqueueEvents(db, sharing(4, { payload, due: 'now' }))
    const completing = second.claims.map((claim) => ({ settle: 'complete', claim }) as const)
    const { claimed } = await settleEvents(db, completing, { claim: { lanes, now }, now })
    expect(of(claimed.claims)).toEqual(expected)
    // A lease that expired.
    expect(of((await claimDueEvents(rival, { limit: 10, now: now + DAY })).claims)).toEqual(expected)

    const dispatched = sharing(4, { payload, due: 'dispatched', eventId: eventIdAt(now - 4 * MINUTE) })
    const ids = (await enqueueEvents(db, dispatched)).map(({ id }) => id)
    expect(of((await beginEvents(rival, await refsOf(db, ids))).current)).toEqual(expected)
    expect(of((await claimEvents(rival, await refsOf(db, ids), { now })).claims)).toEqual(expected)
  })

  holds('two payloads under one event id are not mixed up', async ({ db }) => {
    await makeReceivers(db, 4)
    const eventId = newEventId()
    const long = 'x'.repeat(1001)
    await publish(db, { eventId, payload: 'of one workspace' })
    await db.run({ sql: "update receivers set name = name || '_b'", params: [] })
    await publish(db, { eventId, payload: 'of another', workspaceId: 'ws_2' })
    // Short, and for one receiver: it is not stored apart, and uses no stored payload.
    await db.run({ sql: "update receivers set name = name || '_c'", params: [] })
    await publish(db, { eventId, payload: 'for one' }, 'ep_1_b_c')
    await enqueueEvents(db, [
      ...sharing(4, { eventId, payload: long }).map((one) => ({ ...one, endpointId: `${one.endpointId}_d` })),
      ...sharing(4, { eventId, payload: 'listed' }).map((one) => ({ ...one, endpointId: `${one.endpointId}_e` })),
    ])
    const found = new Map((await findAll(db)).map(({ endpointId, payload }) => [endpointId, payload]))
    expect([1, 2, 3, 4].flatMap((n) => ['', '_b', '_d', '_e'].map((more) => found.get(`ep_${n}${more}`)))).toEqual(
      [1, 2, 3, 4].flatMap(() => ['of one workspace', 'of another', long, 'listed']),
    )
    expect(found.get('ep_1_b_c')).toBe('for one')
  })

  holds('a repeated publish changes no payload', async ({ db, rival }) => {
    await makeReceivers(db, 4)
    const eventId = newEventId()
    await publish(db, { eventId, payload: 'first' })
    await publish(rival, { eventId, payload: 'second' })
    await enqueueEvents(
      rival,
      [1, 2, 3, 4].map((n) => event({ eventId, endpointId: `ep_${n}`, payload: 'third' })),
    )
    expect(await payloadsOf(db)).toEqual(Array(4).fill('first'))
  })

  holds('a row without a payload cannot be inserted', async ({ db }) => {
    await enqueueEvent(db, event())
    await expect(db.run({ sql: 'update pending_events set payload = null', params: [] })).rejects.toThrow(/check/i)
  })
}

async function countRows(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run<{ n: number }>({ sql: 'select count(*) as "n" from pending_events', params: [] })
  return onlyRow(rows).n
}
