import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from './errors.ts'
import type { Limits } from './limits.ts'
import { type Logger, errorFields } from './logger.ts'

/**
 * Limits the rows of each workspace to a number that is too large to count at each request. It counts them at most once a
 * second and adds the rows that this process inserts in between. A single process therefore exceeds the limit only by the
 * requests that run concurrently; with several processes, each may also add rows that the others have not counted yet.
 */
export interface RowCeiling {
  /**
   * Checks that the workspace has room for one more row.
   *
   * @returns undefined if the count is fresh and there is room, the usual case, so that the caller need not await
   * @throws {EngineError} with `retryAfterSeconds` if there is no room; an error of the count itself is logged and passes
   */
  check(workspaceId: string): Promise<void> | undefined
  /** Adds rows that this process has committed. */
  added(workspaceId: string, rows: number): void
}

/** The ceilings of each workspace. */
export interface RowCeilings {
  /** Deliveries that are due or held. */
  waiting: RowCeiling
  idempotencyRecords: RowCeiling
}

interface Count {
  rows: Promise<number>
  /** The value of {@link rows} once it has resolved. */
  counted: number | undefined
  /** Rows that this process has committed since the count began. */
  added: number
  /** Both on the monotonic clock. */
  beganAt: number
  staleAt: number
}

const COUNT_EVERY_MS = 1000
// A count stays fresh 100 times as long as it took: below the limit, counting takes at most 1% of the time.
const FRESH_PER_COUNT = 100
const MAX_WORKSPACES = 10_000

export function createRowCeilings(
  db: OutboxDatabase,
  { waitingPerWorkspace, idempotencyRecordsPerWorkspace }: Limits,
  { random, ...deps }: Pick<CeilingDeps, 'logger' | 'monotonic'> & { random: () => number },
): RowCeilings {
  return {
    waiting: createCeiling({
      count: (workspaceId) => counted(db, waitingStatement(db, workspaceId, waitingPerWorkspace)),
      max: waitingPerWorkspace,
      refuse: () =>
        new EngineError(
          'too_many_waiting',
          `the workspace has reached its limit of ${waitingPerWorkspace} waiting deliveries (limits.waitingPerWorkspace): publish again when some have been sent`,
          { retryAfterSeconds: 10 },
        ),
      ...deps,
    }),
    idempotencyRecords: createCeiling({
      count: async (workspaceId) => {
        const { share, statement } = recordsStatement(workspaceId, idempotencyRecordsPerWorkspace, random)
        return share * (await counted(db, statement))
      },
      max: idempotencyRecordsPerWorkspace,
      refuse: () =>
        new EngineError(
          'too_many_idempotency_records',
          `the workspace has reached its limit of ${idempotencyRecordsPerWorkspace} idempotency records (limits.idempotencyRecordsPerWorkspace): repeat the request later, or without a key`,
          { retryAfterSeconds: 60 },
        ),
      ...deps,
    }),
  }
}

async function counted(db: OutboxDatabase, statement: SqlText): Promise<number> {
  // Postgres returns a sum of counts as `numeric`, which arrives as text.
  const { rows } = await db.run<{ count: number | string }>(statement)
  return Number(onlyRow(rows).count)
}

interface CeilingDeps {
  count: (workspaceId: string) => Promise<number>
  max: number
  refuse: () => EngineError
  logger: Logger
  monotonic: () => number
}

function createCeiling({ count, max, refuse, logger, monotonic }: CeilingDeps): RowCeiling {
  const workspaces = new Map<string, Count>()

  async function countRows(workspaceId: string, current: Count): Promise<number> {
    try {
      current.counted = await count(workspaceId)
      const endedAt = monotonic()
      current.staleAt = Math.max(current.staleAt, endedAt + FRESH_PER_COUNT * (endedAt - current.beganAt))
    } catch (error) {
      // The request itself shows whether the database works.
      logger.warn(
        { workspaceId, ...errorFields(error) },
        'failed to count rows for a limit; continuing without the limit',
      )
      current.counted = 0
    }
    return current.counted
  }

  function startCount(workspaceId: string): Count {
    const beganAt = monotonic()
    const current: Count = {
      rows: Promise.resolve(0),
      counted: undefined,
      added: 0,
      beganAt,
      staleAt: beganAt + COUNT_EVERY_MS,
    }
    current.rows = countRows(workspaceId, current)
    if (workspaces.size >= MAX_WORKSPACES) workspaces.clear()
    workspaces.set(workspaceId, current)
    return current
  }

  function check(workspaceId: string): Promise<void> | undefined {
    const known = workspaces.get(workspaceId)
    const isFresh = known !== undefined && monotonic() < known.staleAt
    if (isFresh && known.counted !== undefined && known.counted + known.added < max) return undefined
    return checkCounted(workspaceId, isFresh ? known : startCount(workspaceId))
  }

  async function checkCounted(workspaceId: string, current: Count): Promise<void> {
    if ((await current.rows) + current.added < max) return
    // Rows that were added may be gone by now: count again, but at most once a second.
    if (current.added === 0 || monotonic() < current.beganAt + COUNT_EVERY_MS) throw refuse()
    current.staleAt = 0
    await check(workspaceId)
  }

  return {
    check,
    added(workspaceId, rows) {
      const current = workspaces.get(workspaceId)
      if (current) current.added += rows
    },
  }
}

/**
 * Counts the due and the held deliveries of a workspace by their indexes, at most `most` due ones and `most` held ones of each
 * endpoint. Rows that wait for a retry are not counted: the rows of an endpoint that fails for long are held.
 */
export function waitingStatement(
  { dialect }: Pick<OutboxDatabase, 'dialect'>,
  workspaceId: string,
  most: number,
): SqlText {
  const line = dialect.inLine(sqlText`cast(${workspaceId} as text)`)
  const held = dialect.heldOf(raw('endpoint.id'))
  return sqlText`
    select (
      select count(*) from (
        select 1 from pending_events ${dialect.by('pending_events_ready')} where ${line.where} order by ${line.order} ${dialect.first(most)}) as line)
      + (select coalesce(sum((
        select count(*) from (
          select 1 from pending_events ${dialect.by('pending_events_held')} where ${held.where} order by ${held.oldestFirst} ${dialect.first(most)}) as waiting)), 0)
      from keepsend_endpoints as endpoint where endpoint.workspace_id = ${workspaceId}) as "count"`
}

// Up to this many records are counted exactly; beyond it a sample is.
const COUNTED = 50_000

/**
 * Counts the idempotency records of a workspace. For limits beyond 50,000 it counts a sample: the records whose hash begins
 * with random digits, drawn for each count. Hashes are spread evenly, and no client can choose its keys to avoid digits that
 * are drawn later.
 *
 * @returns the statement, and the factor by which to multiply its count
 */
export function recordsStatement(
  workspaceId: string,
  most: number,
  random: () => number,
): { share: number; statement: SqlText } {
  const digits = Math.max(0, Math.ceil(Math.log(most / COUNTED) / Math.log(16)))
  const share = 16 ** digits
  const drawn = Math.min(share - 1, Math.floor(random() * share)).toString(16)
  const prefix = digits === 0 ? '' : drawn.padStart(digits, '0')
  const statement = sqlText`
    select count(*) as "count" from (
      select 1 from keepsend_idempotency_records
      where workspace_id = ${workspaceId} and key_hash >= ${prefix} and key_hash < ${`${prefix}g`}
      limit ${raw(String(Math.ceil(most / share)))}) as record`
  return { share, statement }
}
