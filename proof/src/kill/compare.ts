import { percentile } from '../report.ts'
import type { Unanswered } from './app.ts'
import type { Arrival } from './arrivals.ts'
import type { Published } from './publisher.ts'
import { compareEnds } from './ends.ts'
import type { Endpoint } from './sites.ts'
import type { Failed, Recorded } from './store.ts'
import type { Place } from './strike.ts'

/** A fault, as the parent recorded it. */
export interface Fault {
  what: 'app killed' | 'app stopped past its lease' | 'receiver killed' | 'server killed' | 'stalled by itself'
  /** Its start and end, ms since the epoch: equal, unless a process stopped or stalled. */
  from: number
  until: number
  /** Claims in flight of a process: `<delivery id> <gen>`. Undefined if only their number has a bound. */
  inFlight: readonly string[] | undefined
  /** Where the app was killed, unless at a random time. */
  place?: Place
}

/** The result of a round, in Jepsen's words. An operation is one delivery: an event on its way to one endpoint. */
export interface Tally {
  kills: number
  /** Number of kills by place. */
  places: Map<string, number>
  receiverKills: number
  serverKills: number
  stops: number
  /** Stalls of the machine, which the parent did not cause. */
  stalls: number
  attempt: number
  acknowledged: number
  /** Acknowledged, and arrived. */
  ok: number
  /** The same, by workspace. */
  okIn: Map<string, number>
  /** Acknowledged, and expired at a disabled endpoint. */
  expired: number
  /** How often a receiver has asked for a pause. */
  pauses: number
  /** Acknowledged, and neither arrived nor correctly expired. */
  lost: number
  /**
   * Never requested, wrongly signed, at another workspace's endpoint, or part of an event whose other part is missing.
   */
  unexpected: number
  /** Arrived more than once. */
  duplicated: number
  /** Not acknowledged, but arrived: committed by a process that died before it could respond. */
  recovered: number
  /** Rows that were pending or held at the end, and deliveries that failed for another reason. */
  unsettled: number
  /** Deliveries whose recorded attempts are not what happened: see {@link compareRecorded}. */
  misrecorded: number
  /** Of those, without a kill: the response reached no one, or the sender had waited for it in vain. */
  timedOut: number
  /** Duplicates without an explanation. */
  unexplained: number
  /** The first few of them, with the nearest kills. */
  unexplainedDetails: string[]
  /** The most duplicates of one kill, and the claims that were in flight at it. */
  worst: { duplicates: number; inFlight: number }
  /** The most claims in flight at one kill. */
  mostInFlight: number
  /** For each claim that a kill interrupted: ms until the delivery arrived. */
  recoveryMs: number[]
}

// An arrival is recorded when the receiver reads it, which may be shortly after the kill.
const BEFORE_MS = 100
const AFTER_MS = 1500
const MOST_DETAILS = 5

export function compare(round: {
  published: Published
  arrivals: readonly Arrival[]
  endpoints: readonly Endpoint[]
  faults: readonly Fault[]
  /** Attempts without a response, as their senders report them. */
  unanswered: readonly Unanswered[]
  unsettled: number
  failed: readonly Failed[]
  recorded: readonly Recorded[]
}): Tally {
  const { published, arrivals, endpoints, faults } = round
  const byPath = new Map(endpoints.map((endpoint) => [endpoint.path, endpoint]))
  const taken = new Map<string, Arrival[]>()
  let unexpected = 0
  for (const arrival of arrivals) {
    const { id, path, genuine, n } = arrival
    const endpoint = byPath.get(path)
    const asked = published.attempted.get(id)
    const isOwed = endpoint && !endpoint.expires && endpoint.workspaceId === asked?.workspaceId
    if (!isOwed || !genuine || asked.n !== n) unexpected++
    if (!arrival.taken) continue
    const key = `${id}.${endpoint?.id}`
    const times = taken.get(key)
    if (times) times.push(arrival)
    else taken.set(key, [arrival])
  }
  const misrecorded = compareRecorded({ ...round, taken, byPath })
  const ends = compareEnds({ published, taken, failed: round.failed, endpoints })
  const struck = freshClaims(faults)
  const inVain = new Map<string, number[]>()
  for (const { path, id, at } of round.unanswered) {
    const key = `${id}.${byPath.get(path)?.id}`
    inVain.set(key, [...(inVain.get(key) ?? []), at])
  }
  const duplicates = explain(taken, struck, inVain)
  const count = (what: Fault['what']): number => faults.filter((fault) => fault.what === what).length
  const worst = { duplicates: 0, inFlight: 0 }
  for (const { fault, found } of duplicates.byFault) {
    if (found > worst.duplicates) Object.assign(worst, { duplicates: found, inFlight: fault.held?.size ?? found })
  }
  return {
    kills: count('app killed'),
    places: countPlaces(faults),
    receiverKills: count('receiver killed'),
    serverKills: count('server killed'),
    stops: count('app stopped past its lease'),
    stalls: count('stalled by itself'),
    attempt: ends.attempt,
    acknowledged: ends.acknowledged,
    ok: [...ends.okIn.values()].reduce((all, one) => all + one, 0),
    okIn: ends.okIn,
    expired: ends.expired,
    pauses: arrivals.filter(({ paused }) => paused).length,
    lost: ends.lost,
    unexpected: unexpected + ends.missingParts,
    duplicated: duplicates.total,
    recovered: ends.recovered,
    unsettled: round.unsettled + ends.wronglyFailed,
    misrecorded,
    timedOut: duplicates.timedOut,
    unexplained: duplicates.unexplainedDetails.length,
    unexplainedDetails: duplicates.unexplainedDetails.slice(0, MOST_DETAILS),
    worst,
    mostInFlight: Math.max(0, ...struck.map(({ claims }) => claims?.size ?? 0)),
    recoveryMs: recoveries(taken, struck),
  }
}

