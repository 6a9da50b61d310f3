import type { PendingEvent } from '@keepsend/outbox'
import { type Local, type Ref, type Row, type Table, letterOf, nameOf } from './state.ts'
import { isCancelledInHand } from './cancel.ts'
import { isLeased } from './expire.ts'
import type { Verb } from './verbs.ts'

/** The rules of one row at any time. Returns the one that is broken. */
export function faultOfRow(row: PendingEvent, now: number, mostAheadMs: number): string | undefined {
  // No row is `completed`: a success deletes its row.
  const settled = row.status === 'failed'
  const pending = row.status === 'pending'
  const rules: readonly (readonly [string, boolean])[] = [
    ['attempts within 0 and their maximum', row.attempts >= 0 && row.attempts <= row.maxAttempts],
    ['a time of settling if settled, and only then', (row.completedAt !== null) === settled],
    ['a reason if held, and only then', (row.holdReason !== null) === (row.status === 'held')],
    ['neither due nor claimed unless pending', pending || (row.dueAt === null && row.claimedAt === null)],
    ['dispatched only while never attempted', !pending || row.dueAt !== null || isUntouched(row)],
    ['in line only while pending, since a time', row.ready === 0 || (pending && row.dueAt !== null)],
    ['due within the longest lease or wait', row.dueAt === null || row.dueAt <= now + mostAheadMs],
  ]
  const broken = rules.find(([, holds]) => !holds)
  return broken && `no limbo: ${broken[0]}; found ${JSON.stringify(row)}`
}

function isUntouched({ attempts, deferrals, crashes, claimedAt }: PendingEvent): boolean {
  return attempts === 0 && deferrals === 0 && crashes === 0 && claimedAt === null
}

/** The rules of the rows that claims pick from, by the rows in either index. Returns the one that is broken. */
export function faultOfIndexes({ clock, rows }: Table, indexed: readonly number[]): string | undefined {
  for (const one of rows) {
    // So no row is in line under a live lease.
    if (one.ready && one.dueAt !== null && one.dueAt > clock)
      return `in line only once its time has come: ${nameOf(one)} is due in ${one.dueAt - clock} s`
    const entries = indexed.filter((row) => row === one.row).length
    const reachable = one.status === 'pending' && one.dueAt !== null
    if (entries > 1) return `one index: ${nameOf(one)} waits for a time and is in line`
    if (entries === 0 && reachable) return `no limbo: ${nameOf(one)} neither waits for a time nor is in line`
    if (entries > 0 && !reachable) return `one index: ${nameOf(one)}, ${one.status}, can be claimed`
  }
  return undefined
}

/** The rules of one call of a verb. Returns the one that is broken. */
export function faultOfStep(before: Table, after: Table, verb: Verb<unknown>, answer: unknown): string | undefined {
  for (const was of before.rows) {
    const is = after.rows.find(({ row }) => row === was.row)
    const shown = verb.refs.some((ref) => isSameRef(ref, was))
    const changed = !is || !same(was, is)
    if (was.status === 'failed' && changed && verb.kind !== 'replay')
      return `no terminal state left except by replay: ${letterOf(was.row)} had failed`
    if (!is && verb.kind !== 'settle') return `only a settle deletes: ${letterOf(was.row)} is gone`
    if (is && is.gen < was.gen) return `gen never goes down: ${nameOf(was)} became ${nameOf(is)}`
    if (is && changed && is.status === 'pending' && is.dueAt === null)
      return `no limbo: dispatched only by its insert; ${nameOf(was)} became ${nameOf(is)}`
    if (changed && verb.workspaceId !== undefined && was.workspaceId !== verb.workspaceId)
      return `its own workspace: ${nameOf(was)} of ${was.workspaceId} was changed by a ${verb.kind} in ${verb.workspaceId}`
    if (changed && (verb.kind === 'begin' || (!shown && CHANGES_NAMED.has(verb.kind))))
      return `one owner: ${nameOf(was)} was changed under ${verb.refs.map(nameOf).join()}`
    if (is && changed && verb.kind === 'line up' && !same({ ...was, ready: true }, is))
      return `a row that is put in line changes in nothing else: ${nameOf(was)} became ${nameOf(is)}`
    if (isLeased(was, before) && changed && !shown)
      return `one owner: ${nameOf(was)} was changed under a live lease, by another worker`
  }
  const appeared = after.rows.find(({ row }) => !before.rows.some((was) => was.row === row))
  if (appeared && verb.kind !== 'publish') return `only a publish inserts: ${nameOf(appeared)}`
  return misrecordedBy(answer) ?? faultOfAnswer(before, after, verb, verb.current(answer))
}

