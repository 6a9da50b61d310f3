// Where a process can be struck, and the process's own side of it: it counts how often it has come to that place, and
// kills itself there. Nothing of Keepsend's knows of this; the drivers and the sender are watched from outside.

/** A unit of work that ends in a commit, by what its statements do. */
export type Unit = 'migrate' | 'publish' | 'claim' | 'settle' | 'pause' | 'resume' | 'line up' | 'expire' | 'clean-up'

/** `before`: its statements have run, its commit has not. On Postgres a lone statement is on its way to the server. */
export type Place = `${'before' | 'after'} the commit of ${Unit}` | 'before the POST' | 'after the answer'

/** One blow: at the `nth` time that the process comes to the place, and so much later. */
export interface Strike {
  place: Place
  nth: number
  afterMs: number
}

let strike: Strike | undefined
let seen = 0

/** From now on this process waits for this blow, or for none. */
export function expectStrike(next: Strike | undefined): void {
  strike = next
  seen = 0
}

/** The process has come to that place: the blow, if this is the time for it. */
export function struckAt(place: Place): Strike | undefined {
  if (strike?.place !== place) return undefined
  seen++
  return seen === strike.nth ? strike : undefined
}

/** The process has come to that place, and kills itself if this is the time for it. */
export function reached(place: Place): void {
  const due = struckAt(place)
  if (!due) return
  if (due.afterMs === 0) process.kill(process.pid, 'SIGKILL')
  else setTimeout(() => process.kill(process.pid, 'SIGKILL'), due.afterMs)
}

/** What a statement of Keepsend's is a part of. On Postgres one may settle and claim. */
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
