import { DatabaseSync } from 'node:sqlite'
import { afterAll, describe, expect, it, onTestFinished } from 'vitest'
import { type Statement, migrateOutbox } from '../src/index.ts'
import { sqlText } from '../src/internal.ts'
import { type NodeSqliteConnection, fromNodeSqlite } from '../src/sqlite.ts'
import { outboxContract } from '../src/testing.ts'
import { temporaryFolder } from './open.ts'

const folder = temporaryFolder()
let files = 0
afterAll(() => folder.remove())

function openFile(path: string): DatabaseSync {
  const connection = new DatabaseSync(path)
  connection.exec('pragma journal_mode = WAL; pragma synchronous = FULL')
  return connection
}

outboxContract('SQLite in memory, by node:sqlite', async () => {
  const connection = new DatabaseSync(':memory:')
  const db = fromNodeSqlite(connection)
  await migrateOutbox(db)
  return { db, rival: db, close: async () => connection.close() }
})

outboxContract('SQLite in a file with two connections, by node:sqlite', async () => {
  const path = folder.file(`${++files}.db`)
  const [connection, other] = [openFile(path), openFile(path)]
  const db = fromNodeSqlite(connection)
  await migrateOutbox(db)
  return {
    db,
    rival: fromNodeSqlite(other),
    async close() {
      other.close()
      connection.close()
    },
  }
})

const keep = (name: string | null): Statement => sqlText`insert into kept (name) values (${name})`

function open(options: ConstructorParameters<typeof DatabaseSync>[1] = {}) {
  const connection = new DatabaseSync(':memory:', options)
  onTestFinished(() => connection.close())
  connection.exec(`
    create table kept (name text not null primary key);
    create trigger burn before insert on kept when new.name = 'burn' begin select raise(rollback, 'burnt'); end`)
  return { connection, names: () => Object.values(connection.prepare('select name from kept order by name').all()) }
}

/** The connection as it was before Node 22.16. */
function older(connection: DatabaseSync): NodeSqliteConnection {
  return { prepare: (sql) => connection.prepare(sql), exec: (sql) => connection.exec(sql) }
}

describe('node:sqlite', () => {
  it.each([
    ['select 1 as one', { rows: [{ one: 1 }], changes: 0 }],
    ["insert into kept values ('a')", { rows: [], changes: 1 }],
    ["insert into kept values ('a'), ('b') returning name", { rows: [{ name: 'a' }, { name: 'b' }], changes: 2 }],
    ['with one as (select 1 as n) select n from one', { rows: [{ n: 1 }], changes: 0 }],
    ["with one as (select 'c' as n) insert into kept select n from one", { rows: [], changes: 1 }],
    ['explain select 1', { rows: expect.any(Array) as object[], changes: 0 }],
    ['delete from kept', { rows: [], changes: 0 }],
  ])('returns the rows and the number of changes of %s', async (sql, result) => {
    const { connection } = open()
    expect(await fromNodeSqlite(connection).run({ sql, params: [] })).toEqual(result)
  })

  it.each(['as it is', 'as it was before Node 22.16'])(
    'detects that SQLite ended a transaction by itself, with a driver %s',
    async (when) => {
      const { connection, names } = open()
      const db = fromNodeSqlite(when === 'as it is' ? connection : older(connection))
      const results = await Promise.allSettled([db.run(keep('a')), db.run(keep('burn')), db.run(keep('c'))])
      expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
      expect(names()).toMatchObject([{ name: 'a' }, { name: 'c' }])
    },
  )

  it("rejects a broken constraint with the driver's own error, and undoes its caller alone", async () => {
    const { connection, names } = open()
    const db = fromNodeSqlite(connection)
    const results = await Promise.allSettled([db.run(keep('a')), db.run(keep(null))])
    expect(results).toMatchObject([{ status: 'fulfilled' }, { reason: { code: 'ERR_SQLITE_ERROR', errcode: 1299 } }])
    expect(names()).toMatchObject([{ name: 'a' }])
  })

  it('waits for a lock of another connection, and rejects with not_accepted after busyTimeoutMs', async () => {
    const path = folder.file('locked.db')
    const [connection, other] = [openFile(path), openFile(path)]
    onTestFinished(() => {
      other.close()
      connection.close()
    })
    connection.exec('create table kept (name text not null primary key)')
    const db = fromNodeSqlite(connection, { busyTimeoutMs: 200 })
    other.exec('begin immediate')
    const waiting = db.run(keep('a'))
    setTimeout(() => other.exec('commit'), 20)
    expect(await waiting).toEqual({ rows: [], changes: 1 })
    other.exec('begin immediate')
    await expect(db.run(keep('b'))).rejects.toMatchObject({ code: 'not_accepted', cause: { errcode: 5 } })
    other.exec('rollback')
  })

  it('ignores how the host reads its own rows', async () => {
    const { connection } = open({ readBigInts: true, returnArrays: true })
    const db = fromNodeSqlite(connection)
    expect((await db.run({ sql: 'select 1 as one', params: [] })).rows).toEqual([{ one: 1 }])
    expect((await migrateOutbox(db)).length).toBeGreaterThan(0)
  })
})
