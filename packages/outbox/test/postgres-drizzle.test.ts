// Statements in the caller's own transaction: drizzle on both drivers, a plain client, Kysely.
import { eq } from 'drizzle-orm'
import { drizzle as drizzlePg } from 'drizzle-orm/node-postgres'
import { drizzle as drizzlePostgresJs } from 'drizzle-orm/postgres-js'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { CompiledQuery, Kysely, PostgresDialect } from 'kysely'
import pg from 'pg'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type OutboxDatabase, claimDueEvents, enqueueEvent, enqueueEventStatement, toSql } from '../src/index.ts'
import { pendingEvents } from '../src/lib/postgres/table.ts'
import { fromPostgres } from '../src/postgres.ts'
import { DRIVER_NAMES, type DriverName, event, open } from './postgres.ts'

const orders = pgTable('orders', { id: text('id').primaryKey() })

/** A drizzle handle over the driver, and Keepsend over the handle. */
function overDrizzle(driver: DriverName, url: string) {
  if (driver === 'pg') {
    const pool = new pg.Pool({ connectionString: url, max: 4 })
    onTestFinished(() => pool.end())
    const orm = drizzlePg({ client: pool })
    return { orm, db: fromPostgres(orm) }
  }
  const sql = postgres(url, { max: 4, onnotice: () => undefined })
  onTestFinished(() => sql.end())
  const orm = drizzlePostgresJs({ client: sql })
  return { orm, db: fromPostgres(orm) }
}

async function openWithOrders() {
  const { host, schema, db } = await open()
  await host.query('create table orders (id text primary key)')
  const count = async (table: string) => (await host.query(`select * from ${table}`)).rows.length
  const counts = async () => [await count('orders'), await count('pending_events')]
  return { host, schema, db, counts }
}

describe.each(DRIVER_NAMES)("with the caller's own drizzle transaction on %s", (driver) => {
  async function openDrizzle() {
    const opened = await openWithOrders()
    return { ...opened, ...overDrizzle(driver, opened.schema.url) }
  }

  it('commits an enqueue inside orm.transaction with it, and the row can be claimed', async () => {
    const { orm, db, counts } = await openDrizzle()
    await orm.transaction(async (tx) => {
      await tx.insert(orders).values({ id: 'o1' })
      await tx.execute(enqueueEventStatement(event()))
    })
    expect(await counts()).toEqual([1, 1])
    expect((await claimDueEvents(db, { limit: 5 })).claims).toMatchObject([{ payload: '{"q":"?"}', attempts: 1 }])
  })

  it('rolls back an enqueue inside orm.transaction with it', async () => {
    const { orm, counts } = await openDrizzle()
    const placing = orm.transaction(async (tx) => {
      await tx.execute(enqueueEventStatement(event()))
      await tx.insert(orders).values({ id: 'o1' })
      throw new Error('out of stock')
    })
    await expect(placing).rejects.toThrow('out of stock')
    expect(await counts()).toEqual([0, 0])
  })

  it('accepts unexecuted query builders as statements of atomic', async () => {
    const { orm, db, counts } = await openDrizzle()
    const insert = orm.insert(orders).values({ id: 'o1' })
    await db.atomic([insert, enqueueEventStatement(event())])
    expect(await counts()).toEqual([1, 1])
    await expect(db.atomic([enqueueEventStatement(event()), insert])).rejects.toMatchObject({ code: '23505' })
    expect(await counts()).toEqual([1, 1])
    const { rows, changes } = await db.run(orm.delete(orders).where(eq(orders.id, 'o1')).returning())
    expect([rows, changes]).toEqual([[{ id: 'o1' }], 1])
  })

  it('reads the same rows through the drizzle table as the verbs return', async () => {
    const { orm, db } = await openDrizzle()
    await enqueueEvent(db, event())
    const { claims } = await claimDueEvents(db, { limit: 1 })
    expect(await orm.select().from(pendingEvents)).toMatchObject(claims)
  })
})

/** Places an order in a transaction that commits, and in one that fails. */
async function expectAllOrNothing(
  { db, counts }: { db: OutboxDatabase; counts: () => Promise<number[]> },
  place: (id: string, enqueue: { sql: string; params: readonly unknown[] }) => Promise<unknown>,
): Promise<void> {
  await expect(place('bad', toSql(enqueueEventStatement(event()), 'postgres'))).rejects.toThrow('no')
  expect(await counts()).toEqual([0, 0])
  await place('good', toSql(enqueueEventStatement(event()), 'postgres'))
  expect(await counts()).toEqual([1, 1])
  expect((await claimDueEvents(db, { limit: 5 })).claims).toMatchObject([{ payload: '{"q":"?"}' }])
}

describe('toSql, in the transaction of another library', () => {
  it('a rollback of a plain pg client leaves no row', async () => {
    const opened = await openWithOrders()
    await expectAllOrNothing(opened, async (id, enqueue) => {
      const client = await opened.host.connect()
      try {
        await client.query('begin')
        await client.query('insert into orders values ($1)', [id])
        await client.query(enqueue.sql, [...enqueue.params])
        if (id === 'bad') throw new Error('no')
        await client.query('commit')
      } catch (error) {
        await client.query('rollback')
        throw error
      } finally {
        client.release()
      }
    })
  })

  it('a rollback of postgres.js leaves no row', async () => {
    const opened = await openWithOrders()
    const sql = postgres(opened.schema.url)
    onTestFinished(() => sql.end())
    await expectAllOrNothing(opened, (id, enqueue) =>
      sql.begin(async (tx) => {
        await tx`insert into orders values (${id})`
        await tx.unsafe(enqueue.sql, enqueue.params as never[])
        if (id === 'bad') throw new Error('no')
      }),
    )
  })

  it('a rollback of Kysely leaves no row', async () => {
    const opened = await openWithOrders()
    const kysely = new Kysely<{ orders: { id: string } }>({ dialect: new PostgresDialect({ pool: opened.host }) })
    await expectAllOrNothing(opened, (id, enqueue) =>
      kysely.transaction().execute(async (trx) => {
        await trx.insertInto('orders').values({ id }).execute()
        await trx.executeQuery(CompiledQuery.raw(enqueue.sql, [...enqueue.params]))
        if (id === 'bad') throw new Error('no')
      }),
    )
  })
})
