// For the other packages of Keepsend, of the same version. It changes without notice: nothing of it is for hosts.
export { cancelStatement } from './lib/cancel.ts'
export { DEFAULT_LEASE_MS } from './lib/claim.ts'
export type { Codec, ColumnNames, JsonColumn, ReadColumn } from './lib/codec.ts'
export { createCodec, json } from './lib/codec.ts'
export { MAX_CONTENT_TYPE_LENGTH, contentTypeProblem } from './lib/content-type.ts'
export { shareInstances, sharedByCopies } from './lib/copies.ts'
export { onlyRow, rowsAs } from './lib/database.ts'
export type { Dialect, KeyRange, NewestInLine, Payload, Picked, RowsInOrder, Stored, Which } from './lib/dialect.ts'
export type { EraseRows } from './lib/erase.ts'
export { eraseStatement, rowsToErase } from './lib/erase.ts'
export { isLockTimeout, isNullRefused } from './lib/errors.ts'
export { eventIdTime, firstEventIdAt, isEventId, utf8Bytes } from './lib/event.ts'
export { lookOnBehind } from './lib/hold.ts'
export type { EventRecord } from './lib/event-record.ts'
export { giveUpStatement } from './lib/give-up.ts'
export { insertAgainStatement } from './lib/insert-again.ts'
export type { InsertStatements, Receivers } from './lib/insert.ts'
export { insertSelectStatements, isTooManyRows, refuseRowsStatement } from './lib/insert.ts'
export { inTurn } from './lib/lane.ts'
export type { Migration } from './lib/migrate.ts'
export { applyMigrations } from './lib/migrate.ts'
export { outboxMigrations } from './lib/migrations.ts'
export type { OptionChecks, OptionNames, OptionTable, OptionsOf, Resolved, WithDefaults } from './lib/options.ts'
export { OR, createOptionChecks, withDefaults } from './lib/options.ts'
export { MAX_INLINE_ROWS, maxInlineRows } from './lib/payload.ts'
export type { ClaimRecord, ClaimSource } from './lib/record.ts'
export type { ClaimRecords } from './lib/records.ts'
export { recordsOf } from './lib/records.ts'
export { replayStatement } from './lib/replay.ts'
export { retryNowStatement } from './lib/retry-now.ts'
export { BEHIND_EVERY_EVENT, byId, endpointIdOf, eventIdIn, eventIdOf, eventRange, rowId } from './lib/row-id.ts'
export {
  ATTEMPTS_EXHAUSTED,
  CANCELLED,
  DELIVERY_UNCONFIRMED,
  EXPIRED,
  GIVEN_UP,
  MAX_FREE_CRASHES,
  pendingEvents,
  readPendingEvents,
} from './lib/row.ts'
export type { RowSource } from './lib/row-source.ts'
export type { Schedule } from './lib/schedule.ts'
export type { DialectName, Row, SqlText, SqlValue } from './lib/statement.ts'
export { allOf, clock, joined, limitTo, raw, sqlText, template, toDrizzle, toTransactionSql } from './lib/statement.ts'
export { messageOf } from './lib/message-of.ts'
export { storable } from './lib/storable.ts'
export type { PayloadCopy, PayloadVersions } from './lib/versions.ts'
export type { TakeOptions } from './lib/take-options.ts'