function misrecordedBy(answer: unknown): string | undefined {
  const found = typeof answer === 'object' && answer !== null && 'misrecorded' in answer && answer.misrecorded
  return typeof found === 'string' ? found : undefined
}

// Verbs that change only the rows that were passed to them. A settle may claim in the same commit.
const CHANGES_NAMED: ReadonlySet<Verb<unknown>['kind']> = new Set(['claim named', 'extend'])

/** Compares the result with the rows: which claims or messages are current, and which are not. */
function faultOfAnswer(
  before: Table,
  after: Table,
  { kind, refs }: Verb<unknown>,
  current: readonly Ref[],
): string | undefined {
  for (const ref of refs) {
    const was = before.rows.find(({ row }) => row === ref.row)
    const isCurrent = was?.status === 'pending' && isSameRef(ref, was)
    // A message that was overtaken is reported as such, and its consumer continues under the row's own gen.
    const overtaken = kind === 'begin' && was?.status === 'pending' && ref.life === was.life
    const isReportedOk = current.includes(ref)
    if (isReportedOk && !isCurrent && !overtaken) {
      const found = was ? `${nameOf(was)}, ${was.status}` : 'gone'
      return `one owner: a ${kind} of ${nameOf(ref)} returned ok, but the row was ${found}`
    }
    if (kind !== 'settle') continue
    if (!isReportedOk && isCurrent) return `a settle of ${nameOf(was)} returned lost, but the claim was current`
    const is = after.rows.find(({ row }) => row === ref.row)
    if (isReportedOk && is?.status === 'pending' && is.gen === was?.gen)
      return `one owner: ${nameOf(was)} may be settled a second time`
  }
  return undefined
}

function isSameRef(one: Ref, other: Ref): boolean {
  return one.row === other.row && one.gen === other.gen && one.life === other.life
}

function same(one: Row, other: Row): boolean {
  return (
    isSameRef(one, other) &&
    one.status === other.status &&
    one.attempts === other.attempts &&
    one.dueAt === other.dueAt &&
    one.ready === other.ready &&
    one.claimed === other.claimed &&
    one.holdReason === other.holdReason &&
    one.deferrals === other.deferrals &&
    one.crashes === other.crashes
  )
}

/** The rules of a row's end, by the responses of its receiver. Returns the one that is broken. */
export function faultOfEnds(before: Table, after: Table, local: Local, maxAttempts: number): string | undefined {
  for (const was of before.rows) {
    if (was.status !== 'pending' && was.status !== 'held') continue
    const is = after.rows.find(({ row }) => row === was.row)
    const bit = 1 << was.row
    if (!is && !(local.accepted & bit)) return `deleted only with a 2xx: ${nameOf(was)} had none`
    if (isCancelledInHand(was, is, local)) return `one owner: ${nameOf(was)} was cancelled in flight`
    if (is?.status === 'failed' && !is.expired && !is.cancelled && is.attempts < maxAttempts && !(local.refused & bit))
      return `failed only if exhausted, refused, expired or cancelled: ${nameOf(was)} had ${is.attempts} of ${maxAttempts}`
  }
  return undefined
}

/** The rules of the claims in flight. Returns the one that is broken. */
export function faultOfHands({ workers }: Local): string | undefined {
  const claims = new Set<string>()
  for (const hand of workers.flat()) {
    // Of one message two copies may be in flight; exactly one settles.
    if (hand.message !== -1) continue
    const name = nameOf(hand)
    if (claims.has(name)) return `one owner: two workers hold ${name}`
    claims.add(name)
  }
  return undefined
}
