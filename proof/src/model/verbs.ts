import {
  type Claim,
  type Outcome,
  type OutboxDatabase,
  type PendingEvent,
  beginEvents,
  claimDueEvents,
  claimEvents,
  extendLease,
  firstEventIdAt,
  releaseEvents,
  replayEvents,
  settleEvents,
  sweepPendingEvents,
  unholdEvents,
} from '@keepsend/outbox'
import { type Ending, nameOf } from './state.ts'

export const TICK_MS = 1000
export const BASE_MS = 1_750_000_000_000
const LEASE_TICKS = 2
export const ENDPOINT = 'ep_1'

/** The ids of the rows, by number. */
export const IDS = Array.from(
  { length: 4 },
  (_, row) => `${firstEventIdAt(BASE_MS)}-7000-8000-00000000000${row}.${ENDPOINT}`,
)

export interface Ref {
  row: number
  gen: number
}

/** A row that a verb has handed out. */
export interface Taken extends Ref {
  attempts: number
  deferrals: number
}

/** One call of a verb of the outbox, as it is. The same key on the same table does the same. */
export interface Verb<R> {
  kind: 'claim' | 'begin' | 'extend' | 'settle' | 'sweep' | 'replay' | 'unhold'
  key: string
  /** The claims that the caller shows. */
  refs: readonly Ref[]
  run(db: OutboxDatabase): Promise<R>
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

export function claim(limit: number): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await claimDueEvents(db, { limit, leaseMs })).claims.map(taken)
  return { kind: 'claim', key: `claim ${limit}`, refs: [], run }
}

export function claimNamed(ref: Ref): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await claimEvents(db, [claimRef(ref)], { leaseMs })).claims.map(taken)
  return { kind: 'claim', key: `claim ${nameOf(ref)}`, refs: [ref], run }
}

/** What a message's row comes to: it stands, it was overtaken, or it is lost. */
export function begin(ref: Ref): Verb<{ row: Taken; overtaken: boolean } | 'lost'> {
  async function run(db: OutboxDatabase) {
    const { begun, overtaken } = await beginEvents(db, [claimRef(ref)])
    const row = begun[0] ?? overtaken[0]
    return row ? { row: taken(row), overtaken: overtaken.length > 0 } : ('lost' as const)
  }
  return { kind: 'begin', key: `begin ${nameOf(ref)}`, refs: [], run }
}

export function extend(refs: readonly Ref[]): Verb<string[]> {
  const run = (db: OutboxDatabase) => extendLease(db, refs.map(claimRef), leaseMs)
  return { kind: 'extend', key: `extend ${refs.map(nameOf).join()}`, refs, run }
}

export function release(refs: readonly Ref[]): Verb<SettleAnswer> {
  const run = async (db: OutboxDatabase) => ({
    lost: (await releaseEvents(db, refs.map(claimRef))).map(numberOf),
    claims: [],
  })
  return { kind: 'settle', key: `release ${refs.map(nameOf).join()}`, refs, run }
}

export interface SettleHow {
  keepCompleted: boolean
  retryTicks: number
  /** Rows to claim in the same commit; 0 for none. */
  claim: number
}

export function settle(ended: readonly Ended[], how: SettleHow): Verb<SettleAnswer> {
  const { keepCompleted } = how
  async function run(db: OutboxDatabase) {
    const outcomes = ended.map((one) => outcomeOf(one, how.retryTicks * TICK_MS))
    const next = how.claim > 0 ? { claim: { limit: how.claim, leaseMs } } : {}
    const { lost, claimed } = await settleEvents(db, outcomes, { keepCompleted, ...next })
    return { lost: lost.map(numberOf), claims: claimed.claims.map(taken) }
  }
  const what = ended.map((one) => `${nameOf(one)} ${one.ending}`).join()
  return { kind: 'settle', key: `settle ${what}${how.claim > 0 ? `, claim ${how.claim}` : ''}`, refs: ended, run }
}

export function sweep(): Verb<Taken[]> {
  const run = async (db: OutboxDatabase) => (await sweepPendingEvents(db, { leaseMs })).events.map(taken)
  return { kind: 'sweep', key: 'sweep', refs: [], run }
}

/** The sweep of a tick whose hand-off the queue refuses. */
export function sweepRefused(): Verb<Taken[]> {
  async function run(db: OutboxDatabase) {
    const { events } = await sweepPendingEvents(db, { leaseMs })
    await releaseEvents(db, events)
    return events.map(taken)
  }
  return { kind: 'sweep', key: 'sweep, refused', refs: [], run }
}

export function replay(): Verb<number[]> {
  const run = async (db: OutboxDatabase) => (await replayEvents(db, { endpointId: ENDPOINT })).ids.map(numberOf)
  return { kind: 'replay', key: 'replay', refs: [], run }
}

export function unhold(): Verb<number> {
  const run = async (db: OutboxDatabase) => (await unholdEvents(db, ENDPOINT)).count
  return { kind: 'unhold', key: 'let out', refs: [], run }
}

function outcomeOf({ row, gen, ending }: Ended, delayMs: number): Outcome {
  const ref = claimRef({ row, gen })
  switch (ending) {
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
  return { id: IDS[row] ?? '', gen }
}

function taken({ id, gen, attempts, deferrals }: PendingEvent | Claim): Taken {
  return { row: numberOf(id), gen, attempts, deferrals }
}

export function numberOf(id: string): number {
  return IDS.indexOf(id)
}
