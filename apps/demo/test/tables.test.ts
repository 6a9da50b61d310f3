import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import { getTableColumns, getTableName, is } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { Pool } from 'pg'
import { expect, it } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import * as tables from '../src/tables.ts'

interface Column {
  name: string
  type: string
  notNull: boolean
}

const folder = (database: string): URL => new URL(`../migrations/${database}/`, import.meta.url)

// Eight bytes on both.
const ON_POSTGRES: Record<string, string> = { text: 'text', integer: 'bigint' }

const typed = Object.values(tables)
  .filter((table) => is(table, SQLiteTable))
  .map((table) => ({
    name: getTableName(table),
    columns: Object.values(getTableColumns(table)).map((column): Column => {
      return { name: column.name, type: column.getSQLType(), notNull: column.notNull }
    }),
  }))

it('the typed tables and the migration agree on every column', async () => {
  const db = openSqlite(':memory:')
  const applied = await migrate(db, { directory: folder('sqlite') })
  expect(applied).toContain('app/0001_messaging')
  expect(typed).toHaveLength(12)
  for (const { name: table, columns } of typed) {
    const found = db.connection.pragma(`table_info(${table})`) as { name: string; type: string; notnull: number }[]
    expect(
      found.map(({ name, type, notnull }) => ({ name, type: type.toLowerCase(), notNull: notnull === 1 })),
    ).toEqual(columns)
  }
  db.close()
})

it('the typed tables and the migration for Postgres agree on every column, and its keys are those of SQLite', async () => {
  const schema = await createSchema()
  const db = await openPostgres<Pool>(schema.url)
  const sqlite = openSqlite(':memory:')
  await migrate(sqlite, { directory: folder('sqlite') })
  const applied = await migrate(db, { directory: folder('postgres') })
  expect(applied).toContain('app/0001_messaging')
  for (const { name: table, columns } of typed) {
    const found = await db.pool.query<Column>(
      `select attname as name, format_type(atttypid, atttypmod) as type, attnotnull as "notNull" from pg_attribute
      where attrelid = $1::regclass and attnum > 0 order by attnum`,
      [table],
    )
    expect([table, found.rows]).toEqual([
      table,
      columns.map(({ type, ...column }) => ({ ...column, type: ON_POSTGRES[type] })),
    ])

    const keys = await db.pool.query<{ key: string }>(
      'select pg_get_constraintdef(oid) as key from pg_constraint where conrelid = $1::regclass and contype = $2',
      [table, 'f'],
    )
    const foreign = sqlite.connection.pragma(`foreign_key_list(${table})`) as Record<string, string>[]
    expect(keys.rows.map(({ key }) => key).toSorted()).toEqual(
      foreign
        .map((key) => `FOREIGN KEY (${key['from']}) REFERENCES ${key['table']}(${key['to']}) ON DELETE CASCADE`)
        .toSorted(),
    )

    const indexed = await db.pool.query<{ key: string }>(
      `select (regexp_match(pg_get_indexdef(indexrelid), '\\((.*)\\)'))[1] || case when indisunique then ' unique' else '' end as key
      from pg_index where indrelid = $1::regclass`,
      [table],
    )
    const indexes = sqlite.connection.pragma(`index_list(${table})`) as { name: string; unique: number }[]
    const keyOf = ({ name, unique }: { name: string; unique: number }): string => {
      const parts = sqlite.connection.pragma(`index_info(${name})`) as { name: string }[]
      return parts.map((part) => part.name).join(', ') + (unique === 1 ? ' unique' : '')
    }
    expect(indexed.rows.map(({ key }) => key).toSorted()).toEqual(indexes.map(keyOf).toSorted())
  }
  sqlite.close()
  await db.close()
  await schema.drop()
})
