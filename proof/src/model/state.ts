/** Time of the first inserts, by the model's clock. */
export const BASE_MS = 1_750_000_000_000
/** A tick of the clock. A row makes fewer moves in a tick than it has milliseconds, so no two lives share a `gen`. */
export const TICK_MS = 1000

/**
 * A state of the model: the content of the table ({@link Table}), and the knowledge of everybody else ({@link Local}).
 * Times are in ticks of a second since {@link BASE_MS}, and a `gen` in milliseconds since then: the first life of a row
 * has 0, 1, 2 …, one that is inserted again in second 3 has 3000, 3001 … Values that no verb decides by are left out:
 * error texts, and when a row was claimed or settled.
 */
export interface Table {
  clock: number
  rows: readonly Row[]
}

/** A row and a generation. */
export interface Ref {
  /** Rows are named by their number. */
  row: number
  gen: number
  /** The tick in which the row was inserted. It names this life of the row: a later insert has a later one. */
  life: number
}

/** One row of `pending_events`. */
export interface Row extends Ref {
  workspaceId: string
  status: string
  holdReason: string | null
  attempts: number
  deferrals: number
  crashes: number
  dueAt: number | null
  /** Whether it is in line. */
  ready: boolean
  claimed: boolean
  /** Whether it failed because it was too old, or because its event was cancelled. */
  expired: boolean
  cancelled: boolean
  /** When it expires. */
  expiresAt: number | null
}

/** How an attempt ends, as its worker will settle it. */
export type Ending = 'complete' | 'fail' | 'retry' | 'defer' | 'hold'

/** A claim in flight, under the generation that its worker knows. */
export interface Hand extends Ref {
  /** The number of this attempt. */
  attempt: number
  deferrals: number
  /**
   * `again`: a message that was delivered before, to be claimed first. `send`: settled, its next message not yet sent.
   */
  phase: 'again' | 'taken' | 'send' | Ending
  /** The generation in the message that the consumer has; -1 without one. */
  message: number
}

/** A message of the queue, which stays there until it is acknowledged. */
export interface Message extends Ref {
  /** Delayed until this tick. */
  at: number
  deliveries: number
}

export interface Local {
  workers: readonly (readonly Hand[])[]
  messages: readonly Message[]
  /**
   * Rows that a receiver has answered with a 2xx, and with a 4xx, since they were last inserted or replayed: a bit
   * each. Only attempts of the current life count.
   */
  accepted: number
  refused: number
  /** Faults that may still happen: crashes, stops, lost responses and messages, disabled endpoints. */
  faults: number
  replays: number
  /** How often events may still be published again. */
  repeats: number
  /** The last life of each row, as long as it may have another. */
  lives: readonly number[]
}

/** The participants of an exploration, and its limits. */
export interface Scenario {
  name: string
  kind: 'poller' | 'queue'
  workers: number
  rows: number
  /** Most claims in flight of one worker. */
  hands: number
  maxAttempts: number
  ticks: number
  faults: number
  replays: number
  /** How often the event of a deleted row is published again under its id. */
  repeats: number
  /** Whether receivers ask for waits, and endpoints are disabled. */
  defers: boolean
  holds: boolean
  /** Whether rows expire. There is no replay then, because a replay restarts the age of a row. */
  expires: boolean
  /** Whether the first rows have a time at which they expire, before they are too old. */
  limits: boolean
  /** Whether events are cancelled. There is no replay and no wait for a receiver then, which a cancel tells by more columns. */
  cancels: boolean
  /** The second row is in another workspace. */
  neighbours: boolean
}

/** The same text for equal states: workers are interchangeable, and so are messages. */
export function canonical(local: Local): { local: Local; text: string } {
  const workers = local.workers
    .map((hands) => ({ hands, text: hands.map(handText).join() }))
    .sort((one, other) => (one.text < other.text ? -1 : one.text > other.text ? 1 : 0))
  const messages = [...local.messages].sort(
    (one, other) => one.row - other.row || one.gen - other.gen || one.life - other.life,
  )
  const text = [
    workers.map((worker) => worker.text).join('|'),
    messages.map(({ row, gen, life, at, deliveries }) => `${row}.${gen}.${life}.${at}.${deliveries}`).join(),
    local.accepted,
    local.refused,
    local.faults,
    local.replays,
    local.repeats,
    local.lives.join(),
  ].join(';')
  return { local: { ...local, workers: workers.map(({ hands }) => hands), messages }, text }
}

function handText({ row, gen, life, attempt, deferrals, phase, message }: Hand): string {
  return `${row}.${gen}.${life}.${attempt}.${deferrals}.${phase}.${message}`
}

/** A row and the number of its moves, as in traces: `A#2`, and `A@3#2` for a life that began in second 3. */
export function nameOf({ row, gen, life }: Ref): string {
  const moves = gen - life * TICK_MS
  // A mutant's gen may begin elsewhere.
  return `${letterOf(row)}${life > 0 ? `@${life}` : ''}#${moves >= 0 ? moves : gen + BASE_MS}`
}

export function letterOf(row: number): string {
  return String.fromCharCode(65 + row)
}
