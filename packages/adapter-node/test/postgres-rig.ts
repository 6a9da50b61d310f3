import { TEST_KEYS } from './keys.ts'
import { type EndpointInput, type Engine, type EngineOptions, createEngine } from '@keepsend/engine'
import { newEventId } from '@keepsend/outbox'
import { pendingEvents, sqlText } from '@keepsend/outbox/internal'
import { expect, onTestFinished, vi } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import {
  DurableEventQueue,
  type DurableEventQueueOptions,
  type OpenPostgresOptions,
  type PostgresDatabase,
  createUndiciSender,
  migrate,
  openPostgres,
} from '../src/index.ts'
import { LOOPBACK, PATIENCE_MS, type StandingRow, keptLog, standingRows } from './rig.ts'

export interface PostgresRig {
  url: string
  db: PostgresDatabase
  engine: Engine
  queue: DurableEventQueue
  log: ReturnType<typeof keptLog>
  rows: () => Promise<StandingRow[]>
  /** Resolves when the condition holds of the rows. */
  untilRows: (condition: (rows: StandingRow[]) => boolean) => Promise<void>
  addEndpoint: (url: string, parts?: Partial<EndpointInput>) => Promise<{ id: string; secret: string }>
  publish: (count: number) => Promise<string[]>
}

/** An engine and a queue that is not started yet, on a schema of its own, or on that of `url`. */
export async function postgresRig(
  options: {
    url?: string
    database?: Partial<OpenPostgresOptions>
    engine?: Partial<EngineOptions>
    queue?: Partial<DurableEventQueueOptions>
  } = {},
): Promise<PostgresRig> {
  const schema = options.url === undefined ? await createSchema() : undefined
  const url = options.url ?? schema?.url ?? ''
  const log = keptLog()
  const db = await openPostgres({ url, logger: log, ...options.database })
  const sender = createUndiciSender({ urlPolicy: LOOPBACK })
  // One endpoint may use all slots by default.
  const slots = { slotsPerEndpoint: options.queue?.concurrency ?? 32 }
  const queue = new DurableEventQueue({ db, leaseMs: 20_000, pollMs: 60_000, ...slots, ...options.queue })
  const engine = createEngine({
    secrets: TEST_KEYS,
    db,
    queue,
    sender,
    logger: log,
    deadlineMs: 15_000,
    maxDeadlineMs: 15_000,
    random: () => 0,
    ...options.engine,
  })
  onTestFinished(async () => {
    await queue.stop({ drainMs: 0 })
    await sender.close()
    await db.close()
    await schema?.drop()
  })
  await migrate(db)
  const rows = async () =>
    standingRows((await db.run(sqlText`select ${pendingEvents.all} from pending_events order by id`)).rows)
  return {
    url,
    db,
    engine,
    queue,
    log,
    rows,
    untilRows: (condition) =>
      vi.waitFor(async () => expect(condition(await rows())).toBe(true), { timeout: PATIENCE_MS, interval: 20 }),
    async addEndpoint(to, parts = {}) {
      const { endpoint, secret } = await engine.endpoints.create('w', { url: to, ...parts })
      return { id: endpoint.id, secret }
    },
    async publish(count) {
      const event = (n: number) => ({ id: newEventId(), type: 'message.created', workspaceId: 'w', data: { n } })
      return (await engine.commit({ writes: [], events: Array.from({ length: count }, (_, n) => event(n)) })).eventIds
    },
  }
}
