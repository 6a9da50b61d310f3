// Reads through the engine's database: drizzle builds the query, the engine's port runs it, and rows have the tables' property
// names and types with every driver.
import { EngineError } from '@keepsend/engine'
import { type InferSelectModel, type SQL, and, eq, getTableColumns } from 'drizzle-orm'
import type { SQLiteColumn, SQLiteTable } from 'drizzle-orm/sqlite-core'
import type { AppContext } from './context.ts'
import { orm, spelled } from './tables.ts'

/** A table with rows of workspaces. */
export type OwnedTable = SQLiteTable & { id: SQLiteColumn; workspaceId: SQLiteColumn }

const MAX_LISTED = 500

/** Rows of the caller's workspace, oldest first, 500 at most. */
export function list<T extends OwnedTable>(c: AppContext, table: T, where?: SQL): Promise<InferSelectModel<T>[]> {
  return select(c, table, table.id, and(eq(table.workspaceId, c.get('workspaceId')), where))
}

/** The row of that id in the caller's workspace. @throws {EngineError} `not_found` */
export async function find<T extends OwnedTable>(c: AppContext, table: T, id: string): Promise<InferSelectModel<T>> {
  const [row] = await list(c, table, eq(table.id, id))
  return row ?? notFound(id)
}

/** Rows of any workspace, for the operator. */
export async function select<T extends SQLiteTable>(
  c: AppContext,
  table: T,
  id: SQLiteColumn,
  where?: SQL,
): Promise<InferSelectModel<T>[]> {
  const statement = orm
    .select()
    .from(table as SQLiteTable)
    .where(where)
    .orderBy(id)
    .limit(MAX_LISTED)
  const { rows } = await c.get('keepsend').db.run(spelled(statement))
  const columns = Object.entries(getTableColumns(table))
  return rows.map((row) => {
    const values = columns.map(([property, column]) => {
      const value = row[column.name] ?? null
      return [property, value === null ? null : column.mapFromDriverValue(value)]
    })
    return Object.fromEntries(values) as InferSelectModel<T>
  })
}

/** Answers 404. */
export function notFound(id: string): never {
  throw new EngineError('not_found', `there is no ${id} here`)
}
