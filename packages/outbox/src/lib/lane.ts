import type { LaneRef, LaneShare, LookOptions } from './lane-ref.ts'
import { type OutboxDatabase, onlyRow } from './database.ts'
import type { Dialect } from './dialect.ts'
import { checkBounds, checkNames } from './errors.ts'
import type { OptionNames, Resolved } from './options.ts'
import { type SqlText, sqlText } from './statement.ts'
import { LINE_UP } from './transitions.ts'
import { rowsToTake } from './take.ts'
import type { TakeOptions } from './take-options.ts'

export const LOOK_OPTIONS = {
  after: 'text',
  only: 'texts',
  workspaces: 'number',
  endpoints: 'number',
  behind: 'any',
} satisfies OptionNames<LookOptions>

const DEFAULT_WORKSPACES = 33

/** The lanes that have rows, and the next due time. */
export interface Look {
  lanes: LaneRef[]
  /** The `after` of the next look; `''` when this one reached the last workspace. */
  next: string
  /** The database's time of the look. */
  now: number
  /** When the next row that waits for a time is due; null when none waits. Rows in line do not wait for a time. */
  dueAt: number | null
}

/**
 * Returns the lanes that have rows. Takes a few index look-ups per lane, however many rows and other lanes there are.
 * If there are more workspaces than one look returns, continue with `after`.
 */
export async function lookAtLanes(db: OutboxDatabase, options: LookOptions = {}): Promise<Look> {
  const { rows } = await db.run<{ w: string | null; e: string | null; now: number; dueAt: number | null }>(
    lookStatement(db, options),
  )
  const { now, dueAt } = onlyRow(rows)
  const lanes = rows.flatMap(({ w, e }) => (w === null || e === null ? [] : [{ workspaceId: w, endpointId: e }]))
  const seen = [...new Set(lanes.map(({ workspaceId }) => workspaceId))]
  const isFull = !options.only?.length && seen.length >= (options.workspaces ?? DEFAULT_WORKSPACES)
  return { lanes, next: (isFull ? seen.at(-1) : undefined) ?? '', now, dueAt }
}

/** The look as an unexecuted statement. */
export function lookStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: LookOptions = {}): SqlText {
  return sqlText`
    ${dialect.lanes(readLook(options))}
    select w as "w", e as "e", ms as "now", (
      select due_at from pending_events ${dialect.by('pending_events_due')} where status = 'pending' and due_at is not null and ready = 0
      order by due_at, id limit 1) as "dueAt"
    from keepsend_clock left join lane on 1 = 1`
}

/** @throws {OutboxError} `invalid_option` */
export function readLook(options: LookOptions): Resolved<LookOptions> {
  checkNames('lookAtLanes', LOOK_OPTIONS, options)
  const { after = '', only = [], workspaces = DEFAULT_WORKSPACES, endpoints = 4, behind = {} } = options
  checkBounds('workspaces', workspaces, 1, 1000)
  checkBounds('endpoints', endpoints, 1, 1000)
  checkBounds('only.length', only.length, 0, 1000)
  return { after, only, workspaces, endpoints, behind }
}

/**
 * Takes up to `limit` rows, fairly: half of them from rows that have become due, the others from the lanes in turn. If
 * one of the two has fewer, the other fills up.
 *
 * @param take takes at most a number of rows, and returns how many there were
 * @param perWorkspace takes at most this many rows from the lanes of one workspace; then one look shows them all
 */
export async function takeInTurn(
  db: OutboxDatabase,
  { limit, perWorkspace = Infinity }: { limit: number; perWorkspace?: number | undefined },
  take: (rows: TakeOptions['rows'], limit: number) => Promise<number>,
): Promise<void> {
  const due = { kind: 'due' } as const
  const half = Math.ceil(limit / 2)
  const first = await take(due, half)
  let left = limit - first
  const isBounded = perWorkspace < Infinity
  const look = isBounded ? { workspaces: 1000, endpoints: perWorkspace } : { workspaces: DEFAULT_WORKSPACES }
  for (let more = true; more && left > 0;) {
    const { lanes } = await lookAtLanes(db, { ...look, workspaces: Math.min(look.workspaces, left) })
    const workspaces = new Set(lanes.map(({ workspaceId }) => workspaceId)).size
    const shares = inTurn(lanes, Math.min(left, isBounded ? perWorkspace * workspaces : left))
    const taken = shares.length > 0 ? await take({ kind: 'lanes', lanes: shares }, left) : 0
    more = taken > 0 && !isBounded
    left -= taken
  }
  if (left > 0 && first === half) await take(due, left)
}

/**
 * Distributes a number of rows over lanes: one row at a time to each workspace in turn, and within a workspace to each
 * lane in turn.
 */
export function inTurn(lanes: readonly LaneRef[], rows: number): LaneShare[] {
  const shares = lanes.map((lane) => ({ ...lane, count: 0 }))
  const workspaces = [...Map.groupBy(shares, ({ workspaceId }) => workspaceId).values()]
  for (let row = 0; row < rows && workspaces.length > 0; row++) {
    const ofOne = workspaces[row % workspaces.length] ?? []
    const share = ofOne[Math.floor(row / workspaces.length) % ofOne.length]
    if (share) share.count++
  }
  return shares.filter(({ count }) => count > 0)
}

/** 1 while rows of a workspace are in line, otherwise 0: one index look-up. */
export function hasLine({ inLine, by }: Pick<Dialect, 'inLine' | 'by'>, workspaceId: SqlText): SqlText {
  const { where, order } = inLine(workspaceId)
  // A scalar, not `exists`: Postgres may turn `exists` into a hash of every row in line.
  return sqlText`coalesce((select 1 from pending_events as line ${by('pending_events_ready')} where ${where} order by ${order} limit 1), 0)`
}

export interface LineUpOptions {
  /** Rows at most: 1–10,000. @default 1000 */
  limit?: number | undefined
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const LINE_UP_OPTIONS = { limit: 'number', now: 'number' } satisfies OptionNames<LineUpOptions>

/**
 * Puts rows that have become due in line, the longest due first, so that a backlog of them does not delay another
 * workspace. Nothing else of a row changes. Returns how many.
 */
export async function lineUpDueEvents(db: OutboxDatabase, options: LineUpOptions = {}): Promise<number> {
  const { changes } = await db.run(lineUpStatement(db, options))
  return changes
}

/** {@link lineUpDueEvents} as a statement, for a transaction. */
export function lineUpStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, options: LineUpOptions = {}): SqlText {
  checkNames('lineUpDueEvents', LINE_UP_OPTIONS, options)
  const { limit = 1000, now } = options
  checkBounds('limit', limit, 1, 10_000)
  const picked = dialect.pick({ ...rowsToTake(dialect, { rows: { kind: 'due' }, now }), limit })
  return sqlText`${picked.with} update pending_events set ${LINE_UP} where ${picked.where}`
}
