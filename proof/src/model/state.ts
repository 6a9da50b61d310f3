/**
 * A state of the model: what stands in the table ({@link Table}), and what everybody else knows ({@link Local}).
 * Times are in ticks of a second. Left out is what no verb decides by: texts of errors, and how long ago a row was
 * claimed or settled.
 */
export interface Table {
  clock: number
  rows: readonly Row[]
}

/** One row of `pending_events`. Rows are named by their number. */
export interface Row {
  row: number
  status: string
  holdReason: string | null
  attempts: number
  deferrals: number
  crashes: number
  gen: number
  dueAt: number | null
  claimed: boolean
}

/** How an attempt ends, as its worker will settle it. */
export type Ending = 'complete' | 'fail' | 'retry' | 'defer' | 'hold'

/** A row in a worker's hands, under the generation that the worker knows. */
export interface Hand {
  row: number
  gen: number
  /** The number of this attempt. */
  attempt: number
  deferrals: number
  /** `again`: a message that was brought before, to be claimed first. `send`: settled, its next message not yet sent. */
  phase: 'again' | 'taken' | 'send' | Ending
  /** The generation that the message in hand names; -1 without one. */
  message: number
}

/** A message of the queue, which stays there until it is acknowledged. */
export interface Message {
  row: number
  gen: number
  /** Kept back until then. */
  at: number
  deliveries: number
}

export interface Local {
  workers: readonly (readonly Hand[])[]
  messages: readonly Message[]
  /** Rows that a receiver has answered with a 2xx, and with a 4xx, since they were last made or replayed: a bit each. */
  accepted: number
  refused: number
  /** What may still go wrong: crashes, stops, lost answers and messages, disabled endpoints. */
  faults: number
  replays: number
}

/** What is explored: who takes part, and how far. */
export interface Scenario {
  name: string
  kind: 'poller' | 'queue'
  workers: number
  rows: number
  /** Claims in one worker's hands at once. */
  hands: number
  maxAttempts: number
  ticks: number
  faults: number
  replays: number
  keepCompleted: boolean
  /** Whether receivers ask for waits, and endpoints are disabled. */
  defers: boolean
  holds: boolean
}

/** The same text for the same state: workers are alike, and so is the order of messages. */
export function canonical(local: Local): { local: Local; text: string } {
  const workers = local.workers
    .map((hands) => ({ hands, text: hands.map(handText).join() }))
    .sort((one, other) => (one.text < other.text ? -1 : one.text > other.text ? 1 : 0))
  const messages = [...local.messages].sort((one, other) => one.row - other.row || one.gen - other.gen)
  const text = [
    workers.map((worker) => worker.text).join('|'),
    messages.map(({ row, gen, at, deliveries }) => `${row}.${gen}.${at}.${deliveries}`).join(),
    local.accepted,
    local.refused,
    local.faults,
    local.replays,
  ].join(';')
  return { local: { ...local, workers: workers.map(({ hands }) => hands), messages }, text }
}

function handText({ row, gen, attempt, deferrals, phase, message }: Hand): string {
  return `${row}.${gen}.${attempt}.${deferrals}.${phase}.${message}`
}

/** A row and a generation, as traces show them: `A#2`. */
export function nameOf({ row, gen }: { row: number; gen: number }): string {
  return `${letterOf(row)}#${gen}`
}

export function letterOf(row: number): string {
  return String.fromCharCode(65 + row)
}
