export {
  type ClaimOptions,
  type Claim,
  type Claimed,
  type NextDue,
  DEFAULT_LEASE_MS,
  claimDueEvents,
  claimEvents,
  nextDueEvent,
} from './lib/claim.ts'
export { type CleanupOptions, DEFAULT_RETENTION_MS, cleanupOldEvents } from './lib/cleanup.ts'
export type { Dialect, Move, OutboxDatabase, ReplayWhere, Row, SqlResult, TakeOptions } from './lib/database.ts'
export { type Enqueued, dueAt, enqueueEvent, enqueueEventStatement, enqueueEvents } from './lib/enqueue.ts'
export { OutboxError, type OutboxErrorCode } from './lib/errors.ts'
export {
  DEFAULT_MAX_ATTEMPTS,
  MAX_PAYLOAD_BYTES,
  type OutboxEvent,
  eventIdOf,
  eventIdTime,
  firstEventIdAt,
  isEventId,
  newEventId,
  rowId,
  utf8Bytes,
} from './lib/event.ts'
export { unholdEvents } from './lib/hold.ts'
export { type Begun, beginEvent, beginEvents, extendLease } from './lib/lease.ts'
export { type Migration, applyMigrations, splitStatements } from './lib/migrate.ts'
export { migrate, outboxMigrations } from './lib/migrations.ts'
export {
  type OptionChecks,
  type OptionNames,
  type OptionTable,
  type OptionsOf,
  type Resolved,
  type WithDefaults,
  createOptionChecks,
  withDefaults,
} from './lib/options.ts'
export { type ReleaseOptions, releaseEvents } from './lib/release.ts'
export { type ReplayFilter, type ReplayOptions, replayEvents, replayStatement } from './lib/replay.ts'
export {
  ATTEMPTS_EXHAUSTED,
  type ClaimRef,
  type EventStatus,
  type PendingEvent,
  REFUNDED_CRASHES,
  ROW_COLUMNS,
  type SettleResult,
  UNKNOWN_OUTCOME,
} from './lib/row.ts'
export {
  type Outcome,
  type SettleOptions,
  type Settled,
  completeEvent,
  failEvent,
  rescheduleEvent,
  settleEvents,
} from './lib/settle.ts'
export {
  type DialectName,
  type SqlText,
  type SqlValue,
  type Statement,
  clock,
  limitTo,
  raw,
  sqlText,
  toDrizzle,
  toSql,
} from './lib/statement.ts'
export { type OutboxStats, type StatsOptions, outboxStats } from './lib/stats.ts'
export { type SweepOptions, type Swept, type SweptEvent, sweepPendingEvents } from './lib/sweep.ts'
