/** The columns of a list of items that a statement reads as a table, by name: the type, and how to get the value from an item. */
export type RowSource<Item> = Readonly<Record<string, ColumnSource<Item>>>

type ColumnSource<Item> =
  | readonly [type: 'text', valueOf: (item: Item) => string | null]
  | readonly [type: 'integer', valueOf: (item: Item) => number | null]
