import { SQL, getTableColumns, is } from 'drizzle-orm'
import { getTableConfig } from 'drizzle-orm/pg-core'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { applyMigrations, outboxMigrations, pendingEvents as codec } from '../src/internal.ts'
import { claimDueEvents, enqueueEvent, migrateOutbox, outboxStats, toSql } from '../src/index.ts'
import { pendingEvents } from '../src/lib/postgres/table.ts'
import { pendingEvents as onSqlite } from '../src/lib/sqlite/table.ts'
import { codecColumns } from './codec-columns.ts'
import { DRIVER_NAMES, event, open } from './postgres.ts'

interface Column {
  name: string
  type: string
  not_null: boolean
  value: string | null
  key: boolean
}

const COLUMNS = `
  select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as not_null,
    pg_get_expr(adbin, adrelid) as value, coalesce(attnum = any (indkey), false) as key
  from pg_attribute left join pg_attrdef on adrelid = attrelid and adnum = attnum
    left join pg_index on indrelid = attrelid and indisprimary
  where attrelid = 'pending_events'::regclass and attnum > 0 order by attnum`

/** A default of a migration in the form of a drizzle table: a text, a number, or the SQL of an expression. */
function literal(value: string): string | number | undefined {
  if (value.startsWith("'")) return /^'(.*)'::text$/.exec(value)?.[1]
  return /^\d+$/.test(value) ? Number(value) : value
}

/** The defaults of the drizzle table that are expressions, as Postgres prints them. */
async function spelledByPostgres(host: pg.Pool): Promise<Map<string, string>> {
  const expressions = getTableConfig(pendingEvents).columns.flatMap((column) =>
    is(column.default, SQL)
      ? [`${column.name} ${column.getSQLType()} default (${toSql(column.default, 'postgres').sql})`]
      : [],
  )
  await host.query(`create table spelled (${expressions.join(', ')})`)
  const { rows } = await host.query<{ name: string; value: string }>(
    `select attname as name, pg_get_expr(adbin, adrelid) as value from pg_attribute
      join pg_attrdef on adrelid = attrelid and adnum = attnum where attrelid = 'spelled'::regclass`,
  )
  return new Map(rows.map(({ name, value }) => [name, value]))
}

