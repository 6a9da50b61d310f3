import type { Engine } from '@keepsend/engine'
import { type Claim, type ClaimResult, type OutboxDatabase, claimDueEvents, releaseEvents } from '@keepsend/outbox'
import { type OptionNames, sqlText } from '@keepsend/outbox/internal'
import { TestingError, checkBounds, checkNames } from './errors.ts'
import type { VirtualClock } from './virtual-clock.ts'

export interface DeliverAllOptions {
  /** Attempts at most: 1–100,000. If deliveries still wait then, it rejects as `not_settled`. @default 1000 */
  maxAttempts?: number | undefined
  /**
   * How far virtual time may move, in ms: 0–31,536,000,000 (a year). 0: only what is due now. Deliveries that wait for a later time
   * stay. @default no limit
   */
  forMs?: number | undefined
}

export const DELIVER_ALL_OPTIONS = { maxAttempts: 'number', forMs: 'number' } satisfies OptionNames<DeliverAllOptions>

/** The result of {@link DeliverAll}. */
export interface DeliverAllResult {
  /** Requests that the receiver got. */
  attempts: number
  /** Deliveries that ended delivered. */
  delivered: number
  /** Deliveries that ended failed. */
  failed: number
  /** Deliveries that wait for a later time: only with `forMs`. */
  waiting: number
  /** Deliveries that are held: without `forMs` those that a person must resume, such as those of a disabled endpoint. */
  held: number
  /** How far virtual time has moved, in ms. */
  elapsedMs: number
}

export type DeliverAll = (options?: DeliverAllOptions) => Promise<DeliverAllResult>

export interface DeliverAllDeps {
  engine: Engine
  db: OutboxDatabase
  clock: VirtualClock
  /** The number of requests that the receiver got so far. */
  received: () => number
  /** Throws the error of a test's own function that should have answered. */
  throwFailure: () => void
}

export const MAX_MS = 31_536_000_000
const CLAIMS = 100
// Endpoints, and rows of each, that one call resumes.
const RESUMED = { limit: 1000, batch: 1000 }
// Rounds that only move time. A rate limit of one an hour and 1,000 deliveries take fewer.
const MOST_IDLE = 10_000
const NONE: ClaimResult = { claims: [], exhausted: [] }

/** Creates the function that delivers everything. Calls of it run one after the other. */
export function createDeliverAll(deps: DeliverAllDeps): DeliverAll {
  let last: Promise<unknown> = Promise.resolve()
  return async (options = {}) => {
    checkNames('deliverAll', DELIVER_ALL_OPTIONS, options)
    const { maxAttempts = 1000, forMs = MAX_MS } = options
    checkBounds('maxAttempts', maxAttempts, 1, 100_000)
    checkBounds('forMs', forMs, 0, MAX_MS)
    const done = last.then(() => deliverAll(deps, { maxAttempts, forMs }))
    // The caller gets the error.
    last = done.catch(() => undefined)
    return done
  }
}

async function deliverAll(
  deps: DeliverAllDeps,
  { maxAttempts, forMs }: { maxAttempts: number; forMs: number },
): Promise<DeliverAllResult> {
  const { engine, db, clock, received } = deps
  const [began, endAt, before] = [clock.now, clock.now + forMs, received()]
  const counts = { completed: 0, failed: 0 }
  const removeSettled = engine.on('settled', ({ outcome }) => {
    if (outcome === 'completed' || outcome === 'failed') counts[outcome]++
  })
  const removeExhausted = engine.on('exhausted', () => counts.failed++)
  try {
    for (let idle = 0; ; idle++) {
      clock.tick()
      const left = idle < MOST_IDLE ? maxAttempts - (received() - before) : 0
      const { resumed } = await engine.worker.resumeHeld(RESUMED)
      const claimed = left > 0 ? await claimDueEvents(db, { limit: Math.min(CLAIMS, left) }) : NONE
      engine.worker.noteClaim(claimed)
      if (claimed.claims.length > 0) {
        const made = received()
        await attemptAll(deps, claimed.claims, endAt)
        if (received() > made) idle = 0
      } else if (resumed.length + claimed.exhausted.length === 0) {
        const next = await nextTime(db)
        const isDue = left === 0 && (await engine.stats()).due > 0
        if (!isDue && next > endAt) break
        if (left === 0) throw await notSettled(db, received() - before, maxAttempts)
        clock.moveTo(next)
      }
    }
  } finally {
    removeSettled()
    removeExhausted()
  }
  const { due, scheduled, inFlight, dispatched, held } = await engine.stats()
  return {
    attempts: received() - before,
    delivered: counts.completed,
    failed: counts.failed,
    waiting: due + scheduled + inFlight + dispatched,
    held,
    elapsedMs: clock.now - began,
  }
}

