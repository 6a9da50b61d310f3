import { type OutboxDatabase, holdLaneStatement, resumeStatement } from '@keepsend/outbox'
import { raw } from '@keepsend/outbox/internal'
import { TICK_MS } from './state.ts'
import { ENDPOINT, LANE, type Verb } from './verbs.ts'

/** Holds the rows in line, because their endpoint is blocked. */
export function holdLine(): Verb<number> {
  const hold = (db: OutboxDatabase) =>
    holdLaneStatement(db, { ...LANE, reason: 'endpoint_disabled', guard: raw('1 = 1') })
  const run = async (db: OutboxDatabase) => (await db.run(hold(db))).changes
  return { kind: 'hold', key: 'hold the line', refs: [], workspaceId: LANE.workspaceId, run, current: () => [] }
}

/** @param afterTicks when the first row is due, as after the end of a pause */
export function resume(afterTicks: number): Verb<number> {
  const options = { endpointId: ENDPOINT, limit: 10, afterMs: afterTicks * TICK_MS }
  const run = async (db: OutboxDatabase) => (await db.run(resumeStatement(db, options))).rows.length
  return { kind: 'resume', key: `resume in ${afterTicks}`, refs: [], run, current: () => [] }
}
