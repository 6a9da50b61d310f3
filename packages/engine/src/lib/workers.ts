import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, createCodec, limitTo, sqlText } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import { EngineError } from './errors.ts'
import type { workers } from './sqlite/history-tables.ts'
import { VERSION } from './version.ts'

/** A process that delivers, as of its last heartbeat. Times are milliseconds since the epoch, by the database's clock. */
export interface Worker {
  /** `workerId` of its engine. */
  id: string
  /** `poller`: a process whose queue polls. `cron`: the cron of Workers, one for all isolates. */
  kind: 'poller' | 'cron'
  /** The version of `@keepsend/engine`. */
  version: string
  startedAt: number
  /** Its last heartbeat: about a minute ago at most, while it runs. */
  seenAt: number
  /** Deliveries that it has claimed since its start. Null for a cron, which cannot see what the consumers do; so are the others. */
  claimed: number | null
  /** Outcomes of attempts that it has written since its start. */
  settled: number | null
  /** The rates between its last two heartbeats; also null before the second. */
  claimsPerSecond: number | null
  settledPerSecond: number | null
}

/** The processes that deliver, in the whole installation. */
export interface WorkerList {
  /**
   * Lists the processes of the last day, the last seen first, at most 1,000. It shows no data of a workspace.
   *
   * @throws {EngineError} `not_retained` without `history`
   */
  list(): Promise<Worker[]>
}

/** The heartbeats of this process. */
export interface Heartbeat {
  claimed(rows: number): void
  settled(rows: number): void
  /** Writes a heartbeat, at most one in 30 seconds, and deletes processes that were not seen for a day. */
  beat(): Promise<void>
}

const MAX_LISTED = 1000
const DELETED = 500
const DAY_MS = 86_400_000
// Maintenance runs each minute, in up to 20 rounds.
const LEAST_INTERVAL_MS = 30_000
// Shorter intervals, such as that from the start to the first heartbeat, show no rate.
const LEAST_RATED_MS = 1000
// The start is computed from a duration at each heartbeat; smaller differences are not a new start.
const SAME_START_MS = 1000

export function createWorkerList(db: OutboxDatabase, isRecorded: boolean): WorkerList {
  return {
    async list() {
      if (!isRecorded)
        throw new EngineError(
          'not_retained',
          'this engine has no history: createEngine({ history: true }) records workers',
        )
      const { rows } = await db.run(sqlText`
        select ${workerRows.all} from keepsend_workers
        where seen_at > ${clock()} - ${DAY_MS} order by seen_at desc, id ${limitTo(MAX_LISTED)}`)
      return rows.map((row) => {
        const { intervalMs, intervalClaimed, intervalSettled, ...worker } = workerRows.read(row)
        const rate = (count: number | null): number | null =>
          count === null || intervalMs === null || intervalMs < LEAST_RATED_MS ? null : (count * 1000) / intervalMs
        return { ...worker, claimsPerSecond: rate(intervalClaimed), settledPerSecond: rate(intervalSettled) }
      })
    },
  }
}

/** @throws {EngineError} `invalid_option` */
export function checkWorkerId(workerId: string | undefined): void {
  if (workerId === undefined || /^[A-Za-z0-9_.:-]{1,64}$/.test(workerId)) return
  const found = JSON.stringify(workerId)
  throw new EngineError('invalid_option', `workerId must be 1 to 64 characters of A-Za-z0-9_.:-; found ${found}`)
}

export function createHeartbeat(
  db: OutboxDatabase,
  options: { workerId?: string | undefined; rowsStart: 'now' | 'dispatched'; monotonic: () => number },
): Heartbeat {
  const { rowsStart, monotonic } = options
  // A queue that is not polled is swept by a cron, of which each isolate has an engine.
  const kind = rowsStart === 'now' ? 'poller' : 'cron'
  const { workerId = kind === 'cron' ? kind : `worker_${v7()}` } = options
  const startedAt = monotonic()
  const total = { claimed: 0, settled: 0 }
  let last = { at: startedAt, ...total }
  let isFirst = true

  return {
    claimed: (rows) => void (total.claimed += rows),
    settled: (rows) => void (total.settled += rows),
    async beat() {
      const now = { at: monotonic(), ...total }
      if (!isFirst && now.at - last.at < LEAST_INTERVAL_MS) return
      const counts = [
        now.claimed,
        now.settled,
        Math.round(now.at - last.at),
        now.claimed - last.claimed,
        now.settled - last.settled,
      ].map((count) => (kind === 'cron' ? null : count))
      const [claimed = null, settled = null, intervalMs = null, intervalClaimed = null, intervalSettled = null] = counts
      const upMs = Math.round(now.at - startedAt)
      const old = sqlText`
        select old.id from keepsend_workers as old where old.seen_at <= ${clock()} - ${DAY_MS}
        order by old.id ${limitTo(DELETED)} ${db.dialect.lock('pick', 'old')}`
      await db.atomic([
        sqlText`
        insert into keepsend_workers (id, kind, version, started_at, seen_at, claimed, settled, interval_ms, interval_claimed, interval_settled)
        values (${workerId}, ${kind}, ${VERSION}, ${clock()} - ${upMs}, ${clock()},
          ${claimed}, ${settled}, ${intervalMs}, ${intervalClaimed}, ${intervalSettled})
        on conflict (id) do update set kind = excluded.kind, version = excluded.version, seen_at = excluded.seen_at,
          started_at = case when abs(keepsend_workers.started_at - excluded.started_at) < ${SAME_START_MS}
            then keepsend_workers.started_at else excluded.started_at end,
          claimed = excluded.claimed, settled = excluded.settled, interval_ms = excluded.interval_ms,
          interval_claimed = excluded.interval_claimed, interval_settled = excluded.interval_settled`,
        sqlText`delete from keepsend_workers where id ${db.dialect.among(old)}`,
      ])
      // A heartbeat that failed is part of the next interval.
      last = now
      isFirst = false
    },
  }
}

const workerRows = createCodec<typeof workers>({
  id: 'id',
  kind: 'kind',
  version: 'version',
  startedAt: 'started_at',
  seenAt: 'seen_at',
  claimed: 'claimed',
  settled: 'settled',
  intervalMs: 'interval_ms',
  intervalClaimed: 'interval_claimed',
  intervalSettled: 'interval_settled',
})