/**
 * Makes the attempts one after the other, and settles each before the next, so that the requests have the same order in each
 * run. After an error it releases the claims that are left.
 */
async function attemptAll(deps: DeliverAllDeps, claims: readonly Claim[], endAt: number): Promise<void> {
  const { waitMs, refused } = await deps.engine.worker.admit(claims)
  const admittedAt = deps.clock.now
  const waitOf = ({ id }: Claim): number => waitMs.get(id) ?? 0
  const left = claims.toSorted((one, other) => waitOf(one) - waitOf(other))
  try {
    for (let claim = left.shift(); claim; claim = left.shift()) {
      const startsAt = admittedAt + waitOf(claim)
      const laterMs = startsAt > endAt ? startsAt - admittedAt : undefined
      await attempt(deps, claim, { startsAt, resumeInMs: refused.get(claim.id) ?? laterMs })
    }
  } catch (error) {
    // The first error says what happened; after a second one the leases end the claims.
    await releaseEvents(deps.db, left).catch(() => undefined)
    throw error
  }
}

/** @param how.resumeInMs the rate limit of its endpoint allows it only then */
async function attempt(
  { engine, clock, throwFailure }: DeliverAllDeps,
  claim: Claim,
  { startsAt, resumeInMs }: { startsAt: number; resumeInMs: number | undefined },
): Promise<void> {
  // Also to the time of an event that a statement of the test's own has inserted, by the database's clock.
  if (resumeInMs === undefined) clock.moveTo(Math.max(startsAt, claim.createdAt))
  const outcome =
    resumeInMs === undefined
      ? await engine.worker.deliver(claim, clock.now, { admitted: true })
      : ({ kind: 'hold', reason: 'rate_limited', resumeInMs } as const)
  const { results, storageError } = await engine.worker.settleEach([{ claim, outcome }])
  throwFailure()
  const settle = results[0]?.settle
  if (settle === 'settled' || settle === 'lost') return
  throw new TestingError(
    'settle_refused',
    `the database refused the outcome of ${claim.id} (${settle}); the lines of the engine say more`,
    { cause: storageError },
  )
}

/** When the next delivery is due, or is resumed; infinity if none is. */
async function nextTime(db: OutboxDatabase): Promise<number> {
  const { rows } = await db.run<{ at: number | null }>(sqlText`
    select min(at) as "at" from (
      select due_at as at from pending_events where status = 'pending' and due_at is not null and ready = 0
      union all
      select resume_at from keepsend_endpoints as endpoint where resume_at is not null and exists (
        select 1 from pending_events as held where held.endpoint_id = endpoint.id and held.status = 'held')) as next`)
  return rows[0]?.at ?? Infinity
}

async function notSettled(db: OutboxDatabase, attempts: number, maxAttempts: number): Promise<TestingError> {
  const { rows } = await db.run<{ id: string; attempts: number; error: string | null }>(sqlText`
    select id as "id", attempts as "attempts", last_error as "error" from pending_events
    where status = 'pending' or status = 'held' order by id limit 4`)
  const shown = rows.slice(0, 3).map((row) => `${row.id} (attempt ${row.attempts}: ${row.error ?? 'no error yet'})`)
  const more = rows.length > shown.length ? ', …' : ''
  return new TestingError(
    'not_settled',
    `deliverAll made ${attempts} attempts, of at most ${maxAttempts} (maxAttempts), and deliveries still wait: ${shown.join(', ')}${more}; answer their requests in another way, or raise maxAttempts`,
  )
}
