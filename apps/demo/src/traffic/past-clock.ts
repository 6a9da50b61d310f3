import type { SqliteHandle } from '@keepsend/adapter-node'

/** The time of a database, told by us. */
export interface PastClock {
  /** Milliseconds since the epoch. */
  readonly now: number
  moveTo(ms: number): void
}

/**
 * Lets statements on this connection read our time. A temporary view hides the file's `keepsend_clock` from this connection alone,
 * and ends with it.
 */
export function takeClock(connection: SqliteHandle, beginsAt: number): PastClock {
  let now = Math.round(beginsAt)
  connection.exec(`create temp table past_clock (ms integer not null);
    insert into past_clock values (${now});
    create temp view keepsend_clock as select ms from past_clock`)
  const set = connection.prepare('update past_clock set ms = ?')
  return {
    get now() {
      return now
    },
    moveTo(ms) {
      now = Math.round(ms)
      set.run(now)
    },
  }
}
