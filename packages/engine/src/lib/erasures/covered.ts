import type { DialectName, SqlText } from '@keepsend/outbox/internal'
import { raw, sqlText } from '@keepsend/outbox/internal'
import { firstIdAtTime } from '../history/attempt-id.ts'
import type { Job } from './erasure-job.ts'

/** The parts of a job that say which rows it covers. */
export type Covering = Pick<Job, 'workspaceId' | 'what' | 'target' | 'fromId' | 'toId' | 'createdAt'>

/** The expressions by which a row is compared with an erasure. */
interface Compared {
  workspaceId: SqlText
  /** The id of an event or of a delivery; both have the order of events. */
  id: SqlText
  /** Null: the rows of this table belong to no endpoint. */
  endpointId: SqlText | null
  /** Whether the row was inserted before the erasure was made. */
  isOlder: SqlText
}

function isCovered({ what, workspaceId, target, fromId, toId }: Covering, row: Compared): SqlText {
  const mine = sqlText`${row.workspaceId} = ${workspaceId}`
  switch (what) {
    case 'event':
    case 'range':
      return sqlText`${mine} and ${row.id} >= ${fromId} and ${row.id} < ${toId}`
    case 'endpoint':
      return row.endpointId ? sqlText`${mine} and ${row.endpointId} = ${target}` : raw('1 = 0')
    case 'workspace':
      // An id whose time is still to come, which a caller may choose, is as old as its row.
      return sqlText`${mine} and (${row.id} < ${toId} or ${row.isOlder})`
  }
}

/** The condition that a row of `pending_events` is covered. */
export function coversDelivery(job: Covering): SqlText {
  return isCovered(job, {
    workspaceId: raw('workspace_id'),
    id: raw('id'),
    endpointId: raw('endpoint_id'),
    isOlder: sqlText`created_at < ${job.createdAt}`,
  })
}

/** The condition that a row of `keepsend_attempts` is covered. */
export function coversAttempt(job: Covering, dialect: DialectName): SqlText {
  return isCovered(job, {
    workspaceId: raw('workspace_id'),
    id: raw('delivery_id'),
    endpointId: raw('endpoint_id'),
    isOlder: sqlText`id < cast(${firstIdAtTime(dialect, job.createdAt)} as bigint)`,
  })
}

/** The condition that a row of `keepsend_events` is covered. The events of an endpoint stay. */
export function coversEvent(job: Covering): SqlText {
  return isCovered(job, {
    workspaceId: raw('workspace_id'),
    id: raw('id'),
    endpointId: null,
    isOlder: sqlText`created_at < ${job.createdAt}`,
  })
}

/** The condition of the problems: each has the error of the delivery that failed last. */
export function ofProblems({ workspaceId, what, target, fromId, toId }: Covering): SqlText {
  const mine = sqlText`workspace_id = ${workspaceId}`
  if (what === 'workspace') return sqlText`${mine} and ${isOfDeleted()}`
  if (what === 'endpoint') return sqlText`${mine} and endpoint_id = ${target}`
  return sqlText`${mine} and last_delivery_id >= ${fromId} and last_delivery_id < ${toId}`
}

/** An endpoint that was made after the erasure stays with what belongs to it. */
export function isOfDeleted(): SqlText {
  return raw('(select kept.id from keepsend_endpoints as kept where kept.id = endpoint_id) is null')
}

/** The condition of the actions of people, but not of those that erased. */
export function ofActions({ workspaceId, what, target, fromId, toId, createdAt }: Covering): SqlText {
  const mine = sqlText`workspace_id = ${workspaceId} and verb <> 'erasure.create'`
  if (what === 'workspace') return sqlText`${mine} and at < ${createdAt}`
  if (what === 'endpoint') return sqlText`${mine} and (endpoint_id = ${target} or substr(delivery_id, 42) = ${target})`
  return sqlText`${mine} and delivery_id >= ${fromId} and delivery_id < ${toId}`
}
