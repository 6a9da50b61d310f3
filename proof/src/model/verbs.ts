import {
  type ClaimOptions,
  type ClaimRef,
  type EventState,
  type OutboxDatabase,
  type OutboxEvent,
  type Outcome,
  beginEvents,
  claimEvents,
  claimReadyEvents,
  enqueueEvents,
  extendLease,
  lineUpDueEvents,
  releaseEvents,
  replayEvents,
  settleEvents,
  sweepPendingEvents,
} from '@keepsend/outbox'
import { eventIdOf, firstEventIdAt, pendingEvents, readPendingEvents, sqlText } from '@keepsend/outbox/internal'
import { currentClaims, faultOfAttempts, recordsOfEndings } from './history.ts'
import { BASE_MS, type Ending, type Ref, type Scenario, TICK_MS, letterOf, nameOf } from './state.ts'

const LEASE_TICKS = 2
export const ENDPOINT = 'ep_1'
export const LANE = { workspaceId: 'w', endpointId: ENDPOINT }
/** The lane of another workspace. Only its workspace differs. */
const OTHERS_LANE = { ...LANE, workspaceId: 'v' }

/** The ids of the rows, by number. */
export const IDS = Array.from(
  { length: 4 },
  (_, row) => `${firstEventIdAt(BASE_MS)}-7000-8000-00000000000${row}.${ENDPOINT}`,
)

/** A row that a verb has returned. */
export interface Taken extends Ref {
  attempts: number
  deferrals: number
}

/** One unchanged call of a verb of the outbox. The same key on the same table has the same effect. */
export interface Verb<R> {
  kind:
    | 'publish'
    | 'claim'
    | 'claim named'
    | 'begin'
    | 'line up'
    | 'hold'
    | 'extend'
    | 'settle'
    | 'sweep'
    | 'replay'
    | 'resume'
    | 'expire'
    | 'cancel'
  key: string
  /** The caller's claims, or the row that its message names. */
  refs: readonly Ref[]
  run(db: OutboxDatabase): Promise<R>
  /** The only workspace whose rows it may change; undefined: all workspaces. */
  workspaceId?: string | undefined
  /** Those of `refs` that the verb reported as the caller's own. */
  current(answer: R): readonly Ref[]
}

export interface Ended extends Ref {
  ending: Ending
}

/** A claim that a verb reported as lost. */
type Lost = Pick<Ref, 'row' | 'gen'>

/** The result of a settle: the lost claims, and the rows that its own commit claimed. */
export interface SettleAnswer {
  lost: readonly Lost[]
  claims: readonly Taken[]
  /** The fault of the attempts that it recorded. */
  misrecorded?: string | undefined
}

const leaseMs = LEASE_TICKS * TICK_MS

/** Too long for a row: each is stored apart from its row. */
export const PAYLOAD = JSON.stringify({ text: 'x'.repeat(1000) })

/** The event of a row, the same at each publish. */
export function eventOf(row: number, { maxAttempts, kind, neighbours }: Scenario): OutboxEvent {
  return {
    eventId: eventIdOf(IDS[row] ?? ''),
    ...(neighbours && row === 1 ? OTHERS_LANE : LANE),
    type: 'message.created',
    payload: PAYLOAD,
    maxAttempts,
    due: kind === 'queue' ? 'dispatched' : 'now',
  }
}

/** Publishes the event of a row again; returns the resulting row. */
export function publish(row: number, scenario: Scenario): Verb<Taken | undefined> {
  async function run(db: OutboxDatabase) {
    const [inserted] = await enqueueEvents(db, [eventOf(row, scenario)])
    const { rows } = await db.run(
      sqlText`select ${pendingEvents.all} from pending_events where id = ${inserted?.id ?? ''}`,
    )
    return readPendingEvents(rows).map(taken)[0]
  }
  return { kind: 'publish', key: `publish ${letterOf(row)}`, refs: [], run, current: nothing }
}

/** Where a claim takes its rows from: their lane, another workspace's lane, or rows that have become due. */
export type Source = 'in line' | "in a neighbour's line" | 'due'

// Each with an empty lane, as after a look when another worker was faster.
const LANES = { 'in line': LANE, "in a neighbour's line": OTHERS_LANE }

export function claim(source: Source, most: number): Verb<Taken[]> {
  const lane = source === 'due' ? undefined : LANES[source]
  const lanes = lane && [lane, { ...lane, endpointId: 'ep_2' }].map((one) => ({ ...one, count: most }))
  const options = lanes ? { lanes } : { due: most }
  const run = async (db: OutboxDatabase) => (await claimReadyEvents(db, { ...options, leaseMs })).claims.map(taken)
  const key = `claim ${most} ${source}`
  return { kind: 'claim', key, refs: [], workspaceId: lane?.workspaceId, run, current: nothing }
}

/** Puts due rows in line. */
export function lineUp(): Verb<number> {
  return { kind: 'line up', key: 'line up', refs: [], run: (db) => lineUpDueEvents(db), current: nothing }
}

export function claimNamed(ref: Ref): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await claimEvents(db, [claimRef(ref)], { leaseMs })).claims.map(taken)
  const current = (claims: readonly Taken[]): Ref[] => (claims.length === 0 ? [] : [ref])
  return { kind: 'claim named', key: `claim ${nameOf(ref)}`, refs: [ref], run, current }
}

