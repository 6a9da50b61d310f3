import type pg from 'pg'
import type { SqlText } from '../src/internal.ts'
import { toSql } from '../src/index.ts'

/** A node of a plan that Postgres executed. */
export interface Plan {
  'Node Type': string
  'Index Name'?: string
  'Relation Name'?: string
  'Actual Rows': number
  'Actual Loops': number
  'Shared Hit Blocks': number
  'Shared Read Blocks': number
  Plans?: Plan[]
}

export const nodesOf = (plan: Plan): Plan[] => [plan, ...(plan.Plans ?? []).flatMap(nodesOf)]

/** Runs a statement, rolls it back, and returns its plan. */
export async function explain(pool: pg.Pool, statement: SqlText): Promise<Plan> {
  const { sql, params } = toSql(statement, 'postgres')
  const client = await pool.connect()
  try {
    await client.query('begin')
    const { rows } = await client.query(`explain (analyze, buffers, format json) ${sql}`, [...params])
    return (rows[0] as { 'QUERY PLAN': { Plan: Plan }[] })['QUERY PLAN'][0]?.Plan as Plan
  } finally {
    await client.query('rollback')
    client.release()
  }
}
