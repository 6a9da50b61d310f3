// The host configures its driver for its own code. None of these settings may reach Keepsend's statements.
import pg from 'pg'
import postgres from 'postgres'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import {
  type OutboxDatabase,
  claimDueEvents,
  completeEvent,
  enqueueEvent,
  migrateOutbox,
  outboxStats,
} from '../src/index.ts'
import { type PostgresJsSql, fromPostgres } from '../src/postgres.ts'
import { event } from './postgres.ts'

/** Drivers as hosts configure them; each returns a function that closes it. */
const SETTINGS = {
  'pg, parsers for every type'(url) {
    const { BOOL, INT2, INT4, INT8, TEXT, VARCHAR, JSON, JSONB, FLOAT8, TIMESTAMPTZ } = pg.types.builtins
    const types = [BOOL, INT2, INT4, INT8, TEXT, VARCHAR, JSON, JSONB, FLOAT8, TIMESTAMPTZ]
    const before = types.map((type) => pg.types.getTypeParser(type))
    onTestFinished(() => {
      for (const [index, type] of types.entries())
        pg.types.setTypeParser(type, before[index] as (value: string) => unknown)
    })
    for (const type of types) pg.types.setTypeParser(type, (value) => ({ parsed: value }))
    return overPg(new pg.Pool({ connectionString: url, max: 2 }))
  },
  'pg, parsers of the pool'(url) {
    const types = { getTypeParser: () => () => BigInt(0) }
    return overPg(new pg.Pool({ connectionString: url, max: 2, types }))
  },
  'pg, binary results'(url) {
    return overPg(new pg.Pool({ connectionString: url, max: 2, binary: true } as pg.PoolConfig))
  },
  'postgres.js, camel'(url) {
    return overPostgresJs(postgres(url, { max: 2, transform: postgres.camel, onnotice: () => undefined }))
  },
  'postgres.js, names and values of its own'(url) {
    return overPostgresJs(
      postgres(url, {
        max: 2,
        transform: {
          column: { from: (name: string) => `C_${name.toUpperCase()}` },
          value: { from: (value: unknown) => [value] },
        },
        onnotice: () => undefined,
      }),
    )
  },
  'postgres.js, types of its own'(url) {
    const bigint = { to: 20, from: [20, 23, 25], serialize: () => 'none', parse: () => 'none' }
    return overPostgresJs(postgres(url, { max: 2, types: { bigint }, onnotice: () => undefined }))
  },
} satisfies Record<string, (url: string) => { db: OutboxDatabase; end: () => Promise<void> }>

function overPg(pool: pg.Pool) {
  return { db: fromPostgres(pool), end: () => pool.end() }
}

function overPostgresJs(sql: PostgresJsSql & { end(): Promise<void> }) {
  return { db: fromPostgres(sql), end: () => sql.end() }
}

async function open(settings: keyof typeof SETTINGS): Promise<OutboxDatabase> {
  const schema = await createSchema()
  const { db, end } = SETTINGS[settings](schema.url)
  onTestFinished(async () => {
    await end()
    await schema.drop()
  })
  await migrateOutbox(db)
  return db
}

describe.each(Object.keys(SETTINGS) as (keyof typeof SETTINGS)[])('under the settings of a host: %s', (settings) => {
  it('enqueues, claims, settles and counts a row under its own names and types', async () => {
    const db = await open(settings)
    const made = { ...event(), endpointId: 'ep_1' }
    await enqueueEvent(db, made)
    const { claims } = await claimDueEvents(db, { limit: 5 })
    expect(claims).toMatchObject([{ workspaceId: 'w', endpointId: 'ep_1', attempts: 1, payload: made.payload }])
    expect(claims.map(({ claimedAt, gen }) => [typeof claimedAt, typeof gen])).toEqual([['number', 'number']])
    expect(await outboxStats(db)).toMatchObject({ inFlight: 1, due: 0 })
    expect(await completeEvent(db, claims[0] as (typeof claims)[number])).toBe('ok')
  })

  it("runs the host's own statement in the same way", async () => {
    const db = await open(settings)
    await db.run({
      sql: 'create table t (user_id bigint, is_on boolean, data_of jsonb, "Made At" timestamptz)',
      params: [],
    })
    const [inserted, selected] = await db.atomic([
      {
        sql: 'insert into t values (?, ?, ?, ?) returning user_id, is_on',
        params: [5, 'true', '{"user_id":[1]}', '2026-11-23 12:00:00+00'],
      },
      {
        sql: `select user_id, is_on, data_of, data_of as "dataSeen", count(*), extract(epoch from "Made At")::bigint as made_s
          from t group by 1, 2, 3, "Made At"`,
        params: [],
      },
    ])
    expect(inserted).toEqual({ rows: [{ user_id: 5, is_on: true }], changes: 1 })
    const data = { user_id: [1] }
    const made_s = Date.UTC(2026, 10, 23, 12) / 1000
    expect(selected?.rows).toEqual([{ user_id: 5, is_on: true, data_of: data, dataSeen: data, count: 1, made_s }])
  })
})

it('refuses a postgres.js handle that transforms whole rows by the name of the setting', async () => {
  const sql = postgres('postgres://nobody@127.0.0.1:1/none', { transform: { row: { from: (row) => ({ row }) } } })
  expect(() => fromPostgres(sql)).toThrow(
    expect.objectContaining({
      code: 'invalid_option',
      message: expect.stringContaining('transform.row.from') as string,
    }) as Error,
  )
  await sql.end()
})

it('listens to a pool once, also for a host that opens its database for each request', async () => {
  const schema = await createSchema()
  const pool = new pg.Pool({ connectionString: schema.url, max: 1 })
  for (let request = 0; request < 20; request++) await fromPostgres(pool).run({ sql: 'select 1', params: [] })
  const client = await pool.connect()
  expect([pool.listenerCount('connect'), client.listenerCount('error')]).toEqual([1, 1])
  client.release()
  await pool.end()
  await schema.drop()
})

it('restores binary results for a host that uses them', async () => {
  const schema = await createSchema()
  const pool = new pg.Pool({ connectionString: schema.url, max: 1, binary: true } as pg.PoolConfig)
  const seen = async () => (await pool.query('select $1::bytea as one', ['\\x01'])).fields[0]?.format
  const before = await seen()
  await fromPostgres(pool).run({ sql: 'select 1', params: [] })
  expect([before, await seen()]).toEqual(['binary', 'binary'])
  await pool.end()
  await schema.drop()
})