/** Begins a message: its row is current, was overtaken, or is stale. */
export function begin(ref: Ref): Verb<{ row: Taken; swept: boolean } | 'stale'> {
  async function run(db: OutboxDatabase) {
    const { current, swept } = await beginEvents(db, [claimRef(ref)])
    const row = current[0] ?? swept[0]
    return row ? { row: taken(row), swept: swept.length > 0 } : ('stale' as const)
  }
  const current = (found: { row: Taken } | 'stale'): Ref[] => (found === 'stale' ? [] : [ref])
  return { kind: 'begin', key: `begin ${nameOf(ref)}`, refs: [ref], run, current }
}

/** Returns the claims that are lost. */
export function extend(refs: readonly Ref[]): Verb<Lost[]> {
  const run = async (db: OutboxDatabase) => (await extendLease(db, refs.map(claimRef), leaseMs)).map(lostClaim)
  const current = (lost: readonly Lost[]): Ref[] => without(refs, lost)
  return { kind: 'extend', key: `extend ${refs.map(nameOf).join()}`, refs, run, current }
}

export function release(refs: readonly Ref[]): Verb<SettleAnswer> {
  const run = async (db: OutboxDatabase) => ({
    lost: (await releaseEvents(db, refs.map(claimRef))).map(lostClaim),
    claims: [],
  })
  const current = ({ lost }: SettleAnswer): Ref[] => without(refs, lost)
  return { kind: 'settle', key: `release ${refs.map(nameOf).join()}`, refs, run, current }
}

export interface SettleHow {
  retryTicks: number
  /** Rows to claim in the same commit. */
  claim?: { source: Source; most: number } | undefined
}

export function settle(ended: readonly Ended[], how: SettleHow): Verb<SettleAnswer> {
  const { claim: next } = how
  async function run(db: OutboxDatabase) {
    const outcomes = ended.map((one) => outcomeOf(one, how.retryTicks * TICK_MS))
    const claims = ended.map((one) => ({ ...claimRef(one), ending: one.ending }))
    const current = await currentClaims(db)
    const records = recordsOfEndings(db, claims)
    const { lost, claimed } = await settleEvents(db, outcomes, { records, claim: next && claimOf(next) })
    const misrecorded = await faultOfAttempts(db, claims, current)
    return { lost: lost.map(lostClaim), claims: claimed.claims.map(taken), misrecorded }
  }
  const what = ended.map((one) => `${nameOf(one)} ${one.ending}`).join()
  const key = `settle ${what}${next ? `, claim ${next.most} ${next.source}` : ''}`
  const current = ({ lost }: SettleAnswer): Ref[] => without(ended, lost)
  return { kind: 'settle', key, refs: ended, run, current }
}

function claimOf({ source, most }: { source: Source; most: number }): ClaimOptions {
  return source === 'due' ? { due: most, leaseMs } : { lanes: [{ ...LANES[source], count: most }], leaseMs }
}

export function sweep(): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await sweepPendingEvents(db, { leaseMs })).events.map(taken)
  return { kind: 'sweep', key: 'sweep', refs: [], run, current: nothing }
}

/** The sweep of a tick whose dispatch the queue refuses. */
export function sweepRefused(): Verb<Taken[]> {
  async function run(db: OutboxDatabase) {
    const { events } = await sweepPendingEvents(db, { leaseMs })
    await releaseEvents(db, events)
    return events.map(taken)
  }
  return { kind: 'sweep', key: 'sweep, refused', refs: [], run, current: nothing }
}

export function replay(): Verb<number[]> {
  const run = async (db: OutboxDatabase) =>
    (await replayEvents(db, { workspaceId: 'w', endpointId: ENDPOINT })).ids.map(numberOf)
  return { kind: 'replay', key: 'replay', refs: [], run, current: nothing }
}

function nothing(): [] {
  return []
}

function without(refs: readonly Ref[], lost: readonly Lost[]): Ref[] {
  return refs.filter(({ row, gen }) => !lost.some((one) => one.row === row && one.gen === gen))
}

function lostClaim({ id, gen }: ClaimRef): Lost {
  return { row: numberOf(id), gen: gen - BASE_MS }
}

function outcomeOf(ended: Ended, delayMs: number): Outcome {
  const ref = claimRef(ended)
  switch (ended.ending) {
    case 'complete':
      return { claim: ref, settle: 'complete' }
    case 'fail':
      return { claim: ref, settle: 'fail', error: 'http_400' }
    case 'retry':
      return { claim: ref, settle: 'reschedule', delayMs, error: 'http_500' }
    case 'defer':
      return { claim: ref, settle: 'reschedule', delayMs, deferral: true }
    case 'hold':
      return { claim: ref, settle: 'hold', reason: 'endpoint_disabled' }
  }
}

function claimRef({ row, gen }: Ref): { id: string; gen: number } {
  return { id: IDS[row] ?? '', gen: BASE_MS + gen }
}

function taken({ id, gen, attempts, deferrals, createdAt }: EventState): Taken {
  return { row: numberOf(id), gen: gen - BASE_MS, life: tickOf(createdAt), attempts, deferrals }
}

export function tickOf(timeMs: number): number {
  return (timeMs - BASE_MS) / TICK_MS
}

export function numberOf(id: string): number {
  return IDS.indexOf(id)
}
