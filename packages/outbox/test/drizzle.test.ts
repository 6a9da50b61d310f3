import Database from 'better-sqlite3'
import { eq } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { claimDueEvents, enqueueEventStatement, migrateOutbox, newEventId, toSql } from '../src/index.ts'
import { pendingEvents } from '../src/lib/sqlite/table.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'

const orders = sqliteTable('orders', { id: text('id').primaryKey() })

async function open() {
  const connection = new Database(':memory:')
  connection.exec('create table orders (id text primary key)')
  const db = fromBetterSqlite(connection)
  await migrateOutbox(db)
  const orm = drizzle(connection)
  const counts = () => [orm.select().from(orders).all().length, orm.select().from(pendingEvents).all().length]
  return { connection, db, orm, counts }
}

const event = () => ({ eventId: newEventId(), workspaceId: 'w', type: 'order.placed', payload: '{"q":"?"}' })

describe("with the caller's own drizzle transaction", () => {
  it('commits an enqueue inside orm.transaction with it, and the row can be claimed', async () => {
    const { db, orm, counts } = await open()
    orm.transaction((tx) => {
      tx.insert(orders).values({ id: 'o1' }).run()
      tx.run(enqueueEventStatement(event()))
    })
    expect(counts()).toEqual([1, 1])
    expect((await claimDueEvents(db, { limit: 5 })).claims).toMatchObject([{ payload: '{"q":"?"}', attempts: 1 }])
  })

  it('rolls back an enqueue inside orm.transaction with it', async () => {
    const { orm, counts } = await open()
    const placing = () =>
      orm.transaction((tx) => {
        tx.run(enqueueEventStatement(event()))
        tx.insert(orders).values({ id: 'o1' }).run()
        throw new Error('out of stock')
      })
    expect(placing).toThrow('out of stock')
    expect(counts()).toEqual([0, 0])
  })

  it('accepts unexecuted query builders as statements of atomic', async () => {
    const { db, orm, counts } = await open()
    const insert = orm.insert(orders).values({ id: 'o1' })
    await db.atomic([insert, enqueueEventStatement(event())])
    expect(counts()).toEqual([1, 1])
    await expect(db.atomic([enqueueEventStatement(event()), insert])).rejects.toThrow(/UNIQUE/)
    expect(counts()).toEqual([1, 1])
    const { rows, changes } = await db.run(orm.delete(orders).where(eq(orders.id, 'o1')).returning())
    expect([rows, changes]).toEqual([[{ id: 'o1' }], 1])
  })

  it("renders statements for better-sqlite3's own transactions by toSql", async () => {
    const { connection, counts } = await open()
    const { sql, params } = toSql(enqueueEventStatement(event()), 'sqlite')
    const place = connection.transaction((id: string) => {
      connection.prepare('insert into orders values (?)').run(id)
      connection.prepare(sql).run(...params)
      if (id === 'bad') throw new Error('no')
    })
    expect(() => place('bad')).toThrow('no')
    expect(counts()).toEqual([0, 0])
    place('good')
    expect(counts()).toEqual([1, 1])
  })
})
