import { migrate, openSqlite } from '@keepsend/adapter-node'
import { getTableColumns, getTableName, is } from 'drizzle-orm'
import { SQLiteTable } from 'drizzle-orm/sqlite-core'
import { expect, it } from 'vitest'
import * as tables from '../src/tables.ts'

it('the typed tables and the migration agree on every column', async () => {
  const db = openSqlite(':memory:')
  const applied = await migrate(db, { directory: new URL('../migrations/sqlite/', import.meta.url) })
  expect(applied).toContain('app/0001_messaging')
  const typed = Object.values(tables).filter((table) => is(table, SQLiteTable))
  expect(typed).toHaveLength(12)
  for (const table of typed) {
    const columns = db.connection.pragma(`table_info(${getTableName(table)})`) as {
      name: string
      type: string
      notnull: number
    }[]
    const found = columns.map(({ name, type, notnull }) => ({ name, type: type.toLowerCase(), notNull: notnull === 1 }))
    const expected = Object.values(getTableColumns(table)).map((column) => {
      return { name: column.name, type: column.getSQLType(), notNull: column.notNull }
    })
    expect(found).toEqual(expected)
  }
  db.close()
})
