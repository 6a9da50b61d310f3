import type { SqlText } from './statement.ts'

/** The columns of a list of items that a statement reads as a table, by name: the type, and how to get the value from an item. */
export type RowSource<Item> = Readonly<Record<string, ColumnSource<Item>>>

type ColumnSource<Item> =
  | readonly [type: 'text', valueOf: (item: Item) => string | null]
  | readonly [type: 'integer', valueOf: (item: Item) => number | null]

/** Makes a table of items for a statement that reads each of their values by {@link ItemTable.value}. */
export type TableOfItems = <Item>(alias: string, items: readonly Item[], columns: RowSource<Item>) => ItemTable

/** Many items as a table for a `from`. A value that all of them share may be a constant instead. */
export interface ItemTable {
  from: SqlText
  /** The columns that the table has. */
  columns: readonly string[]
  /** A column of an item, or the constant. */
  value: (column: string) => SqlText
}
