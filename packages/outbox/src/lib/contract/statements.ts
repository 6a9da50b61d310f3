import { sql } from 'drizzle-orm'
import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { enqueueEvent, enqueueEventStatement } from '../enqueue.ts'
import { newEventId } from '../event.ts'
import { eventIdIn, eventRange } from '../row-id.ts'
import { raw, sqlText, toDrizzle, toSql } from '../statement.ts'
import { AWKWARD_PAYLOADS } from './enqueue.ts'
import { type Holds, MINUTE, T, databaseNow, event, eventIdAt, findAll, moved, row } from './fixtures.ts'

const CHANGES = { sql: 'create table changes (name text not null primary key)', params: [] }

const add = (name: string) => sqlText`insert into changes (name) values (${name})`

export function statementPromises(holds: Holds): void {
  holds('an enqueue statement commits with the change that it belongs to', async ({ db, rival }) => {
    await db.run(CHANGES)
    await db.atomic([sqlText`insert into changes (name) values (${'a'})`, enqueueEventStatement(event())])
    expect((await rival.run({ sql: 'select name from changes', params: [] })).rows).toEqual([{ name: 'a' }])
    expect(await findAll(rival)).toHaveLength(1)
  })

  holds('an enqueue statement is undone with a change that fails, before it or after it', async ({ db }) => {
    await db.run(CHANGES)
    const fails = sqlText`insert into changes (name) values (${null})`
    await expect(db.atomic([enqueueEventStatement(event()), fails])).rejects.toThrow(/not.?null/i)
    await expect(db.atomic([fails, enqueueEventStatement(event())])).rejects.toThrow(/not.?null/i)
    expect(await findAll(db)).toEqual([])
  })

  holds('atomic commits all its statements, in order, or none, and does nothing without any', async ({ db }) => {
    await db.run(CHANGES)
    const all = { sql: 'select name from changes order by name', params: [] }
    await expect(db.atomic([add('a'), add('b'), add('a')])).rejects.toThrow(/unique/i)
    expect((await db.run(all)).rows).toEqual([])
    const results = await db.atomic([add('b'), all, add('a'), all])
    expect(results.map(({ rows }) => rows.length)).toEqual([0, 1, 0, 2])
    expect(results.map(({ changes }) => changes)).toEqual([1, 0, 1, 0])
    expect(await db.atomic([])).toEqual([])
  })

  holds('an enqueue statement stores the exact payload, and may repeat an id', async ({ db }) => {
    for (const payload of AWKWARD_PAYLOADS) {
      const eventId = newEventId()
      await db.run(enqueueEventStatement(event({ eventId, payload })))
      await db.run(enqueueEventStatement(event({ eventId, payload: 'again' })))
      expect((await row(db, `${eventId}.ep_1`)).payload).toBe(payload)
    }
  })

  holds('an enqueue statement accepts the same values of due as enqueueEvent', async ({ db }) => {
    const now = await databaseNow(db)
    for (const due of ['now', 'dispatched', 0, T] as const) {
      for (const offset of [0, 6 * MINUTE, -6 * MINUTE]) {
        const { id } = await enqueueEvent(db, event({ eventId: eventIdAt(now + offset), due }))
        const eventId = eventIdAt(now + offset)
        await db.run(enqueueEventStatement(event({ eventId, due })))
        const [one, other] = [await row(db, id), await row(db, `${eventId}.ep_1`)]
        const kind = ({ dueAt, createdAt }: typeof one) => (dueAt === createdAt ? 'now' : dueAt)
        expect([due, offset, kind(other)]).toEqual([due, offset, kind(one)])
        expect(moved(other)).toEqual({ ...moved(one), id: other.id, dueAt: other.dueAt, createdAt: other.createdAt })
      }
    }
  })

  holds('toSql returns the text and its parameters in the spelling of the database', async ({ db }) => {
    const payload = 'is it ? or $1'
    for (const due of ['now', 'dispatched', T] as const) {
      const statement = enqueueEventStatement(event({ payload, due }))
      const sqlite = toSql(statement, 'sqlite')
      const postgres = toSql(statement, 'postgres')
      expect(sqlite.params).toContain(payload)
      expect(postgres.params).toEqual(sqlite.params)
      expect(sqlite.sql.split('?')).toHaveLength(sqlite.params.length + 1)
      expect(postgres.sql).not.toContain('?')
      const numbers = [...postgres.sql.matchAll(/\$(\d+)/g)].map(([, number]) => Number(number))
      expect(numbers).toEqual(postgres.params.map((_, index) => index + 1))
      await db.run(toSql(statement, db.dialect.name))
    }
    expect((await findAll(db)).map((kept) => kept.payload)).toEqual([payload, payload, payload])
  })

  holds(
    "a `?` in a quoted text, a quoted name or a comment is no parameter, in a text and in drizzle's form",
    async ({ db }) => {
      await db.run({ sql: 'create table notes (id text not null primary key, "what?" text not null)', params: [] })
      const insert = (id: string) => ({
        sql: `insert into notes /* ? */ (id, "what?") values (?, 'really?') -- ?`,
        params: [id],
      })
      await db.run(insert('a'))
      await db.atomic([insert('b'), toDrizzle(insert('c'), db.dialect.name)])
      const { rows } = await db.run({ sql: 'select id, "what?" as what from notes order by id', params: [] })
      expect(rows).toEqual(['a', 'b', 'c'].map((id) => ({ id, what: 'really?' })))
    },
  )

  holds(
    "a statement that begins or ends a transaction is refused, as a text and in drizzle's form, and nothing is written",
    async ({ db, rival }) => {
      await db.run(CHANGES)
      for (const text of ['commit', 'ROLLBACK', 'begin', 'savepoint s', 'pragma x', 'vacuum', '/* ; */ end;']) {
        for (const statement of [{ sql: text, params: [] }, sql.raw(text)]) {
          const refused = { code: 'invalid_statement', message: expect.stringContaining(text) as string }
          await expect(db.atomic([add('a'), statement, add('b')])).rejects.toMatchObject(refused)
          await expect(db.atomic([statement])).rejects.toMatchObject(refused)
          await expect(db.run(statement)).rejects.toMatchObject(refused)
        }
      }
      const two = { sql: "insert into changes values ('c'); commit", params: [] }
      await expect(db.atomic([add('a'), two])).rejects.toMatchObject({ code: 'invalid_statement' })
      // Nor does it end another caller's transaction, which may share the commit.
      const settled = await Promise.allSettled([
        db.atomic([add('n'), enqueueEventStatement(event())]),
        db.atomic([add('a'), { sql: 'commit', params: [] }]),
      ])
      expect(settled.map(({ status }) => status)).toEqual(['fulfilled', 'rejected'])
      expect((await rival.run({ sql: 'select name from changes', params: [] })).rows).toEqual([{ name: 'n' }])
      expect(await findAll(rival)).toHaveLength(1)
    },
  )

  holds('an enqueue statement of an invalid event is refused when it is created', async () => {
    expect(() => enqueueEventStatement(event({ eventId: 'evt_1' }))).toThrow(/UUIDv7/)
  })

  holds('drizzle statements run without a conversion', async ({ db }) => {
    await db.run(enqueueEventStatement(event({ payload: 'one?' })))
    const { rows } = await db.run(sql`select payload from pending_events where payload = ${'one?'}`)
    expect(rows).toEqual([{ payload: 'one?' }])
    expect((await claimDueEvents(db, { limit: 1, now: T })).claims).toHaveLength(1)
  })

  holds('eventRange selects the deliveries of an event and no others, by its id and by a column', async ({ db }) => {
    const [before, eventId, after] = [newEventId(), newEventId(), newEventId()]
    const endpoints = ['ep_1', '-', '_', 'Z', 'zz']
    for (const one of [before, eventId, after]) {
      for (const endpointId of endpoints) await enqueueEvent(db, event({ eventId: one, endpointId }))
    }
    const wanted = endpoints.map((endpointId) => `${eventId}.${endpointId}`).sort()
    const byItsId = await db.run<{ id: string }>(
      sqlText`select id from pending_events where ${eventRange(eventId)} order by id`,
    )
    expect(byItsId.rows.map(({ id }) => id)).toEqual(wanted)
    const byColumn = await db.run<{ id: string; event: string }>(sqlText`
      with named as (select cast(${eventId} as text) as event_id)
      select id, ${eventIdIn(raw('id'))} as event from named join pending_events on ${eventRange(raw('event_id'))}
      order by id`)
    expect(byColumn.rows).toEqual(wanted.map((id) => ({ id, event: eventId })))
  })
}
