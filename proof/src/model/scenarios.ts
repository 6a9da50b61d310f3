import {
  type Mutant,
  WITHOUT_AGE,
  WITHOUT_BURIAL,
  WITHOUT_GEN,
  WITHOUT_LEAVING_AT_HEARTBEAT,
  WITHOUT_LEAVING_AT_SETTLE,
  WITHOUT_LIVE_LEASE,
  WITHOUT_LIMIT,
  WITHOUT_LOOKING_FOR_ROWS,
  WITHOUT_MARK,
  WITHOUT_PENDING,
  WITHOUT_WORKSPACE,
  WITH_FIXED_GEN,
  WITH_OLD_MESSAGES,
} from '../lib/mutants.ts'
import type { Scenario } from './state.ts'

const poller: Scenario = {
  name: '',
  kind: 'poller',
  workers: 2,
  rows: 1,
  hands: 1,
  maxAttempts: 2,
  ticks: 3,
  faults: 1,
  replays: 0,
  repeats: 0,
  defers: false,
  holds: false,
  expires: false,
  limits: false,
  cancels: false,
  neighbours: false,
}

const queue: Scenario = { ...poller, kind: 'queue' }

const twoRows: Scenario = { ...poller, name: 'pollers: 2, 2 rows', rows: 2 }
const pollersAgain: Scenario = {
  ...poller,
  name: 'pollers: 2, 1 row, 2 claims each, published again twice',
  hands: 2,
  ticks: 4,
  repeats: 2,
}
const queueAgain: Scenario = { ...queue, name: 'queue: 2 consumers, 1 row, published again', repeats: 1 }
const neighbours: Scenario = {
  ...poller,
  name: 'pollers: 2, 2 workspaces, a row each',
  rows: 2,
  ticks: 2,
  faults: 0,
  neighbours: true,
}
const pollersExpire: Scenario = {
  ...poller,
  name: 'pollers: 2, 1 row, pauses and expiry',
  faults: 2,
  holds: true,
  expires: true,
}
// The second life of the row is young under an old id.
const pollersExpireAgain: Scenario = {
  ...poller,
  name: 'pollers: 2, 1 row, published again, expiry',
  ticks: 4,
  repeats: 1,
  expires: true,
}

const pollersLimited: Scenario = {
  ...poller,
  name: 'pollers: 2, 1 row, a limit',
  ticks: 2,
  expires: true,
  limits: true,
}
const pollersCancel: Scenario = {
  ...poller,
  name: 'pollers: 2, 1 row, holds and a cancel',
  ticks: 2,
  holds: true,
  cancels: true,
}

/** Explored completely in every run. */
export const SMALL: readonly Scenario[] = [
  twoRows,
  { ...poller, name: 'pollers: 2, 2 rows, 2 claims each', rows: 2, hands: 2, ticks: 2 },
  { ...poller, name: 'pollers: 2, 1 row, waits and holds', faults: 2, defers: true, holds: true },
  { ...poller, name: 'pollers: 2, 1 row, a replay', ticks: 4, replays: 1 },
  { ...poller, name: 'pollers: 1 in a crash loop', workers: 1, maxAttempts: 1, ticks: 10, faults: 5 },
  { ...queue, name: 'queue: 2 consumers, 1 row' },
  { ...queue, name: 'queue: 2 consumers, 2 rows', rows: 2, ticks: 1 },
  pollersAgain,
  queueAgain,
  neighbours,
  pollersExpire,
  pollersExpireAgain,
  { ...queue, name: 'queue: 2 consumers, 1 row, expiry', expires: true },
  pollersLimited,
  pollersCancel,
  { ...queue, name: 'queue: 2 consumers, 1 row, a cancel', ticks: 2, cancels: true },
]

/** Started one after the other, while the run needs more states. */
export const LARGE: readonly Scenario[] = [
  { ...queue, name: 'queue: 3 consumers, 1 row', workers: 3 },
  { ...poller, name: 'pollers: 3, 1 row, a replay', workers: 3, ticks: 4, faults: 2, replays: 1 },
  { ...poller, name: 'pollers: 2, 2 rows, 2 faults', rows: 2, faults: 2 },
  { ...queue, name: 'queue: 1 row, a replay', replays: 1 },
  { ...queue, name: 'queue: 1 row, published again twice', repeats: 2 },
  { ...poller, name: 'pollers: 2, 2 rows, published again', rows: 2, repeats: 1 },
  { ...queue, name: 'queue: 1 row, waits, 2 faults', faults: 2, defers: true },
  { ...queue, name: 'queue: 1 row, 4 ticks, 2 faults', ticks: 4, faults: 2 },
  {
    ...poller,
    name: 'pollers: 1 row, everything, 3 faults',
    ticks: 4,
    faults: 3,
    replays: 1,
    defers: true,
    holds: true,
  },
  { ...queue, name: 'queue: 2 rows, 2 ticks', rows: 2, ticks: 2 },
]

/** Rules removed from Keepsend's SQL, each with a scenario that must detect it. */
export const CONTROLS: readonly (readonly [Mutant, Scenario])[] = [
  [WITHOUT_GEN, twoRows],
  [WITHOUT_PENDING, twoRows],
  [WITHOUT_BURIAL, twoRows],
  [WITHOUT_LEAVING_AT_SETTLE, twoRows],
  [WITHOUT_LEAVING_AT_HEARTBEAT, twoRows],
  [WITH_FIXED_GEN, pollersAgain],
  [WITH_FIXED_GEN, queueAgain],
  [WITH_OLD_MESSAGES, queueAgain],
  [WITHOUT_WORKSPACE, neighbours],
  [WITHOUT_LIVE_LEASE, pollersExpire],
  [WITHOUT_AGE, pollersExpireAgain],
  [WITHOUT_LIMIT, pollersLimited],
  [WITHOUT_MARK, pollersCancel],
  [WITHOUT_LOOKING_FOR_ROWS, twoRows],
]
