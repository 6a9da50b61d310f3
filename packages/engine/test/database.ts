import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { OutboxDatabase } from '@keepsend/outbox'
import type { Row, SqlValue } from '@keepsend/outbox/internal'
import { fromPostgres } from '@keepsend/outbox/postgres'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import Database from 'better-sqlite3'
import pg from 'pg'
import { onTestFinished } from 'vitest'
import { migrateEngine } from '@keepsend/engine'
import { type SchemaKind, createSchema, lendSchema } from '../../../test/postgres/schema.ts'

/** A database for one test, deleted after it. The same tests run on each kind of database: see vitest.config.ts. */
export interface TestDatabase {
  db: OutboxDatabase
  /** Reads rows over a second connection, which sees only committed ones. */
  select: (sql: string, ...params: SqlValue[]) => Promise<Row[]>
  /** Makes the database refuse every write of the engine from now on, or accept them again. */
  readOnly: (on: boolean) => Promise<void>
}

/** @param isPrepared whether it has the tables of {@link prepare} already */
export async function openDatabase({ isPrepared = true } = {}): Promise<TestDatabase> {
  if (process.env['KEEPSEND_TEST_ON'] === 'postgres') return openPostgres({ isPrepared })
  const path = temporaryFile()
  // A file is written in a hundredth of the time of the migrations.
  if (isPrepared) writeFileSync(path, (preparedFile ??= await prepareFile()))
  return openFile(path).database
}

let preparedFile: Buffer | undefined

async function prepareFile(): Promise<Buffer> {
  const path = temporaryFile()
  const connection = connect(path)
  await prepare(fromBetterSqlite(connection))
  connection.close()
  return readFileSync(path)
}

/** The tables of the engine, and a host's table `messages` beside them. */
export async function prepare(db: OutboxDatabase): Promise<void> {
  await migrateEngine(db)
  await db.run({
    sql: 'create table if not exists messages (id text primary key not null, text text not null)',
    params: [],
  })
}

/** A SQLite file, and its connection for tests that need it. */
export function openFile(path: string): { database: TestDatabase; connection: Database.Database } {
  const connection = connect(path)
  const beside = connect(path)
  onTestFinished(() => {
    connection.close()
    beside.close()
  })
  return {
    connection,
    database: {
      db: fromBetterSqlite(connection),
      select: (sql, ...params) => Promise.resolve(beside.prepare(sql).all(...params) as Row[]),
      readOnly: (on) => Promise.resolve(void connection.pragma(`query_only = ${on ? 'on' : 'off'}`)),
    },
  }
}

/** Opens a connection as a host should: WAL, and a sync for every commit. */
function connect(path: string): Database.Database {
  const connection = new Database(path)
  connection.pragma('journal_mode = WAL')
  // After the journal mode: better-sqlite3 is built to fall back to NORMAL when WAL is chosen.
  connection.pragma('synchronous = FULL')
  connection.pragma('busy_timeout = 5000')
  return connection
}

/** A path in a folder that is deleted after the test. */
export function temporaryFile(name = 'app.db'): string {
  const folder = mkdtempSync(join(tmpdir(), 'keepsend-engine-'))
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }))
  return join(folder, name)
}

/** A schema of a Postgres database, and its connection for tests that need it. */
export async function openPostgres({ isPrepared = true } = {}): Promise<TestDatabase & { url: string }> {
  const schema = await (isPrepared ? lendSchema(ENGINE_SCHEMA) : createSchema())
  const { pool, beside } = opened.get(schema.name) ?? openPools(schema.url)
  let refusing = 'off'
  onTestFinished(async () => {
    if (isIdle(pool) && isIdle(beside)) opened.set(schema.name, { pool, beside })
    else {
      opened.delete(schema.name)
      await Promise.all([pool.end(), beside.end()])
    }
    await schema.drop()
  })
  const watched = {
    on: pool.on.bind(pool),
    async connect() {
      const client = await pool.connect()
      if (refusing !== (refusals.get(client) ?? 'off'))
        await client.query(`set default_transaction_read_only = ${refusing}`)
      refusals.set(client, refusing)
      return client
    },
  }
  const besides = fromPostgres(beside)
  return {
    url: schema.url,
    db: fromPostgres(watched),
    select: async (sql, ...params) => (await besides.run({ sql, params })).rows,
    readOnly: (on) => Promise.resolve(void (refusing = on ? 'on' : 'off')),
  }
}

interface Pools {
  pool: pg.Pool
  beside: pg.Pool
}

/** Whether a connection refuses writes, if it was ever told. */
const refusals = new WeakMap<pg.ClientBase, string>()

/** By the names of schemas: a new connection plans its first statements several times as long as one that knows the tables. */
const opened = new Map<string, Pools>()

function openPools(connectionString: string): Pools {
  const [pool, beside] = [4, 1].map((max) => new pg.Pool({ connectionString, max, allowExitOnIdle: true }))
  return { pool: pool!, beside: beside! }
}

/** Whether no test holds a connection of the pool. Its listeners are those of the next test. */
function isIdle(pool: pg.Pool): boolean {
  pool
    .removeAllListeners('connect')
    .removeAllListeners('error')
    .on('error', () => undefined)
  return pool.idleCount === pool.totalCount && pool.waitingCount === 0
}

const ENGINE_SCHEMA: SchemaKind = {
  packages: ['outbox', 'engine'],
  async migrate(url) {
    const pool = new pg.Pool({ connectionString: url, max: 1 })
    await prepare(fromPostgres(pool))
    await pool.end()
  },
}
