import { expect } from 'vitest'
import { claimDueEvents, claimEvents, claimReadyEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { enqueueEvent, enqueueEventStatement, enqueueEvents } from '../enqueue.ts'
import { type OutboxEvent, newEventId } from '../event.ts'
import { insertSelectStatements } from '../insert.ts'
import { beginEvents } from '../lease.ts'
import { replayEvents } from '../replay.ts'
import { settleEvents } from '../settle.ts'
import { raw, sqlText } from '../statement.ts'
import { Transaction } from '../transaction.ts'
import { type Holds, MINUTE, databaseNow, event, eventIdAt, findAll, refsOf, sharing } from './fixtures.ts'

const DAY = 86_400_000
const XML = { payload: '<order id="1">\r\n</order>', contentType: 'application/xml; charset=utf-8' } as const

/** Inserts one row for each of this many receivers. */
async function publish(db: OutboxDatabase, parts: Partial<OutboxEvent>, receivers: number): Promise<void> {
  const { before, insert } = insertSelectStatements(db.dialect, event(parts), () => ({
    endpointId: sqlText`'ep_' || receivers.n`,
    maxAttempts: raw('3'),
    heldFor: raw('cast(null as text)'),
    from: sqlText`(
      with recursive counted (n) as (select 1 union all select n + 1 from counted where n < ${receivers})
      select n from counted) as receivers`,
  }))
  await db.atomic([...before, insert])
}

export function contentTypePromises(holds: Holds): void {
  holds('every insert stores the type of its payload beside those that have none', async ({ db }) => {
    const types = async (): Promise<(string | null)[]> => {
      const found = (await findAll(db)).map(({ contentType }) => contentType)
      await db.run({ sql: 'delete from pending_events', params: [] })
      return found
    }
    await enqueueEvent(db, event(XML))
    expect(await types()).toEqual([XML.contentType])
    const transaction = new Transaction()
    transaction.add(enqueueEventStatement(event(XML)))
    await transaction.commit(db)
    expect(await types()).toEqual([XML.contentType])
    const long = { ...XML, payload: 'é'.repeat(20_000) }
    await enqueueEvents(db, [event(), event(XML), event({ contentType: 'text/csv' }), ...sharing(4, XML), event(long)])
    expect(await types()).toEqual([null, XML.contentType, 'text/csv', ...Array<string>(5).fill(XML.contentType)])
    // Copied into each row, stored once for all of them, and too long for a row on SQLite.
    for (const [receivers, payload] of [
      [2, XML.payload],
      [4, XML.payload],
      [1, long.payload],
    ] as const) {
      await publish(db, { ...XML, payload }, receivers)
      expect(await types()).toEqual(Array<string>(receivers).fill(XML.contentType))
      await publish(db, { payload }, receivers)
      expect(await types()).toEqual(Array<null>(receivers).fill(null))
    }
  })

  holds('every verb that returns a row returns the type of its payload', async ({ db, rival }) => {
    const of = (rows: readonly OutboxRow[]): unknown[] =>
      rows.map(({ payload, contentType }) => ({ payload, contentType }))
    const lanes = [{ workspaceId: 'ws_1', endpointId: 'ep_1', count: 1 }]
    const now = await databaseNow(db)
    await enqueueEvent(db, event({ ...XML, due: 'now' }))
    const first = await claimReadyEvents(rival, { lanes, now })
    expect(of(first.claims)).toEqual([XML])
    const failing = first.claims.map((claim) => ({ settle: 'fail', claim, error: 'e' }) as const)
    await settleEvents(db, failing, { now })
    await replayEvents(db, { status: 'failed' }, { now })
    const second = await claimReadyEvents(rival, { lanes, now })
    expect(of(second.claims)).toEqual([XML])
    await enqueueEvent(db, event({ ...XML, due: 'now' }))
    const completing = second.claims.map((claim) => ({ settle: 'complete', claim }) as const)
    const { claimed } = await settleEvents(db, completing, { claim: { lanes, now }, now })
    expect(of(claimed.claims)).toEqual([XML])
    expect(of((await claimDueEvents(rival, { limit: 10, now: now + DAY })).claims)).toEqual([XML])

    const dispatched = event({ ...XML, due: 'dispatched', eventId: eventIdAt(now - 4 * MINUTE) })
    const { id } = await enqueueEvent(db, dispatched)
    expect(of((await beginEvents(rival, await refsOf(db, [id]))).current)).toEqual([XML])
    expect(of((await claimEvents(rival, await refsOf(db, [id]), { now })).claims)).toEqual([XML])
  })

  holds('rows of one event that share a payload may differ in its type', async ({ db }) => {
    const eventId = newEventId()
    const types = ['text/plain', 'text/csv', undefined, 'application/xml']
    await enqueueEvents(
      db,
      types.map((contentType, n) => event({ eventId, endpointId: `ep_${n}`, payload: 'a,b', contentType })),
    )
    expect((await findAll(db)).map(({ contentType }) => contentType)).toEqual(types.map((type) => type ?? null))
  })

  holds('an invalid type of a payload is refused before anything is written', async ({ db }) => {
    for (const contentType of ['', 'xml', 'text/xml\r\nx: y']) {
      await expect(enqueueEvents(db, [event(), event({ contentType })])).rejects.toMatchObject({
        code: 'invalid_event',
        message: expect.stringContaining('contentType must be a media type'),
      })
    }
    expect(await findAll(db)).toEqual([])
  })
}

type OutboxRow = Pick<Awaited<ReturnType<typeof findAll>>[number], 'payload' | 'contentType'>
