import type { OutboxDatabase } from '@keepsend/outbox'
import { fromBetterSqlite } from '@keepsend/outbox/sqlite'
import type Database from 'better-sqlite3'

/** The same database with the view `keepsend_clock` on a clock of ours; see docs/decisions/002. Migrate first. */
export function useClock(connection: Database.Database, now: () => number): void {
  connection.function('proof_clock', now)
  connection.exec('drop view keepsend_clock; create view keepsend_clock as select proof_clock() as ms')
}

/** Keepsend's port, whose groups commit synchronously: nothing runs between a call and its commit. */
export function synchronously(connection: Database.Database): OutboxDatabase {
  return fromBetterSqlite(connection, { defer: (flush) => flush() })
}
