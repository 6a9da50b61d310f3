// The places where a process can be killed. The process counts how often it has reached a place, and kills itself
// there. Keepsend's code does not know of this; the drivers and the sender are watched from outside.

/** A transaction, named after its statements. */
export type Unit = 'migrate' | 'publish' | 'claim' | 'settle' | 'pause' | 'resume' | 'line up' | 'expire' | 'clean-up'

/**
 * `before`: its statements have run, its commit has not. On Postgres a single statement has been sent to the server.
 */
export type Place = `${'before' | 'after'} the commit of ${Unit}` | 'before the POST' | 'after the answer'

/** One kill: when the process reaches the place for the `nth` time, plus `afterMs`. */
export interface Strike {
  place: Place
  nth: number
  afterMs: number
}

let strike: Strike | undefined
let seen = 0

/** Replaces the expected kill; undefined: none. */
export function expectStrike(next: Strike | undefined): void {
  strike = next
  seen = 0
}

/** Counts that the process reached a place; returns the kill if it is due. */
export function struckAt(place: Place): Strike | undefined {
  if (strike?.place !== place) return undefined
  seen++
  return seen === strike.nth ? strike : undefined
}

/** Counts that the process reached a place, and kills it if that is due. */
export function reached(place: Place): void {
  const due = struckAt(place)
  if (!due) return
  if (due.afterMs === 0) process.kill(process.pid, 'SIGKILL')
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), due.afterMs)
}

/** The transactions that a statement of Keepsend belongs to. On Postgres one may settle and claim. */
export function unitsOf(sql: string): Unit[] {
  if (/insert into keepsend_migrations/.test(sql)) return ['migrate']
  if (/insert into pending_events/.test(sql)) return ['publish']
  const claims = /crashes = crashes \+/.test(sql)
  const settles = /to_status|delete from pending_events[^;]*gen/.test(sql)
  if (claims || settles) return [...(settles ? ['settle' as const] : []), ...(claims ? ['claim' as const] : [])]
  if (/pause_requested_at = case/.test(sql)) return ['pause']
  if (/update pending_events set status = 'pending', hold_reason = null/.test(sql)) return ['resume']
  if (/last_error = 'expired'/.test(sql)) return ['expire']
  if (/update pending_events set ready = 1/.test(sql)) return ['line up']
  return /delete from pending_events/.test(sql) ? ['clean-up'] : []
}
