import { getTableConfig } from 'drizzle-orm/pg-core'
import { describe, expect, it } from 'vitest'
import {
  ROW_COLUMNS,
  applyMigrations,
  claimDueEvents,
  enqueueEvent,
  migrate,
  outboxMigrations,
  outboxStats,
} from '../src/index.ts'
import { pendingEvents } from '../src/lib/postgres/table.ts'
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

describe('the migration and the drizzle table, on Postgres', () => {
  it('agree on every column: name, type, null, default, key and order', async () => {
    const { host } = await open()
    const { rows } = await host.query<Column>(COLUMNS)
    const fromSql = rows.map(({ value, ...column }) => ({
      ...column,
      value: value === null ? undefined : value.startsWith("'") ? /^'(.*)'::text$/.exec(value)?.[1] : Number(value),
    }))
    const fromDrizzle = getTableConfig(pendingEvents).columns.map((column) => ({
      name: column.name,
      type: column.getSQLType(),
      not_null: column.notNull,
      value: column.default,
      key: column.primary,
    }))
    expect(fromDrizzle).toEqual(fromSql)
    expect(fromSql.at(-1)?.name).toBe('payload')
  })

  it('agree on what a row is called in TypeScript, and times are numbers', async () => {
    const { db, host } = await open()
    await enqueueEvent(db, event())
    const { fields } = await host.query(`select ${ROW_COLUMNS} from pending_events`)
    expect(fields.map(({ name }) => name)).toEqual(Object.keys(pendingEvents).filter((name) => name !== 'enableRLS'))
    const { claims } = await claimDueEvents(db, { limit: 1 })
    expect(Object.keys(claims[0] ?? {})).toEqual(fields.map(({ name }) => name))
    const { dueAt, claimedAt, createdAt, gen, attempts } = claims[0] ?? {}
    expect([dueAt, claimedAt, createdAt, gen, attempts].map((value) => typeof value)).toEqual(Array(5).fill('number'))
  })

  it('make three partial indexes and no more, keys in the order of bytes, no foreign key, and an eager autovacuum', async () => {
    const { host } = await open()
    const indexes = await host.query<{ name: string; text: string }>(
      "select indexname as name, indexdef as text from pg_indexes where tablename = 'pending_events' and schemaname = current_schema",
    )
    const made = indexes.rows.map(({ name, text }) => [name, /btree (.*)$/.exec(text)?.[1]])
    expect(Object.fromEntries(made)).toEqual({
      pending_events_pkey: '(id)',
      pending_events_due: "(due_at, id) WHERE ((status = 'pending'::text) AND (due_at IS NOT NULL))",
      pending_events_settled: '(completed_at, id) WHERE (completed_at IS NOT NULL)',
      pending_events_held: "(endpoint_id, id) WHERE (status = 'held'::text)",
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
  it.each(DRIVER_NAMES)('of a fresh schema that eight migrate at once are applied once each (%s)', async (driver) => {
    const { db, host } = await open(driver, { max: 8, migrated: false })
    const applied = await Promise.all(Array.from({ length: 8 }, () => migrate(db)))
    const names = outboxMigrations('postgres').map(({ name }) => name)
    expect(applied.flat()).toEqual(names)
    expect((await host.query('select name from keepsend_migrations')).rows).toEqual(names.map((name) => ({ name })))
  })

  it('leave nothing when one is stopped at any of its statements, and succeed when repeated', async () => {
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
    expect(await migrate(db)).toEqual([real?.name])
    expect((await outboxStats(db)).due).toBe(0)
  })

  it('that are missing are named by the error of every verb', async () => {
    for (const driver of DRIVER_NAMES) {
      const { db } = await open(driver, { migrated: false })
      const missing = { code: 'not_migrated', message: expect.stringContaining('migrate(db)') as string }
      await expect(enqueueEvent(db, event())).rejects.toMatchObject(missing)
      await expect(claimDueEvents(db, { limit: 1 })).rejects.toMatchObject(missing)
      await expect(outboxStats(db)).rejects.toMatchObject(missing)
    }
  })
})
