import {
  type ClaimOptions,
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
import { BASE_MS, type Ending, type Ref, type Scenario, TICK_MS, letterOf, nameOf } from './state.ts'

const LEASE_TICKS = 2
export const ENDPOINT = 'ep_1'
export const LANE = { workspaceId: 'w', endpointId: ENDPOINT }
/** The lane of a neighbour's. Only its workspace tells it apart. */
const OTHERS_LANE = { ...LANE, workspaceId: 'v' }

/** The ids of the rows, by number. */
export const IDS = Array.from(
  { length: 4 },
  (_, row) => `${firstEventIdAt(BASE_MS)}-7000-8000-00000000000${row}.${ENDPOINT}`,
)

/** A row that a verb has handed out. */
export interface Taken extends Ref {
  attempts: number
  deferrals: number
}

/** One call of a verb of the outbox, as it is. The same key on the same table does the same. */
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
  key: string
  /** The claims that the caller shows, or what its message names. */
  refs: readonly Ref[]
  run(db: OutboxDatabase): Promise<R>
  /** Whose rows alone it may change; undefined: everybody's. */
  workspaceId?: string | undefined
  /** Of the rows in `refs`, those that the caller is told to be its own. */
  stood(answer: R): readonly number[]
}

export interface Ended extends Ref {
  ending: Ending
}

/** What a settle says: the rows that were another's, and what its own commit claimed. */
export interface SettleAnswer {
  lost: readonly number[]
  claims: readonly Taken[]
}

const leaseMs = LEASE_TICKS * TICK_MS

/** Too long for a row: each is stored beside its row. */
export const PAYLOAD = JSON.stringify({ text: 'x'.repeat(1000) })

/** The event of a row, as it is published each time. */
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

/** The event of a row is published once more; answers the row as it then stands. */
export function publish(row: number, scenario: Scenario): Verb<Taken | undefined> {
  async function run(db: OutboxDatabase) {
    const [inserted] = await enqueueEvents(db, [eventOf(row, scenario)])
    const { rows } = await db.run(
      sqlText`select ${pendingEvents.all} from pending_events where id = ${inserted?.id ?? ''}`,
    )
    return readPendingEvents(rows).map(taken)[0]
  }
  return { kind: 'publish', key: `publish ${letterOf(row)}`, refs: [], run, stood: nothing }
}

/** Where a claim takes its rows from: their lane, a neighbour's, or what has become due. */
export type Source = 'in line' | "in a neighbour's line" | 'due'

// With each a lane that is empty, as after a look that another was quicker than.
const LANES = { 'in line': LANE, "in a neighbour's line": OTHERS_LANE }

export function claim(source: Source, most: number): Verb<Taken[]> {
  const lane = source === 'due' ? undefined : LANES[source]
  const lanes = lane && [lane, { ...lane, endpointId: 'ep_2' }].map((one) => ({ ...one, count: most }))
  const options = lanes ? { lanes } : { due: most }
  const run = async (db: OutboxDatabase) => (await claimReadyEvents(db, { ...options, leaseMs })).claims.map(taken)
  const key = `claim ${most} ${source}`
  return { kind: 'claim', key, refs: [], workspaceId: lane?.workspaceId, run, stood: nothing }
}

/** What is due is put in its lane. */
export function lineUp(): Verb<number> {
  return { kind: 'line up', key: 'line up', refs: [], run: (db) => lineUpDueEvents(db), stood: nothing }
}

export function claimNamed(ref: Ref): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await claimEvents(db, [claimRef(ref)], { leaseMs })).claims.map(taken)
  const stood = (claims: readonly Taken[]): number[] => claims.map(({ row }) => row)
  return { kind: 'claim named', key: `claim ${nameOf(ref)}`, refs: [ref], run, stood }
}

/** What a message's row comes to: it stands, it was overtaken, or it is lost. */
export function begin(ref: Ref): Verb<{ row: Taken; swept: boolean } | 'stale'> {
  async function run(db: OutboxDatabase) {
    const { current, swept } = await beginEvents(db, [claimRef(ref)])
    const row = current[0] ?? swept[0]
    return row ? { row: taken(row), swept: swept.length > 0 } : ('stale' as const)
  }
  const stood = (found: { row: Taken } | 'stale'): number[] => (found === 'stale' ? [] : [found.row.row])
  return { kind: 'begin', key: `begin ${nameOf(ref)}`, refs: [ref], run, stood }
}

/** Answers the rows that are another's. */
export function extend(refs: readonly Ref[]): Verb<number[]> {
  const run = async (db: OutboxDatabase) => (await extendLease(db, refs.map(claimRef), leaseMs)).map(numberOf)
  const stood = (lost: readonly number[]): number[] => withoutRows(refs, lost)
  return { kind: 'extend', key: `extend ${refs.map(nameOf).join()}`, refs, run, stood }
}

export function release(refs: readonly Ref[]): Verb<SettleAnswer> {
  const run = async (db: OutboxDatabase) => ({
    lost: (await releaseEvents(db, refs.map(claimRef))).map(numberOf),
    claims: [],
  })
  const stood = ({ lost }: SettleAnswer): number[] => withoutRows(refs, lost)
  return { kind: 'settle', key: `release ${refs.map(nameOf).join()}`, refs, run, stood }
}

export interface SettleHow {
  keepCompleted: boolean
  retryTicks: number
  /** Rows to claim in the same commit. */
  claim?: { source: Source; most: number } | undefined
}

export function settle(ended: readonly Ended[], how: SettleHow): Verb<SettleAnswer> {
  const { keepCompleted, claim: next } = how
  async function run(db: OutboxDatabase) {
    const outcomes = ended.map((one) => outcomeOf(one, how.retryTicks * TICK_MS))
    const { lost, claimed } = await settleEvents(db, outcomes, { keepCompleted, claim: next && claimOf(next) })
    return { lost: lost.map(numberOf), claims: claimed.claims.map(taken) }
  }
  const what = ended.map((one) => `${nameOf(one)} ${one.ending}`).join()
  const key = `settle ${what}${next ? `, claim ${next.most} ${next.source}` : ''}`
  const stood = ({ lost }: SettleAnswer): number[] => withoutRows(ended, lost)
  return { kind: 'settle', key, refs: ended, run, stood }
}

function claimOf({ source, most }: { source: Source; most: number }): ClaimOptions {
  return source === 'due' ? { due: most, leaseMs } : { lanes: [{ ...LANES[source], count: most }], leaseMs }
}

export function sweep(): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await sweepPendingEvents(db, { leaseMs })).events.map(taken)
  return { kind: 'sweep', key: 'sweep', refs: [], run, stood: nothing }
}

/** The sweep of a tick whose hand-off the queue refuses. */
export function sweepRefused(): Verb<Taken[]> {
  async function run(db: OutboxDatabase) {
    const { events } = await sweepPendingEvents(db, { leaseMs })
    await releaseEvents(db, events)
    return events.map(taken)
  }
  return { kind: 'sweep', key: 'sweep, refused', refs: [], run, stood: nothing }
}

export function replay(): Verb<number[]> {
  const run = async (db: OutboxDatabase) =>
    (await replayEvents(db, { workspaceId: 'w', endpointId: ENDPOINT })).ids.map(numberOf)
  return { kind: 'replay', key: 'replay', refs: [], run, stood: nothing }
}

function nothing(): [] {
  return []
}

function withoutRows(refs: readonly Ref[], lost: readonly number[]): number[] {
  return refs.flatMap(({ row }) => (lost.includes(row) ? [] : [row]))
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
