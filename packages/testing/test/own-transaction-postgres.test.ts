import { migrate, openPostgres } from '@keepsend/adapter-node'
import pg from 'pg'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import { createTestEngine } from '../src/index.ts'
import { openEngine } from './open-engine.ts'
import { type OwnConnection, transactionPromises } from './transaction-promises.ts'

async function openSchema() {
  const schema = await createSchema()
  const { url } = schema
  const db = await openPostgres({ url, listen: false })
  onTestFinished(async () => {
    await db.close()
    await schema.drop()
  })
  await migrate(db)
  await db.run({ sql: 'create table messages (id text primary key not null, text text not null)', params: [] })
  const committed: OwnConnection['committed'] = async (sql) => (await db.run({ sql, params: [] })).rows
  return { url, db, committed }
}

describe('a transaction of pg', () => {
  transactionPromises(async () => {
    const { url, committed } = await openSchema()
    const client = new pg.Client(url)
    await client.connect()
    onTestFinished(() => client.end())
    return {
      committed,
      exec: (sql) => client.query(sql),
      async within(end, work) {
        await client.query('begin')
        try {
          await work(client)
        } finally {
          await client.query(end)
        }
      },
    }
  })
})

describe('a transaction of postgres.js', () => {
  transactionPromises(async () => {
    const { url, committed } = await openSchema()
    const search = decodeURIComponent(new URL(url).search).split('search_path=')[1] ?? ''
    const sql = postgres(url.split('?')[0] ?? '', { max: 1, connection: { search_path: search }, onnotice: () => {} })
    onTestFinished(() => sql.end())
    let exec: OwnConnection['exec'] = async () => {}
    return {
      committed,
      exec: (text) => exec(text),
      async within(end, work) {
        await sql
          .begin(async (transaction) => {
            exec = (text) => transaction.unsafe(text)
            await work(transaction)
            if (end === 'rollback') throw new Error('rolled back by the test')
          })
          .catch((error: Error) => {
            if (error.message !== 'rolled back by the test') throw error
          })
      },
    }
  })
})

it('a database of Postgres is taken as it is, in virtual time, and other users of it keep their own', async () => {
  const { db } = await openSchema()
  const engine = await openEngine({ db, retrySchedule: [60] })
  await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
  engine.receiver.answer([503, 200])
  await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
  expect(await engine.deliverAll()).toMatchObject({ attempts: 2, delivered: 1, elapsedMs: 60_000 })
  const { rows } = await db.run<{ ms: number }>({ sql: 'select ms as "ms" from keepsend_clock', params: [] })
  expect(rows[0]?.ms).toBeLessThan(engine.now())
  expect((await engine.attempts.list('w1', { limit: 10 })).rows).toMatchObject([
    { outcome: 'delivered', startedAt: engine.now() },
    { outcome: 'retry' },
  ])
})

it('a pool, and the handle of postgres.js outside of a transaction, are refused', async () => {
  const { url, db } = await openSchema()
  const sql = postgres(url.split('?')[0] ?? '')
  for (const given of [db.pool, sql]) {
    await expect(createTestEngine({ db: given } as object)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('or a pool'),
    })
  }
  await sql.end()
})

it('a client without a transaction is refused by the server', async () => {
  const { url } = await openSchema()
  const client = new pg.Client(url)
  await client.connect()
  onTestFinished(() => client.end())
  await expect(createTestEngine({ db: client })).rejects.toThrow('SAVEPOINT can only be used in transaction blocks')
})