/**
 * Counts deliveries whose history is wrong. An attempt is recorded if, and only if, its settle stands: a delivery that
 * arrived and did not fail has one attempt that delivered it, every other has none, and no delivery has more answered
 * attempts than the receiver saw.
 */
function compareRecorded({
  recorded,
  arrivals,
  taken,
  failed,
  byPath,
}: {
  recorded: readonly Recorded[]
  arrivals: readonly Arrival[]
  taken: ReadonlyMap<string, readonly Arrival[]>
  failed: readonly Failed[]
  byPath: ReadonlyMap<string, Endpoint>
}): number {
  const seen = new Map<string, number>()
  for (const { id, path } of arrivals) {
    const key = `${id}.${byPath.get(path)?.id}`
    seen.set(key, (seen.get(key) ?? 0) + 1)
  }
  const hasFailed = new Set(failed.map(({ id }) => id))
  const history = new Map(recorded.map((one) => [one.id, one]))
  const keys = new Set([...taken.keys(), ...history.keys()])
  return [...keys].filter((key) => {
    const { delivered, answered } = history.get(key) ?? { delivered: 0, answered: 0 }
    const isDelivered = taken.has(key) && !hasFailed.has(key)
    return delivered !== (isDelivered ? 1 : 0) || answered > (seen.get(key) ?? 0)
  }).length
}

interface Struck extends Fault {
  /** Deliveries that were in flight. */
  held: Set<string> | undefined
  /** Those whose claim, with its `gen`, no earlier kill had found in flight. */
  claims: Map<string, string> | undefined
}

/** A dead process' claim is in flight until its lease expires, also at later kills: it counts for the first one. */
function freshClaims(faults: readonly Fault[]): Struck[] {
  const seen = new Set<string>()
  return faults.map((fault) => {
    const fresh = fault.inFlight?.filter((claim) => !seen.has(claim))
    for (const claim of fresh ?? []) seen.add(claim)
    return {
      ...fault,
      held: fault.inFlight && new Set(fault.inFlight.map((claim) => claim.slice(0, claim.indexOf(' ')))),
      claims: fresh && new Map(fresh.map((claim) => claim.split(' ') as [string, string])),
    }
  })
}

/**
 * Finds for each repeated arrival a kill between it and the one before that found it in flight, or an attempt whose
 * sender timed out, each of which explains one.
 */
function explain(
  taken: ReadonlyMap<string, readonly Arrival[]>,
  struck: readonly Struck[],
  inVain: ReadonlyMap<string, number[]>,
): { total: number; timedOut: number; unexplainedDetails: string[]; byFault: { fault: Struck; found: number }[] } {
  const found = new Map<Struck, number>()
  const unexplainedDetails: string[] = []
  let [total, timedOut] = [0, 0]
  for (const [key, times] of taken) {
    for (const [index, { at }] of times.entries()) {
      const before = times[index - 1]
      if (before === undefined) continue
      total++
      const between = struck.filter(({ from, until }) => from - BEFORE_MS <= at && until + AFTER_MS >= before.at)
      const cause = between.find(({ held }) => held?.has(key)) ?? between.find(({ held }) => !held)
      if (cause) found.set(cause, (found.get(cause) ?? 0) + 1)
      // The sender timed out. The receiver may have answered at the same time.
      else if (before.cut || takeBefore(inVain.get(key), at)) timedOut++
      else unexplainedDetails.push(describeUnexplained(key, before.at, at, struck))
    }
  }
  return { total, timedOut, unexplainedDetails, byFault: [...found].map(([fault, times]) => ({ fault, found: times })) }
}

