// Where a process can be struck, and the process's own side of it: it counts how often it has come to that place, and
// kills itself there. Nothing of Keepsend's knows of this; the drivers and the sender are watched from outside.

/** A unit of work that ends in a commit, by what its statements do. */
export type Unit = 'migrate' | 'publish' | 'claim' | 'settle' | 'clean-up'

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
let onStrike: () => void = () => process.kill(process.pid, 'SIGKILL')

/** From now on the process waits for this blow. What strikes is SIGKILL from itself, unless told otherwise. */
export function expectStrike(next: Strike | undefined, how?: () => void): void {
  strike = next
  seen = 0
  if (how) onStrike = how
}

/** The process is at that place. */
export function reached(place: Place): void {
  if (strike?.place !== place) return
  seen++
  if (seen !== strike.nth) return
  if (strike.afterMs === 0) onStrike()
  else setTimeout(onStrike, strike.afterMs)
}

/** What a statement of Keepsend's is a part of. */
export function unitOf(sql: string): Unit | undefined {
  if (/insert into keepsend_migrations/.test(sql)) return 'migrate'
  if (/insert into pending_events/.test(sql)) return 'publish'
  if (/crashes = crashes \+/.test(sql)) return 'claim'
  if (/to_status|delete from pending_events[^;]*gen/.test(sql)) return 'settle'
  if (/delete from pending_events/.test(sql)) return 'clean-up'
  return undefined
}
