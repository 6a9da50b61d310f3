import { createHash } from 'node:crypto'
import { DurableEventQueue, type SqliteDatabase } from '@keepsend/adapter-node'
import { type Engine, type EngineOptions, type SendResult, createEngine, silentLogger } from '@keepsend/engine'
import { claimDueEvents } from '@keepsend/outbox'
import { onlyRow, raw, sqlText } from '@keepsend/outbox/internal'

/** How a receiver of the past answered a request, and how long it took. */
export type PastAnswer = { tookMs: number } & (
  | { status: number; headers?: Readonly<Record<string, string>>; body?: string }
  | { error: Extract<SendResult, { kind: 'error' }>['reason']; message: string }
)

export interface Past {
  engine: Engine
  now: () => number
  /** Delivers all that is due until this time, at which the clock then stands. */
  moveTo(ms: number): Promise<void>
  /** Moves to the time and publishes an event there, with the id that it would have got. */
  publish(ms: number, event: { type: string; workspaceId: string; data: object }): Promise<string>
  /** The database's clock goes again. */
  end(): Promise<void>
}

export type PastOptions = Omit<EngineOptions, 'db' | 'queue' | 'sender' | 'monotonic'> & {
  /** @param at the database's time */
  answer: (request: { url: string; body: string; at: number }) => PastAnswer
}

const CLAIMS = 100
const MAINTAINED_EVERY_MS = 600_000
const CLOCK_VIEW = 'create view keepsend_clock as select'

/**
 * An engine that lives through a time that has passed: the view `keepsend_clock` of its database stands where the story is, and
 * its attempts are answered by the story. All else is what a poller does: claims, attempts, settles, probes, steps of replays.
 */
export async function openPast(db: SqliteDatabase, begin: number, { answer, ...options }: PastOptions): Promise<Past> {
  let now = begin
  let elapsedMs = 0
  let ids = 0
  let maintainedAt = begin
  const setClock = async (ms: number): Promise<void> => {
    now = ms
    await db.run(sqlText`update story_clock set ms = ${ms}`)
  }
  const { sql: presentClock } = onlyRow(
    (await db.run<{ sql: string }>(sqlText`select sql as "sql" from sqlite_schema where name = 'keepsend_clock'`)).rows,
  )
  await db.run(raw('create table story_clock (ms integer not null)'))
  await db.run(sqlText`insert into story_clock values (${begin})`)
  await db.run(raw('drop view keepsend_clock'))
  await db.run(raw(`${CLOCK_VIEW} ms from story_clock`))

  const engine = createEngine({
    logger: silentLogger,
    workerId: 'poller-1',
    random: () => 0,
    ...options,
    db,
    queue: new DurableEventQueue({ db }),
    monotonic: () => now - begin + elapsedMs,
    sender: {
      async send({ url, body }) {
        const answered = answer({ url, body, at: now })
        elapsedMs += answered.tookMs
        return resultOf(answered)
      },
    },
  })

  async function deliverDue(): Promise<boolean> {
    // The engine's caches expire by this clock.
    elapsedMs += 2000
    const { resumed } = await engine.worker.resumeHeld({ limit: 1000, batch: 1000 })
    const claimed = await claimDueEvents(db, { limit: CLAIMS })
    engine.worker.noteClaim(claimed)
    const { waitMs, refused } = await engine.worker.admit(claimed.claims)
    for (const claim of claimed.claims) {
      const resumeInMs = refused.get(claim.id)
      const wait = waitMs.get(claim.id) ?? 0
      const outcome =
        resumeInMs === undefined
          ? await engine.worker.deliver(claim, now + wait, { admitted: true })
          : ({ kind: 'hold', reason: 'rate_limited', resumeInMs } as const)
      await engine.worker.settleEach([{ claim, outcome }])
    }
    return resumed.length + claimed.claims.length + claimed.exhausted.length > 0
  }

  async function moveTo(ms: number): Promise<void> {
    for (;;) {
      if (await deliverDue()) continue
      const next = await nextTime(db, now)
      if (next > ms) break
      await setClock(Math.max(next, now + 1))
      await engine.worker.stepReplays()
    }
    await setClock(Math.max(ms, now))
    if (now - maintainedAt > MAINTAINED_EVERY_MS) await maintain()
  }

  async function maintain(): Promise<void> {
    maintainedAt = now
    while ((await engine.worker.maintain()).more);
  }

  return {
    engine,
    now: () => now,
    moveTo,
    async publish(ms, event) {
      await moveTo(ms)
      const { eventId } = await engine.publish({ ...event, id: eventIdAt(now, ids++), timestamp: new Date(now) })
      return eventId
    },
    async end() {
      await maintain()
      await db.run(raw('drop view keepsend_clock'))
      await db.run(raw(presentClock))
      await db.run(raw('drop table story_clock'))
    },
  }
}

/** When the next delivery, held lane or replay is due. */
async function nextTime(db: SqliteDatabase, now: number): Promise<number> {
  const { rows } = await db.run<{ at: number | null }>(sqlText`
    select min(at) as "at" from (
      select due_at as at from pending_events where status = 'pending' and due_at is not null and ready = 0
      union all
      select resume_at from keepsend_endpoints as endpoint where resume_at is not null and exists (
        select 1 from pending_events as held where held.endpoint_id = endpoint.id and held.status = 'held')
      union all
      select due_at from keepsend_replays where state = 'running') as next where at > ${now}`)
  return rows[0]?.at ?? Infinity
}

/** A UUIDv7 of this time, the same in each run. */
function eventIdAt(ms: number, count: number): string {
  const time = ms.toString(16).padStart(12, '0')
  const rest = createHash('sha256').update(String(count)).digest('hex')
  return `evt_${time.slice(0, 8)}-${time.slice(8)}-7${rest.slice(0, 3)}-8${rest.slice(3, 6)}-${rest.slice(6, 18)}`
}

function resultOf(answered: PastAnswer): SendResult {
  if ('error' in answered) return { kind: 'error', reason: answered.error, message: answered.message }
  const { status, headers = {}, body = '', tookMs } = answered
  return {
    kind: 'response',
    status,
    header: (name) => headers[name],
    headers: () => ({ 'content-type': 'text/plain', server: 'nginx', ...headers }),
    body: new TextEncoder().encode(body),
    timing: { dnsMs: 2, tlsMs: Math.min(18, tookMs / 4), connectMs: Math.min(31, tookMs / 2), firstByteMs: tookMs - 1 },
  }
}
