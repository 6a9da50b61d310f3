import type { PendingEvent } from '@keepsend/outbox'
import { type Local, type Ref, type Row, type Table, letterOf, nameOf } from './state.ts'
import { isLeased } from './expire.ts'
import type { Verb } from './verbs.ts'

/** What must hold of one row at any moment. Returns the rule that is broken. */
export function faultOfRow(row: PendingEvent, now: number, mostAheadMs: number): string | undefined {
  const settled = row.status === 'failed' || row.status === 'completed'
  const pending = row.status === 'pending'
  const rules: readonly (readonly [string, boolean])[] = [
    ['attempts within 0 and their maximum', row.attempts >= 0 && row.attempts <= row.maxAttempts],
    ['a time of settling if settled, and only then', (row.completedAt !== null) === settled],
    ['a reason if held, and only then', (row.holdReason !== null) === (row.status === 'held')],
    ['neither due nor claimed unless pending', pending || (row.dueAt === null && row.claimedAt === null)],
    ['handed off only while never attempted', !pending || row.dueAt !== null || isUntouched(row)],
    ['in line only while pending, since a time', row.ready === 0 || (pending && row.dueAt !== null)],
    ['due within the longest lease or wait', row.dueAt === null || row.dueAt <= now + mostAheadMs],
  ]
  const broken = rules.find(([, kept]) => !kept)
  return broken && `no limbo: ${broken[0]}; found ${JSON.stringify(row)}`
}

function isUntouched({ attempts, deferrals, crashes, claimedAt }: PendingEvent): boolean {
  return attempts === 0 && deferrals === 0 && crashes === 0 && claimedAt === null
}

/** What must hold of what claims pick from, by the rows that stand in either index. Returns the rule that is broken. */
export function faultOfIndexes({ clock, rows }: Table, indexed: readonly number[]): string | undefined {
  for (const one of rows) {
    // So no row is in line under a live lease.
    if (one.ready && one.dueAt !== null && one.dueAt > clock)
      return `in line only once its time has come: ${nameOf(one)} is due in ${one.dueAt - clock} s`
    const entries = indexed.filter((row) => row === one.row).length
    const reachable = one.status === 'pending' && one.dueAt !== null
    if (entries > 1) return `one index: ${nameOf(one)} waits for a time and stands in line`
    if (entries === 0 && reachable) return `no limbo: ${nameOf(one)} neither waits for a time nor stands in line`
    if (entries > 0 && !reachable) return `one index: ${nameOf(one)}, ${one.status}, is in reach of a claim`
  }
  return undefined
}

/** What must hold of one call of a verb. Returns the rule that is broken. */
export function faultOfStep(before: Table, after: Table, verb: Verb<unknown>, answer: unknown): string | undefined {
  for (const was of before.rows) {
    const is = after.rows.find(({ row }) => row === was.row)
    const shown = verb.refs.some((ref) => isSameRef(ref, was))
    const changed = !is || !same(was, is)
    const settled = was.status === 'failed' || was.status === 'completed'
    if (settled && changed && verb.kind !== 'replay')
      return `no terminal state left except by replay: ${letterOf(was.row)} was ${was.status}`
    if (!is && verb.kind !== 'settle') return `nothing goes but by a settle: ${letterOf(was.row)} is gone`
    if (is && is.gen < was.gen) return `gen never goes down: ${nameOf(was)} became ${nameOf(is)}`
    if (is && changed && is.status === 'pending' && is.dueAt === null)
      return `no limbo: handed off only as it was inserted; ${nameOf(was)} became ${nameOf(is)}`
    if (changed && verb.workspaceId !== undefined && was.workspaceId !== verb.workspaceId)
      return `its own workspace: ${nameOf(was)} of ${was.workspaceId} was changed by a ${verb.kind} in ${verb.workspaceId}`
    if (changed && (verb.kind === 'begin' || (!shown && CHANGES_NAMED.has(verb.kind))))
      return `one owner: ${nameOf(was)} was changed under ${verb.refs.map(nameOf).join()}`
    if (is && changed && verb.kind === 'line up' && !same({ ...was, ready: true }, is))
      return `put in line, a row changes in nothing else: ${nameOf(was)} became ${nameOf(is)}`
    if (isLeased(was, before) && changed && !shown)
      return `one owner: ${nameOf(was)} changed under a live lease, by another`
  }
  const appeared = after.rows.find(({ row }) => !before.rows.some((was) => was.row === row))
  if (appeared && verb.kind !== 'publish') return `nothing appears but by a publish: ${nameOf(appeared)}`
  return faultOfAnswer(before, after, verb, verb.stood(answer))
}

// Verbs that change the rows they were shown and no others. A settle may claim in the same commit.
const CHANGES_NAMED: ReadonlySet<Verb<unknown>['kind']> = new Set(['claim named', 'extend'])

/** Who is told that its claim or its message stands, and who is not. `stood` names rows: of two claims of one row, either. */
function faultOfAnswer(
  before: Table,
  after: Table,
  { kind, refs }: Verb<unknown>,
  stood: readonly number[],
): string | undefined {
  for (const number of new Set(refs.map(({ row }) => row))) {
    const shown = refs.filter(({ row }) => row === number)
    const was = before.rows.find(({ row }) => row === number)
    const stands = was?.status === 'pending' && shown.some((ref) => isSameRef(ref, was))
    // A message that was overtaken is told so, and its consumer goes on under the row's own gen.
    const overtaken = kind === 'begin' && was?.status === 'pending' && shown.some(({ life }) => life === was.life)
    const told = stood.includes(number)
    if (told && !stands && !overtaken) {
      const found = was ? `${nameOf(was)}, ${was.status}` : 'gone'
      return `one owner: a ${kind} of ${shown.map(nameOf).join()} was told ok, where the row was ${found}`
    }
    if (kind !== 'settle') continue
    if (!told && stands) return `a settle of ${nameOf(was)} was told lost, and the row stood so`
    const is = after.rows.find(({ row }) => row === number)
    if (told && is?.status === 'pending' && is.gen === was?.gen)
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

/** What must hold of a row's end, by what its receiver has said. Returns the rule that is broken. */
export function faultOfEnds(before: Table, after: Table, local: Local, maxAttempts: number): string | undefined {
  for (const was of before.rows) {
    if (was.status !== 'pending' && was.status !== 'held') continue
    const is = after.rows.find(({ row }) => row === was.row)
    const bit = 1 << was.row
    if ((!is || is.status === 'completed') && !(local.accepted & bit))
      return `completed only with a 2xx: ${nameOf(was)} had none`
    if (is?.status === 'failed' && !is.expired && is.attempts < maxAttempts && !(local.refused & bit))
      return `failed only with its attempts used up, refused or expired: ${nameOf(was)} had ${is.attempts} of ${maxAttempts}`
  }
  return undefined
}

/** What must hold of what the workers hold. Returns the rule that is broken. */
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