/** Describes a duplicate without an explanation: the kills before and after it. */
function describeUnexplained(key: string, first: number, second: number, struck: readonly Struck[]): string {
  const nearest = struck.toSorted((a, b) => Math.abs(a.until - first) - Math.abs(b.until - first)).slice(0, 3)
  const kills = nearest.map(
    ({ what, place, until, held }) =>
      `${what}${place ? ` ${place}` : ''} ${until - first} ms from the first` +
      (held ? `, ${held.size} in flight, ${held.has(key) ? 'this too' : 'not this'}` : ''),
  )
  return `${key} was taken at ${first} and again ${second - first} ms later; nearest kills: ${kills.join('; ')}`
}

function takeBefore(times: number[] = [], at: number): boolean {
  const place = times.findIndex((time) => time <= at)
  return place >= 0 && times.splice(place, 1).length === 1
}

function recoveries(taken: ReadonlyMap<string, readonly Arrival[]>, struck: readonly Struck[]): number[] {
  const times: number[] = []
  for (const [index, { claims, until }] of struck.entries()) {
    for (const key of claims?.keys() ?? []) {
      const at = taken.get(key)?.find((arrival) => arrival.at > until)?.at
      if (at === undefined) continue
      // Interrupted again by a later kill: counted from that one.
      const again = struck.some((later, place) => place > index && later.until < at && later.claims?.has(key))
      if (!again) times.push(at - until)
    }
  }
  return times
}

function countPlaces(faults: readonly Fault[]): Map<string, number> {
  const places = new Map<string, number>()
  for (const { what, place = 'at a random time' } of faults) {
    if (what === 'app killed') places.set(place, (places.get(place) ?? 0) + 1)
  }
  return places
}

function addMaps(all: readonly ReadonlyMap<string, number>[]): Map<string, number> {
  const sums = new Map<string, number>()
  for (const [key, times] of all.flatMap((one) => [...one])) sums.set(key, (sums.get(key) ?? 0) + times)
  return sums
}

/** Adds several rounds up. */
export function sum(tallies: readonly Tally[]): Tally {
  const add = (read: (tally: Tally) => number): number => tallies.reduce((all, tally) => all + read(tally), 0)
  const worst = tallies.map((tally) => tally.worst).toSorted((a, b) => b.duplicates - a.duplicates)[0]
  return {
    kills: add((tally) => tally.kills),
    places: addMaps(tallies.map(({ places }) => places)),
    receiverKills: add((tally) => tally.receiverKills),
    serverKills: add((tally) => tally.serverKills),
    stops: add((tally) => tally.stops),
    stalls: add((tally) => tally.stalls),
    attempt: add((tally) => tally.attempt),
    acknowledged: add((tally) => tally.acknowledged),
    ok: add((tally) => tally.ok),
    okIn: addMaps(tallies.map(({ okIn }) => okIn)),
    expired: add((tally) => tally.expired),
    pauses: add((tally) => tally.pauses),
    lost: add((tally) => tally.lost),
    unexpected: add((tally) => tally.unexpected),
    duplicated: add((tally) => tally.duplicated),
    recovered: add((tally) => tally.recovered),
    unsettled: add((tally) => tally.unsettled),
    misrecorded: add((tally) => tally.misrecorded),
    timedOut: add((tally) => tally.timedOut),
    unexplained: add((tally) => tally.unexplained),
    unexplainedDetails: tallies.flatMap(({ unexplainedDetails }) => unexplainedDetails),
    worst: worst ?? { duplicates: 0, inFlight: 0 },
    mostInFlight: Math.max(0, ...tallies.map((tally) => tally.mostInFlight)),
    recoveryMs: tallies.flatMap((tally) => tally.recoveryMs),
  }
}

/** p50, p99 and the longest, in seconds. */
export function recoveryTimes({ recoveryMs }: Tally): string {
  if (recoveryMs.length === 0) return 'none was in flight'
  const sorted = recoveryMs.toSorted((a, b) => a - b)
  return [0.5, 0.99, 1].map((p) => `${(percentile(sorted, p) / 1000).toFixed(2)} s`).join(' / ')
}
