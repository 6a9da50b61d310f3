import type { OutboxDatabase } from '@keepsend/outbox'
import { type Row, type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { readByIndex } from '../history/read-by-index.ts'

/** A part of an erasure: one table, in the order of its keys. */
export interface WalkPage {
  /** The statements that delete the rows of the page; none: it has no rows. */
  statements: SqlText[]
  /** Where the next page begins. */
  after: string
  isLast: boolean
}

/** Rows that a page deletes at most: on SQLite nobody else writes for about 10 ms. */
const BATCH = 100

// Rows that a page reads at most to find them.
const MAX_READ = 2000
const LAST = raw(String(MAX_READ))

/** A table to read in the order of a key. */
interface Scanned<R> {
  /** The expression of the key, as a text, by which the next page begins. */
  key: SqlText
  /** Further columns. @default none */
  also?: SqlText | undefined
  /** The text after `from`, with the range of keys. */
  from: SqlText
  order: SqlText
  /** The condition of the rows that are wanted. */
  wanted: SqlText
  read: (row: Row & { key: string }) => R
}

/** Reads the next rows of a table that are wanted, in a bounded read. */
export async function scan<R>(
  db: OutboxDatabase,
  { key, also = raw(''), from, order, wanted, read }: Scanned<R>,
  limit: number = BATCH,
): Promise<{ rows: R[]; after: string | undefined; isLast: boolean }> {
  const { rows } = await readByIndex<Row & { key: string; isWanted: number; nth: number }>(
    db,
    sqlText`
    select * from (
      select passed.*, row_number() over () as "nth" from (
        select ${key} as "key", case when ${wanted} then 1 else 0 end as "isWanted" ${also} from ${from}
        order by ${order} ${db.dialect.first(MAX_READ)}) as passed) as numbered
    where "isWanted" = 1 or "nth" = ${LAST} ${db.dialect.first(limit)}`,
  )
  const last = rows.at(-1)
  return {
    rows: rows.filter(({ isWanted }) => isWanted === 1).map(read),
    after: last?.key,
    isLast: rows.length < limit && (last?.nth ?? 0) < MAX_READ,
  }
}

interface Drained {
  table: string
  /** The columns of its primary key. */
  key: string
  where: SqlText
}

/** Deletes rows of a small table, a batch a page, until there are none. */
export async function drain(db: OutboxDatabase, { table, key, where }: Drained): Promise<WalkPage> {
  const { dialect } = db
  // By an array of row ids Postgres looks each row up, whatever it expects of the table.
  const row = raw(dialect.name === 'postgres' ? 'ctid' : key)
  const found = (columns: SqlText, most: number): SqlText =>
    sqlText`select ${columns} from ${raw(table)} where ${where} ${dialect.first(most)}`
  const { rows } = await db.run<{ count: number | string }>(
    sqlText`select count(*) as "count" from (${found(raw('1'), BATCH + 1)}) as found`,
  )
  const count = Number(rows[0]?.count ?? 0)
  if (count === 0) return { statements: [], after: '', isLast: true }
  const statement = sqlText`delete from ${raw(table)} where (${row}) ${dialect.among(found(row, BATCH))}`
  return { statements: [statement], after: '', isLast: count <= BATCH }
}
