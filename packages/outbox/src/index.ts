export { sharedByCopies, shareInstances } from './lib/copies.ts'
export {
  type Claim,
  type ClaimDueOptions,
  type ClaimOptions,
  type ClaimResult,
  DEFAULT_LEASE_MS,
  type LeaseOptions,
  type NextDue,
  addClaim,
  claimDueEvents,
  claimEvents,
  claimReadyEvents,
  nextDueEvent,
} from './lib/claim.ts'
export {
  type CleanupOptions,
  DEFAULT_FAILED_RETENTION_MS,
  DEFAULT_RETENTION_MS,
  cleanupOldEvents,
} from './lib/cleanup.ts'
export { type Codec, type ColumnNames, type JsonColumn, type ReadColumn, createCodec, json } from './lib/codec.ts'
export { type OutboxDatabase, onlyRow, rowsAs } from './lib/database.ts'
export { type Row, type SqlResult } from './lib/statement.ts'
export type {
  Dialect,
  RowsInOrder,
  KeyRange,
  NewestInLine,
  Payload,
  Picked,
  RowSource,
  Stored,
  Which,
} from './lib/dialect.ts'
export { MAX_CONTENT_TYPE_LENGTH, contentTypeProblem } from './lib/content-type.ts'
export { type EnqueueResult, enqueueEvent, enqueueEventStatement, enqueueEvents } from './lib/enqueue.ts'
export { OutboxError, type OutboxErrorCode, isLockTimeout, isNullRefused } from './lib/errors.ts'
export {
  DEFAULT_MAX_ATTEMPTS,
  MAX_PAYLOAD_BYTES,
  type OutboxEvent,
  eventIdTime,
  firstEventIdAt,
  isEventId,
  newEventId,
  utf8Bytes,
} from './lib/event.ts'
export { type ExpireOptions, type ExpiringEvent, expireEvents } from './lib/expire.ts'
export {
  type FailHeldOptions,
  type ResumeOptions,
  type ResumedRow,
  endpointsWithHeldRows,
  lookOnBehind,
  failHeldStatement,
  holdLaneStatement,
  resumeNamedStatement,
  resumeStatement,
} from './lib/hold.ts'
export {
  type InsertStatements,
  type Receivers,
  insertSelectStatements,
  isTooManyRows,
  refuseRowsStatement,
} from './lib/insert.ts'
export { type LineUpOptions, type Look, inTurn, lineUpDueEvents, lookAtLanes, oldestInLine } from './lib/lane.ts'
export { type LaneRef, type LaneShare, type LookOptions } from './lib/lane-ref.ts'
export { type BeginResult, beginEvent, beginEvents, extendLease } from './lib/lease.ts'
export { type FindOptions, findStatement } from './lib/list.ts'
export { type Migration, applyMigrations } from './lib/migrate.ts'
export { migrateOutbox, outboxMigrations } from './lib/migrations.ts'
export {
  type OptionChecks,
  type OptionNames,
  type OptionTable,
  OR,
  type OptionsOf,
  type Resolved,
  type WithDefaults,
  createOptionChecks,
  withDefaults,
} from './lib/options.ts'
export { MAX_INLINE_ROWS, type PayloadCleanupOptions, cleanupPayloads, maxInlineRows } from './lib/payload.ts'
export { type ReleaseOptions, releaseEvents } from './lib/release.ts'
export { type ReplayFilter, type ReplayOptions, replayEvents, replayStatement } from './lib/replay.ts'
export {
  ATTEMPTS_EXHAUSTED,
  type ClaimRef,
  DELIVERY_UNCONFIRMED,
  EXPIRED,
  type EventState,
  type EventStatus,
  type PendingEvent,
  REFUNDED_CRASHES,
  type SettleStatus,
  type TakenEvent,
  pendingEvents,
  readPendingEvents,
} from './lib/row.ts'
export { BEHIND_EVERY_EVENT, byId, endpointIdOf, eventIdIn, eventIdOf, eventRange, rowId } from './lib/row-id.ts'
export {
  type SettleOptions,
  type SettleResult,
  addSettle,
  completeEvent,
  failEvent,
  rescheduleEvent,
  settleEvents,
} from './lib/settle.ts'
export { type Outcome } from './lib/outcome.ts'
export {
  type DialectName,
  type SqlText,
  type SqlValue,
  type Statement,
  allOf,
  clock,
  joined,
  limitTo,
  raw,
  sqlText,
  template,
  toDrizzle,
  toSql,
  toTransactionSql,
} from './lib/statement.ts'
export { type OutboxStats, type StatsOptions, oldestDue, outboxStats } from './lib/stats.ts'
export { type SweepOptions, type SweepResult, type SweptEvent, sweepPendingEvents } from './lib/sweep.ts'
export type { TakeOptions } from './lib/take-options.ts'
export { Transaction } from './lib/transaction.ts'
