import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, onlyRow, raw, sqlText } from '@keepsend/outbox/internal'
import { EngineError } from './errors.ts'
import type { Limits } from './limits.ts'
import { type Logger, errorFields } from './logger.ts'

/**
 * Keeps the rows of each workspace below a number that is too large to be counted at each request: they are counted once a
 * second at most, and in between what this process adds is added up. So a process alone keeps to the limit, but for what is
 * under way at the same time; of several each may add what the others have not seen.
 */
export interface RowCeiling {
  /**
   * @returns nothing where the rows are known and there is room, as nearly always: the next step need not wait
   * @throws {EngineError} with `retryAfterSeconds`, where there is no room for a row more; never because it cannot count
   */
  check(workspaceId: string): Promise<void> | undefined
  /** Rows that were committed since. */
  added(workspaceId: string, rows: number): void
}

/** What the limits keep of each workspace. */
export interface RowCeilings {
  /** Deliveries in line and held. */
  waiting: RowCeiling
  idempotencyRecords: RowCeiling
}

interface Counting {
  rows: Promise<number>
  /** What {@link rows} came to. */
  found: number | undefined
  added: number
  /** On the monotonic clock. */
  beganAt: number
  againAt: number
}

const EVERY_MS = 1000
/** Below the limit a count takes at most a hundredth of the time, however many rows it goes through. */
const REST = 100
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
          `at most ${waitingPerWorkspace} deliveries of a workspace wait (limits.waitingPerWorkspace), and as many do: publish again when some were sent`,
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
          `at most ${idempotencyRecordsPerWorkspace} idempotency records of a workspace are retained (limits.idempotencyRecordsPerWorkspace), and as many are`,
          { retryAfterSeconds: 60 },
        ),
      ...deps,
    }),
  }
}

async function counted(db: OutboxDatabase, statement: SqlText): Promise<number> {
  // A sum of counts is no whole number of Postgres', and so a text.
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
  const workspaces = new Map<string, Counting>()

  async function look(workspaceId: string, counting: Counting): Promise<number> {
    try {
      counting.found = await count(workspaceId)
      const endedAt = monotonic()
      counting.againAt = Math.max(counting.againAt, endedAt + REST * (endedAt - counting.beganAt))
    } catch (error) {
      // What is asked for shows whether the database works, and whether it was committed.
      logger.warn({ workspaceId, ...errorFields(error) }, 'a limit could not be looked at; the request goes on')
      counting.found = 0
    }
    return counting.found
  }

  function countAgain(workspaceId: string): Counting {
    const beganAt = monotonic()
    const counting: Counting = {
      rows: Promise.resolve(0),
      found: undefined,
      added: 0,
      beganAt,
      againAt: beganAt + EVERY_MS,
    }
    counting.rows = look(workspaceId, counting)
    if (workspaces.size >= MAX_WORKSPACES) workspaces.clear()
    workspaces.set(workspaceId, counting)
    return counting
  }

  function check(workspaceId: string): Promise<void> | undefined {
    const known = workspaces.get(workspaceId)
    const isFresh = known !== undefined && monotonic() < known.againAt
    if (isFresh && known.found !== undefined && known.found + known.added < max) return undefined
    return checkCounted(workspaceId, isFresh ? known : countAgain(workspaceId))
  }

  async function checkCounted(workspaceId: string, counting: Counting): Promise<void> {
    if ((await counting.rows) + counting.added < max) return
    // What was added may be gone by now.
    if (counting.added === 0 || monotonic() < counting.beganAt + EVERY_MS) throw refuse()
    counting.againAt = 0
    await check(workspaceId)
  }

  return {
    check,
    added(workspaceId, rows) {
      const counting = workspaces.get(workspaceId)
      if (counting) counting.added += rows
    },
  }
}

/**
 * Counts the deliveries of a workspace that stand in line or are held, by their indexes, up to `most` of each lane and
 * endpoint. What waits for the time of a retry is not among them: an endpoint that fails for long has its rows held.
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

// So many records are counted, of more a sample.
const COUNTED = 50_000

/**
 * Counts the idempotency records of a workspace. Beyond 50,000 those are counted whose hash begins with some digits, others
 * each time: hashes are spread evenly, and nobody can choose a key's by what is drawn later.
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
