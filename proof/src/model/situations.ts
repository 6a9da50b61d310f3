import { type Local, type Row, type Table, nameOf } from './state.ts'
import { isLeased, isTooOld } from './expire.ts'
import type { Verb } from './verbs.ts'

/** One step of an exploration. */
interface Step {
  before: Table
  after: Table
  verb: Verb<unknown> | undefined
  answer: unknown
  local: Local
  next: Local
}

/** Situations that an exploration must reach: a rule that was never tested is not proven. */
export type Situation = readonly [name: string, is: (step: Step) => boolean]

export const SITUATIONS: readonly Situation[] = [
  [
    'a lane is claimed that another worker has emptied',
    ({ before, verb, answer }) => isEmptyClaim(before, verb, answer),
  ],
  [
    'a lease is renewed of a row in line',
    ({ before, verb }) => verb?.kind === 'extend' && shown(before, verb).some(inLine),
  ],
  [
    'a row with a live owner is skipped when due rows are put in line',
    ({ before, verb }) =>
      verb?.kind === 'line up' &&
      before.rows.some(({ claimed, dueAt }) => claimed && dueAt !== null && dueAt > before.clock),
  ],
  [
    'due rows are put in line, and are there already',
    ({ before, verb }) => verb?.kind === 'line up' && before.rows.some((row) => inLine(row) && row.claimed),
  ],
  ...['complete', 'fail', 'retry', 'defer', 'hold'].map((ending): Situation => [
    `a row in line is settled by its late owner: ${ending}`,
    ({ before, verb }) =>
      verb?.kind === 'settle' &&
      shown(before, verb).some((row) => inLine(row) && verb.key.includes(`${nameOf(row)} ${ending}`)),
  ]),
  [
    'a row in line is released by its late owner',
    ({ before, verb }) => verb?.key.startsWith('release') === true && shown(before, verb).some(inLine),
  ],
  [
    'a row in line is claimed while its late owner still works',
    ({ before, after, verb, local }) =>
      verb?.kind === 'claim' && before.rows.some((row) => inLine(row) && isHeld(local, row) && changed(row, after)),
  ],
  [
    'a late owner settles a row that another worker has claimed, and its claim is lost',
    ({ before, verb, answer }) =>
      verb?.kind === 'settle' && before.rows.some((row) => row.crashes > 0 && row.claimed && isLost(row, verb, answer)),
  ],
  [
    'a worker dies whose row is in line',
    ({ after, verb, local, next }) =>
      !verb && after.rows.some((row) => inLine(row) && isHeld(local, row) && !isHeld(next, row)),
  ],
  [
    'a lane is held',
    ({ before, after, verb }) => verb?.kind === 'hold' && before.rows.some((row) => changed(row, after)),
  ],
  [
    'a hold of a lane skips the row of a worker that died',
    ({ before, after, verb }) =>
      verb?.kind === 'hold' && before.rows.some((row) => inLine(row) && row.claimed && !changed(row, after)),
  ],
  [
    "a neighbour's lane is claimed, and the row in line beside it stays",
    ({ before, after, verb, answer }) =>
      verb?.kind === 'claim' &&
      Array.isArray(answer) &&
      answer.length > 0 &&
      before.rows.some((row) => inLine(row) && row.workspaceId !== verb.workspaceId && !changed(row, after)),
  ],
  [
    'a held row is resumed for a future time',
    ({ before, after, verb }) => verb?.key === 'resume in 1' && before.rows.some((row) => changed(row, after)),
  ],
  ['a held row expires', (step) => expiring(step).some(({ status }) => status === 'held')],
  ['a row in line expires', (step) => expiring(step).some((row) => inLine(row) && !row.claimed)],
  [
    'a dispatched row expires',
    (step) => expiring(step).some(({ status, dueAt }) => status === 'pending' && dueAt === null),
  ],
  [
    'a row that waits for a time expires',
    (step) => expiring(step).some(({ dueAt, claimed }) => !claimed && dueAt !== null && dueAt > step.before.clock),
  ],
  [
    'a row in line whose worker died expires',
    (step) => expiring(step).some((row) => inLine(row) && row.claimed && !isHeld(step.local, row)),
  ],
  [
    'a row that is too old does not expire under a live lease',
    ({ before, verb }) =>
      verb?.kind === 'expire' && before.rows.some((row) => isTooOld(row, before) && isLeased(row, before)),
  ],
  [
    'a late owner settles an expired row, and its claim is lost',
    ({ before, verb, answer }) =>
      verb?.kind === 'settle' && before.rows.some((row) => row.expired && isLost(row, verb, answer)),
  ],
  [
    'a row expires by its own time before it is too old',
    (step) => expiring(step).some(({ life }) => step.before.clock - life <= 1),
  ],
  ['a held row is cancelled', (step) => cancelling(step).some(({ status }) => status === 'held')],
  ['a row in line is cancelled', (step) => cancelling(step).some(inLine)],
  [
    'a dispatched row is cancelled',
    (step) => cancelling(step).some(({ status, dueAt }) => status === 'pending' && dueAt === null),
  ],
  [
    'a row in flight, or whose worker died, is not cancelled',
    ({ before, after, verb }) =>
      verb?.kind === 'cancel' && before.rows.some((row) => row.claimed && !changed(row, after)),
  ],
  [
    'a consumer that has begun a row settles it after it was cancelled, and its claim is lost',
    ({ before, verb, answer }) =>
      verb?.kind === 'settle' && before.rows.some((row) => row.cancelled && isLost(row, verb, answer)),
  ],
  [
    'a message of a cancelled row is stale',
    ({ before, verb, answer }) =>
      verb?.kind === 'begin' && before.rows.some((row) => row.cancelled && isLost(row, verb, answer)),
  ],
  [
    'a message of an expired row is stale',
    ({ before, verb, answer }) =>
      verb?.kind === 'begin' && before.rows.some((row) => row.expired && isLost(row, verb, answer)),
  ],
]

function cancelling({ before, after, verb }: Step): Row[] {
  return verb?.kind === 'cancel' ? before.rows.filter((row) => changed(row, after)) : []
}

function expiring({ before, after, verb }: Step): Row[] {
  return verb?.kind === 'expire' ? before.rows.filter((row) => changed(row, after)) : []
}

function isEmptyClaim({ rows }: Table, verb: Verb<unknown> | undefined, answer: unknown): boolean {
  const found = verb?.kind === 'claim' && verb.key.endsWith('in line') && Array.isArray(answer) ? answer.length : 1
  return found === 0 && rows.some(({ claimed }) => claimed)
}

function inLine({ ready }: Row): boolean {
  return ready
}

function shown({ rows }: Table, { refs }: Verb<unknown>): Row[] {
  return rows.filter((row) => refs.some((ref) => nameOf(ref) === nameOf(row)))
}

function changed(was: Row, { rows }: Table): boolean {
  return !rows.some((row) => nameOf(row) === nameOf(was))
}

function isHeld({ workers }: Local, row: Row): boolean {
  return workers.flat().some((hand) => nameOf(hand) === nameOf(row))
}

function isLost(row: Row, verb: Verb<unknown>, answer: unknown): boolean {
  const current = verb.current(answer)
  return verb.refs.some((ref) => ref.row === row.row && !current.includes(ref))
}
