import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { migrate, openSqlite } from '@keepsend/adapter-node'
import Database from 'better-sqlite3'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createTestEngine } from '../src/index.ts'
import { type OwnConnection, transactionPromises } from './transaction-promises.ts'

async function migratedFile(driver: 'better-sqlite3' | 'node:sqlite'): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-testing-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  const file = join(folder, 'app.db')
  const db = driver === 'node:sqlite' ? openSqlite(file, { driver }) : openSqlite(file)
  await migrate(db)
  await db.run({ sql: 'create table messages (id text primary key not null, text text not null)', params: [] })
  db.close()
  return file
}

type Connection = Database.Database | DatabaseSync

async function openOwn<C extends Connection>(driver: 'better-sqlite3' | 'node:sqlite', connect: (file: string) => C) {
  const file = await migratedFile(driver)
  const [connection, onlooker] = [connect(file), connect(file)]
  onTestFinished(() => {
    connection.close()
    onlooker.close()
  })
  const own = {
    connection,
    async within(end, work) {
      connection.exec('begin')
      try {
        await work(connection)
      } finally {
        connection.exec(end)
      }
    },
    committed: async (sql) =>
      onlooker
        .prepare(sql)
        .all()
        .map((row) => ({ ...(row as object) })),
    exec: async (sql) => connection.exec(sql),
  } satisfies OwnConnection & { connection: C }
  return own
}

const openBetterSqlite = () => openOwn('better-sqlite3', (file) => new Database(file))

describe('a transaction of better-sqlite3', () => {
  transactionPromises(openBetterSqlite)
})

describe('a transaction of node:sqlite', () => {
  transactionPromises(() => openOwn('node:sqlite', (file) => new DatabaseSync(file)))
})

describe('a connection', () => {
  it('without an open transaction is refused, at the creation and at each call after its end', async () => {
    const { connection } = await openBetterSqlite()
    await expect(createTestEngine({ db: connection })).rejects.toMatchObject({ code: 'no_transaction' })
    connection.exec('begin')
    const engine = await createTestEngine({ db: connection })
    connection.exec('rollback')
    await expect(engine.published()).rejects.toMatchObject({ code: 'no_transaction' })
    const late = engine.commit({ writes: [], events: [{ type: 'a', workspaceId: 'w1', data: {} }] })
    await expect(late).rejects.toThrow('a connection without an open transaction')
    expect(connection.inTransaction).toBe(false)
  })

  it('may be that of a drizzle handle, and sees the statements of publishStatements', async () => {
    const { connection, committed, ...own } = await openBetterSqlite()
    await own.within('rollback', async () => {
      const engine = await createTestEngine({ db: drizzle({ client: connection }) })
      await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
      const event = { id: 'evt_01990000-0000-7000-8000-000000000001', type: 'a', workspaceId: 'w1', data: { n: 1 } }
      for (const statement of engine.publishStatements(event)) drizzle({ client: connection }).run(statement)
      expect(await engine.published()).toMatchObject([{ id: event.id, data: { n: 1 } }])
      expect(await engine.deliverAll()).toMatchObject({ delivered: 1 })
    })
    expect(await committed('select 1 from keepsend_events')).toEqual([])
  })

  it.each([[{}], [{ $client: {} }], [() => {}], [{ query: () => {}, totalCount: 1 }]])(
    'of another kind, or a pool, is refused with the kinds that are taken: %o',
    async (db) => {
      await expect(createTestEngine({ db } as object)).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringMatching(/^db must be a database of Keepsend/),
      })
    },
  )
})
