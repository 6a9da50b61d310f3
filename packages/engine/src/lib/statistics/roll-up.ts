import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { raw, sqlText } from '@keepsend/outbox/internal'
import { type Pass, type Slice, isAt, nextSlice, passesOf, rowsOf } from './passes.ts'
import { spansOf } from './spans.ts'
import { addStatement } from './sums.ts'

// A slice of 2,500 attempts keeps the event loop of SQLite for 10 to 20 ms.
const SLICE = 2500
const SLICES = 8

/**
 * Adds up what has closed, at most 8 slices of a pass. `more`: there is more.
 *
 * @returns the attempts that were counted
 */
export async function rollUp(db: OutboxDatabase): Promise<{ counted: number; more: boolean }> {
  const [attempts, ...later] = passesOf(spansOf(db.dialect))
  if (!attempts) return { counted: 0, more: false }
  // The last pass first, and another only once that has nothing left: a series reads all rows between two passes.
  for (const pass of later.toReversed()) if ((await run(db, pass)).more) return { counted: 0, more: true }
  let { rows: counted, more } = await run(db, attempts)
  if (counted > 0) for (const pass of later) more = (await run(db, pass)).more || more
  return { counted, more }
}

async function run(db: OutboxDatabase, pass: Pass): Promise<{ rows: number; more: boolean }> {
  let rows = 0
  for (let slices = 0; slices < SLICES; slices++) {
    const slice = await nextSlice(db, pass, SLICE)
    // Another process that has added this slice goes on itself.
    if (!slice || !(await add(db, pass, slice))) return { rows, more: false }
    rows += slice.rows
    if (slice.rows < SLICE) return { rows, more: false }
  }
  return { rows, more: true }
}

/**
 * Adds a slice and moves the pass behind it, in one transaction. The lock comes first: of two processes with one slice, the
 * second sees the pass where the first has moved it, and adds nothing.
 */
async function add(db: OutboxDatabase, pass: Pass, slice: Slice): Promise<boolean> {
  const { dialect } = db
  const { doneTo, workspaceId, endpointId } = slice.until
  const transaction = new Transaction()
  transaction.add(sqlText`
    select 1 as locked from keepsend_statistics_passes as pass
    where source = ${raw(`'${pass.source}'`)} ${dialect.lock('wait', 'pass')}`)
  transaction.add(addStatement(dialect.name, pass.into, rowsOf(db, pass, slice)))
  const moved = transaction.add(sqlText`
    update keepsend_statistics_passes
    set done_to = cast(${doneTo} as bigint), workspace_id = ${workspaceId}, endpoint_id = ${endpointId}
    where ${isAt(pass, slice.from)}`)
  await transaction.commit(db)
  return moved.changes > 0
}