describe('the migration and the drizzle table, on Postgres', () => {
  it('agree on every column: name, type, null, default, key and order', async () => {
    const { host } = await open()
    const { rows } = await host.query<Column>(COLUMNS)
    const fromSql = rows.map(({ value, ...column }) => ({
      ...column,
      value: value === null ? undefined : literal(value),
    }))
    const spelled = await spelledByPostgres(host)
    const fromDrizzle = getTableConfig(pendingEvents).columns.map((column) => ({
      name: column.name,
      type: column.getSQLType(),
      not_null: column.notNull,
      value: is(column.default, SQL) ? spelled.get(column.name) : column.default,
      key: column.primary,
    }))
    expect(fromDrizzle).toEqual(fromSql)
    expect(fromSql.at(-1)?.name).toBe('payload')
  })

  it('agree on the property names of a row, and times are numbers', async () => {
    const { db, host } = await open()
    await enqueueEvent(db, event())
    const { fields } = await host.query(`select ${codec.all.sql} from pending_events`)
    expect(fields.map(({ name }) => name)).toEqual(
      Object.keys(getTableColumns(pendingEvents)).filter((name) => name !== 'payloadId'),
    )
    const { claims } = await claimDueEvents(db, { limit: 1 })
    const alike = ['holdReason', 'heldAt', 'ready', 'completedAt']
    expect(Object.keys(claims[0] ?? {})).toEqual(fields.map(({ name }) => name).filter((name) => !alike.includes(name)))
    const { dueAt, claimedAt, createdAt, gen, attempts } = claims[0] ?? {}
    expect([dueAt, claimedAt, createdAt, gen, attempts].map((value) => typeof value)).toEqual(Array(5).fill('number'))
  })

  it('have exactly the columns that the codec reads, like the table of SQLite', async () => {
    const { host } = await open()
    const { rows } = await host.query<Column>(COLUMNS)
    const read = codecColumns(codec)
    // The id of its payload is read only by the expression of `payload`.
    expect(Object.values(read)).toEqual(rows.map(({ name }) => name).filter((name) => name !== 'payload_id'))
    for (const table of [pendingEvents, onSqlite]) {
      const properties = Object.entries(getTableColumns(table)).map(([property, { name }]) => [property, name])
      expect(Object.fromEntries(properties)).toEqual({ ...read, payloadId: 'payload_id' })
    }
  })

  it("give a row the database's clock as its gen when an insert leaves it out", async () => {
    const { host } = await open()
    const clock = async () => Number((await host.query<{ ms: string }>('select ms from keepsend_clock')).rows[0]?.ms)
    const before = await clock()
    const { rows } = await host.query<{ gen: string }>(`
      insert into pending_events (id, workspace_id, event_type, created_at, payload) values ('a', 'w', 't', 1, '')
      returning gen`)
    expect(Number(rows[0]?.gen)).toBeGreaterThanOrEqual(before)
    expect(Number(rows[0]?.gen)).toBeLessThanOrEqual(await clock())
  })

  it('create exactly these partial indexes, keys in the order of bytes, no foreign key, and an eager autovacuum', async () => {
    const { host } = await open()
    const indexes = await host.query<{ name: string; text: string }>(
      "select indexname as name, indexdef as text from pg_indexes where tablename = 'pending_events' and schemaname = current_schema",
    )
    const made = indexes.rows.map(({ name, text }) => [name, /btree (.*)$/.exec(text)?.[1]])
    expect(Object.fromEntries(made)).toEqual({
      pending_events_pkey: '(id)',
      pending_events_ready: '(workspace_id, endpoint_id, id) WHERE (ready = 1)',
      pending_events_due: "(due_at, id) WHERE ((status = 'pending'::text) AND (due_at IS NOT NULL) AND (ready = 0))",
      pending_events_settled: "(status, completed_at, id) WHERE (COALESCE(completed_at, ('-1'::integer)::bigint) >= 0)",
      pending_events_held: "(endpoint_id, id) WHERE (status = 'held'::text)",
      pending_events_at_rest:
        "(workspace_id, id) WHERE ((ready = 0) AND (claimed_at IS NULL) AND ((status <> 'pending'::text) OR (last_error IS NOT NULL) OR (deliver_at IS NOT NULL)))",
      pending_events_expiring: '(expires_at, id) WHERE ((expires_at IS NOT NULL) AND (completed_at IS NULL))',
      pending_events_replay: '(workspace_id, endpoint_id, status, completed_at, id) WHERE (completed_at IS NOT NULL)',
    })
    const table = await host.query<{ options: string[]; collation: string; constraints: string }>(`
      select reloptions as options, (
          select collname from pg_attribute join pg_collation on pg_collation.oid = attcollation
          where attrelid = pg_class.oid and attname = 'id') as collation,
        (select string_agg(distinct contype::text, '' order by contype::text) from pg_constraint where conrelid = pg_class.oid and contype <> 'n') as constraints
      from pg_class where pg_class.oid = 'pending_events'::regclass`)
    expect(table.rows[0]).toMatchObject({ collation: 'C', constraints: 'cp' })
    expect(table.rows[0]?.options).toContain('autovacuum_vacuum_scale_factor=0.01')
  })
})

describe('the migrations, on Postgres', () => {
  it.each(DRIVER_NAMES)('are applied once each when eight processes migrate a fresh schema (%s)', async (driver) => {
    const { db, host } = await open(driver, { max: 8, migrated: false })
    const applied = await Promise.all(Array.from({ length: 8 }, () => migrateOutbox(db)))
    const names = outboxMigrations('postgres').map(({ name }) => name)
    expect(applied.flat()).toEqual(names)
    expect((await host.query('select name from keepsend_migrations')).rows).toEqual(names.map((name) => ({ name })))
  })

  it('commit nothing of one that stops at any of its statements, and succeed when repeated', async () => {
    const [real] = outboxMigrations('postgres')
    const statements = (real?.sql ?? '').split(/;\n/).filter((statement) => statement.trim() !== '')
    expect(statements.length).toBeGreaterThan(4)
    const { db, host } = await open('pg', { migrated: false })
    for (let whole = 0; whole <= statements.length; whole++) {
      const sql = `${[...statements.slice(0, whole), 'insert into nowhere values (1)'].join(';\n')};\n`
      const broken = applyMigrations(db, [{ name: real?.name ?? '', sql }])
      await expect(broken).rejects.toMatchObject({ code: 'not_accepted' })
      const left = await host.query(
        "select relname from pg_class where relnamespace = current_schema::regnamespace and relkind in ('r', 'v')",
      )
      expect(left.rows).toEqual([{ relname: 'keepsend_migrations' }])
    }
    expect(await migrateOutbox(db)).toEqual([real?.name])
    expect((await outboxStats(db)).due).toBe(0)
  })

  it('are named by the error of every verb when they are missing', async () => {
    for (const driver of DRIVER_NAMES) {
      const { db } = await open(driver, { migrated: false })
      const missing = { code: 'not_migrated', message: expect.stringContaining('migrate(db)') as string }
      await expect(enqueueEvent(db, event())).rejects.toMatchObject(missing)
      await expect(claimDueEvents(db, { limit: 1 })).rejects.toMatchObject(missing)
      await expect(outboxStats(db)).rejects.toMatchObject(missing)
    }
  })
})
