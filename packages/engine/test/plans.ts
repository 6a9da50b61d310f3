import { type OutboxDatabase, type Statement, toSql } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import { openDatabase } from './database.ts'
import { rig } from './rig.ts'

/** A statement, and whether it ran in a transaction that follows indexes. */
interface Ran extends SqlText {
  followsIndexes?: true
}

/** A database, and the statements that it ran since the last read. */
function recorded(db: OutboxDatabase): { db: OutboxDatabase; take: () => Ran[] } {
  const { followsIndexes, name } = db.dialect
  let statements: Ran[] = []
  const keep = (statement: Statement): void => void statements.push(toSql(statement, name))
  return {
    db: {
      ...db,
      run<R extends object>(statement: Statement) {
        keep(statement)
        return db.run<R>(statement)
      },
      atomic(all) {
        const [first, ...others] = all.map((statement) => toSql(statement, name))
        if (first && first.sql === followsIndexes?.sql)
          statements.push(...others.map((one) => ({ ...one, followsIndexes: true as const })))
        else all.forEach(keep)
        return db.atomic(all)
      },
    },
    take() {
      const taken = statements
      statements = []
      return taken
    },
  }
}

/** A rig, and the statements that its database ran since the last read. */
export async function recordedRig(options: Parameters<typeof rig>[0] = {}) {
  let take = (): Ran[] => []
  const made = await rig({
    // New: what tests before left in the files of its tables would change plans.
    on: await openDatabase({ isPrepared: false }),
    ...options,
    wrap(direct) {
      const recorder = recorded(direct)
      take = recorder.take
      return recorder.db
    },
  })
  return { ...made, statements: () => take() }
}

/** One access path to a table, and on Postgres the rows that it read. */
export interface Read {
  by: string
  rows: number
}

interface Plan {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Rows Removed by Filter'?: number
  'Rows Removed by Index Recheck'?: number
  Plans?: Plan[]
}

/** Tables whose access paths are wanted, by their names on Postgres and their names and aliases on SQLite. */
export const PENDING_EVENTS = { postgres: /^pending_events/, sqlite: /^(SCAN|SEARCH) (pending_events|delivery|held)\b/ }
export const ATTEMPTS = { postgres: /^keepsend_attempts/, sqlite: /^(SCAN|SEARCH) (attempt|later)\b/ }

/** The plan of a statement. On Postgres the statement is run once more for that. */
export async function readsOf(db: OutboxDatabase, statement: Ran, of = PENDING_EVENTS): Promise<Read[]> {
  const { sql, params } = statement
  if (db.dialect.name === 'sqlite') {
    const { rows } = await db.run<{ detail: string }>({ sql: `explain query plan ${sql}`, params })
    return rows.filter(({ detail }) => of.sqlite.test(detail)).map(({ detail }) => ({ by: detail, rows: 0 }))
  }
  const explain = { sql: `explain (analyze, format json) ${sql}`, params }
  const settings = statement.followsIndexes ? [db.dialect.followsIndexes].filter((one) => one !== undefined) : []
  const plan = (await db.atomic([...settings, explain])).at(-1)?.rows[0]?.['QUERY PLAN']
  const found = (typeof plan === 'string' ? JSON.parse(plan) : plan) as { Plan: Plan }[]
  const nodes = (one: Plan): Plan[] => [one, ...(one.Plans ?? []).flatMap(nodes)]
  return found.flatMap(({ Plan: whole }) =>
    nodes(whole)
      .filter((node) => node['Node Type'] !== 'ModifyTable')
      .filter((node) => of.postgres.test(node['Relation Name'] ?? node['Index Name'] ?? ''))
      .map((node) => ({
        by: `${node['Node Type']} ${node['Index Name'] ?? ''}`.trim(),
        rows:
          (node['Actual Rows'] + (node['Rows Removed by Filter'] ?? 0) + (node['Rows Removed by Index Recheck'] ?? 0)) *
          node['Actual Loops'],
      })),
  )
}
