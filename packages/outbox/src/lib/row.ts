import type { InferSelectModel } from 'drizzle-orm/table'
import { createCodec } from './codec.ts'
import type { Row } from './statement.ts'
import type { pendingEvents as table } from './sqlite/table.ts'

/**
 * One row of `pending_events`: one delivery. Times are milliseconds since the epoch, by the database's clock. The table
 * documents each column (`@keepsend/outbox/sqlite/table`); docs/state-machine.md says who changes it.
 */
export interface PendingEvent extends Omit<InferSelectModel<typeof table>, 'payload' | 'payloadId'> {
  /** The exact bytes to sign and send, wherever they are stored. */
  payload: string
}

/**
 * Columns that are equal in every taken row of one state. They are not read, because each column that is read costs
 * time per delivery.
 */
const NOT_TAKEN = ['holdReason', 'heldAt', 'ready', 'completedAt'] as const

/** A row that was taken. */
export type TakenEvent = Omit<PendingEvent, (typeof NOT_TAKEN)[number]>

/** A row that was taken, without its payload, for callers that send nothing. */
export type EventState = Omit<TakenEvent, 'payload'>

/** The status of a row; see the state machine in `transitions.ts`. */
export type EventStatus = PendingEvent['status']

/** Names a claim: the row, and the generation under which it was taken. */
export interface ClaimRef {
  id: string
  gen: number
}

/**
 * The claims that a statement did not return as current. By `gen` too: a process whose lease expired may hold two claims of one
 * row.
 */
export function lostClaims(claims: readonly ClaimRef[], current: readonly ClaimRef[]): ClaimRef[] {
  const gens = new Map(current.map(({ id, gen }) => [id, gen]))
  return claims.filter(({ id, gen }) => gens.get(id) !== gen)
}

/** `'lost'`: the row was settled, released or claimed again since; nothing was changed. */
export type SettleStatus = 'ok' | 'lost'

/** `last_error` of a row whose worker died on its last attempt: the delivery may have arrived. */
export const DELIVERY_UNCONFIRMED = 'delivery_unconfirmed'

/** `last_error` of a row that became due with its attempts exhausted and no error of its own. */
export const ATTEMPTS_EXHAUSTED = 'attempts_exhausted'

/** `last_error` of a row that was not settled within its maximum age, or before its `expires_at`. */
export const EXPIRED = 'expired'

/** `last_error` of a row that a person cancelled before its first attempt. */
export const CANCELLED = 'cancelled'

/** `last_error` of a row that a person gave up. */
export const GIVEN_UP = 'given_up'

/**
 * The first crashes of a row do not count as attempts: the claim that finds a dead worker's mark subtracts that attempt,
 * so that a crash loop does not exhaust innocent rows.
 */
export const MAX_FREE_CRASHES = 3

/** The columns of a row. A new column needs a line here, one in each dialect's table, and one in each migration. */
export const pendingEvents = createCodec<typeof table, PendingEvent>({
  id: 'id',
  workspaceId: 'workspace_id',
  type: 'event_type',
  endpointId: 'endpoint_id',
  status: 'status',
  holdReason: 'hold_reason',
  heldAt: 'held_at',
  attempts: 'attempts',
  maxAttempts: 'max_attempts',
  deferrals: 'deferrals',
  crashes: 'crashes',
  gen: 'gen',
  dueAt: 'due_at',
  ready: 'ready',
  claimedAt: 'claimed_at',
  createdAt: 'created_at',
  deliverAt: 'deliver_at',
  expiresAt: 'expires_at',
  replayedAt: 'replayed_at',
  completedAt: 'completed_at',
  lastError: 'last_error',
  lastStatus: 'last_status',
  contentType: 'content_type',
  filter: 'filter',
  version: 'version',
  convertTo: 'convert_to',
  payload: {
    column: 'payload',
    readAs: (row) =>
      `coalesce(${row}payload, (select stored.payload from keepsend_payloads as stored where stored.id = ${row}payload_id))`,
  },
})

/** The columns of a {@link TakenEvent}. */
export const TAKEN_COLUMNS = pendingEvents.except(NOT_TAKEN)

/** The columns of an {@link EventState}. A payload is up to 256 KiB, on pages of its own. */
export const STATE_COLUMNS = pendingEvents.except([...NOT_TAKEN, 'payload'])

/** Reads rows of `pending_events` as a statement returned them. */
export function readPendingEvents(rows: readonly Row[]): PendingEvent[] {
  return rows.map((row) => pendingEvents.read(row))
}
