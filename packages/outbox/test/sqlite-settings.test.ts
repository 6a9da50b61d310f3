import Database from 'better-sqlite3'
import { expect, it } from 'vitest'
import { claimDueEvents, completeEvent, enqueueEvent, migrateOutbox, newEventId, outboxStats } from '../src/index.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'

it('reads rows as objects with numbers, whatever the host has set on its connection and its own statements', async () => {
  const connection = new Database(':memory:')
  connection.defaultSafeIntegers()
  const db = fromBetterSqlite(connection)
  await migrateOutbox(db)
  await enqueueEvent(db, { eventId: newEventId(), workspaceId: 'w', type: 'a', payload: '{}' })
  const { claims } = await claimDueEvents(db, { limit: 5 })
  expect(claims).toMatchObject([{ workspaceId: 'w', attempts: 1, gen: expect.any(Number) as number }])
  expect(await outboxStats(db)).toMatchObject({ inFlight: 1 })

  const text = 'select id, gen from pending_events'
  connection.prepare(text).pluck().all()
  connection.prepare(text).raw().all()
  const { rows } = await db.run({ sql: text, params: [] })
  expect(rows).toEqual([{ id: claims[0]?.id, gen: claims[0]?.gen }])
  expect(await completeEvent(db, claims[0] as (typeof claims)[number])).toBe('ok')
  connection.close()
})
