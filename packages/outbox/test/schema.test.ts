import { readFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { SQL, getTableColumns, is } from 'drizzle-orm'
import { getTableConfig } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { embeddedMigrations } from '../../../scripts/embed-migrations.ts'
import { applyMigrations, outboxMigrations, pendingEvents as codec } from '../src/internal.ts'
import { claimDueEvents, enqueueEvent, migrateOutbox, newEventId, outboxStats, toSql } from '../src/index.ts'
import { pendingEvents as onPostgres } from '../src/lib/postgres/table.ts'
import { pendingEvents } from '../src/lib/sqlite/table.ts'
import { fromBetterSqlite } from '../src/sqlite.ts'
import { codecColumns } from './codec-columns.ts'

async function migrated() {
  const connection = new Database(':memory:')
  const db = fromBetterSqlite(connection)
  await migrateOutbox(db)
  return { connection, db }
}

interface Column {
  name: string
  type: string
  notnull: number
  dflt_value: string | null
  pk: number
}

/** A default of a migration in the form of a drizzle table: a text, a number, or the SQL of an expression. */
function literal(value: string): string | number {
  if (value.startsWith("'")) return value.slice(1, -1)
  return /^\d+$/.test(value) ? Number(value) : value
}

describe('the migration and the drizzle table', () => {
  it('agree on every column: name, type, null, default, key and order', async () => {
    const { connection } = await migrated()
    const columns = connection.pragma('table_info(pending_events)') as Column[]
    const fromSql = columns.map(({ name, type, notnull, dflt_value: value, pk }) => ({
      name,
      type: type.toLowerCase(),
      notNull: notnull === 1,
      value: value === null ? undefined : literal(value),
      key: pk === 1,
    }))
    const fromDrizzle = getTableConfig(pendingEvents).columns.map((column) => ({
      name: column.name,
      type: column.getSQLType(),
      notNull: column.notNull,
      value: is(column.default, SQL) ? toSql(column.default, 'sqlite').sql : column.default,
      key: column.primary,
    }))
    expect(fromDrizzle).toEqual(fromSql)
    expect(fromSql.at(-1)?.name).toBe('payload')
  })

  it('agree on the property names of a row, which the verbs return', async () => {
    const { connection, db } = await migrated()
    await enqueueEvent(db, { eventId: newEventId(), workspaceId: 'w', type: 't', payload: '{}' })
    const selected = connection.prepare(`select ${codec.all.sql} from pending_events`).get() as object
    expect(Object.keys(selected)).toEqual(
      Object.keys(getTableColumns(pendingEvents)).filter((name) => name !== 'payloadId'),
    )
    const { claims } = await claimDueEvents(db, { limit: 1 })
    const alike = ['holdReason', 'heldAt', 'ready', 'completedAt']
    expect(Object.keys(claims[0] ?? {})).toEqual(Object.keys(selected).filter((name) => !alike.includes(name)))
  })

  it('have exactly the columns that the codec reads, like the table of Postgres', async () => {
    const { connection } = await migrated()
    const names = (connection.pragma('table_info(pending_events)') as Column[]).map(({ name }) => name)
    const read = codecColumns(codec)
    // The id of its payload is read only by the expression of `payload`.
    expect(Object.values(read)).toEqual(names.filter((name) => name !== 'payload_id'))
    for (const table of [pendingEvents, onPostgres]) {
      const properties = Object.entries(getTableColumns(table)).map(([property, { name }]) => [property, name])
      expect(Object.fromEntries(properties)).toEqual({ ...read, payloadId: 'payload_id' })
    }
  })

  it('create a strict table without rowid and exactly seven partial indexes', async () => {
    const { connection } = await migrated()
    const tables = connection.pragma('table_list') as { name: string; wr: number; strict: number }[]
    expect(tables.find(({ name }) => name === 'pending_events')).toMatchObject({ wr: 1, strict: 1 })
    const indexes = connection.pragma('index_list(pending_events)') as {
      name: string
      origin: string
      partial: number
    }[]
    const columnsOf = (name: string) =>
      (connection.pragma(`index_info(${name})`) as Column[]).map((column) => column.name)
    const made = indexes.filter(({ origin }) => origin === 'c')
    expect(Object.fromEntries(made.map(({ name, partial }) => [name, [partial, ...columnsOf(name)]]))).toEqual({
      pending_events_ready: [1, 'workspace_id', 'endpoint_id', 'id'],
      pending_events_due: [1, 'due_at', 'id'],
      pending_events_settled: [1, 'status', 'completed_at', 'id'],
      pending_events_held: [1, 'endpoint_id', 'id'],
      pending_events_at_rest: [1, 'workspace_id', 'id'],
      pending_events_expiring: [1, 'expires_at', 'id'],
      pending_events_replay: [1, 'workspace_id', 'endpoint_id', 'status', 'completed_at', 'id'],
    })
    expect(indexes.filter(({ origin }) => origin !== 'c').map(({ origin }) => origin)).toEqual(['pk'])
    expect(connection.pragma('foreign_key_list(pending_events)')).toEqual([])
  })

  it('refuse an unknown status', async () => {
    const { connection } = await migrated()
    const insert =
      "insert into pending_events (id, workspace_id, event_type, gen, created_at, payload, status) values ('a', 'w', 't', 1, 1, '', ?)"
    expect(() => connection.prepare(insert).run('claimed')).toThrow(/CHECK/)
    connection.prepare(insert).run('held')
  })
})

describe('the gen of a row', () => {
  it("is the database's clock when an insert leaves it out", async () => {
    const { connection } = await migrated()
    const clock = () => connection.prepare('select ms from keepsend_clock').pluck().get() as number
    const before = clock()
    const insert =
      "insert into pending_events (id, workspace_id, event_type, created_at, payload) values ('a', 'w', 't', 1, '')"
    connection.prepare(insert).run()
    const gen = connection.prepare('select gen from pending_events').pluck().get()
    expect(gen).toBeGreaterThanOrEqual(before)
    expect(gen).toBeLessThanOrEqual(clock())
  })
})

describe('the migrations', () => {
  it('that a Worker reads equal the .sql files', () => {
    const { module, text } = embeddedMigrations('outbox', 'sqlite')
    expect(readFileSync(new URL(`../../../${module}`, import.meta.url), 'utf8')).toBe(text)
  })

  it('are recorded by name', async () => {
    const { connection } = await migrated()
    const names = outboxMigrations('sqlite').map(({ name }) => name)
    expect(connection.prepare('select name from keepsend_migrations').pluck().all()).toEqual(names)
    expect(names).toEqual(['outbox/0001_pending_events'])
  })

  it('commit nothing of one that stops at any of its statements, and succeed when repeated', async () => {
    const [real] = outboxMigrations('sqlite')
    const statements = (real?.sql ?? '').split(/;\n/).filter((statement) => statement.trim() !== '')
    expect(statements.length).toBeGreaterThan(4)
    for (let whole = 0; whole <= statements.length; whole++) {
      const connection = new Database(':memory:')
      const db = fromBetterSqlite(connection)
      const sql = `${[...statements.slice(0, whole), 'insert into nowhere values (1)'].join(';\n')};\n`
      await expect(applyMigrations(db, [{ name: real?.name ?? '', sql }])).rejects.toMatchObject({
        code: 'not_accepted',
      })
      const left = connection.prepare("select name from sqlite_schema where name not like 'sqlite_%'").pluck().all()
      expect(left).toEqual(['keepsend_migrations'])
      expect(await migrateOutbox(db)).toEqual([real?.name])
      expect((await outboxStats(db)).due).toBe(0)
    }
  })

  it('are named by the error of every verb when they are missing', async () => {
    const db = fromBetterSqlite(new Database(':memory:'))
    const missing = { code: 'not_migrated', message: expect.stringContaining('migrate(db)') as string }
    await expect(
      enqueueEvent(db, { eventId: newEventId(), workspaceId: 'w', type: 't', payload: '' }),
    ).rejects.toMatchObject(missing)
    await expect(claimDueEvents(db, { limit: 1 })).rejects.toMatchObject(missing)
    await expect(outboxStats(db)).rejects.toMatchObject(missing)
  })

  it('of the list indexes are optional and fit the table', async () => {
    const { connection } = await migrated()
    connection.exec(readFileSync(new URL('../migrations/sqlite/optional_list_indexes.sql', import.meta.url), 'utf8'))
    const plan = connection
      .prepare('explain query plan select id from pending_events where workspace_id = ? order by id limit 5')
      .all('w')
    expect(JSON.stringify(plan)).toContain('USING COVERING INDEX pending_events_workspace')
  })
})
