// The day before `pnpm dev` was started, so that its pages have something to show. The engine writes it as it writes everything, by
// a clock of ours, and no request is sent.
import type { SqliteDatabase } from '@keepsend/adapter-node'
import {
  type DeliveryOutcome,
  type FinishedDelivery,
  createEngine,
  createKeyRing,
  silentLogger,
} from '@keepsend/engine'
import { claimDueEvents } from '@keepsend/outbox'
import { type AppEvent, catalog } from '../catalog.ts'
import { TIMES } from '../times.ts'
import type { Customer, CustomerEndpoint } from './cast.ts'
import { moveIn } from './move-in.ts'
import { takeClock } from './past-clock.ts'
import { pastEvent } from './past-events.ts'
import { createPastSender } from './past-receiver.ts'
import { scenesOf } from './scenes.ts'

export interface PastOptions {
  cast: readonly Customer[]
  secretKey: string
  /** The URL of an endpoint. */
  urlOf: (endpoint: CustomerEndpoint) => string
  /** The name under which the app delivers afterwards. */
  workerId: string
}

export interface Past {
  /** API keys, by workspace; the operator's too. */
  keys: ReadonlyMap<string, string>
  /** The secrets that the receiver knows, by hook. */
  secrets: ReadonlyMap<string, string>
}

const MINUTE_MS = 60_000
const HOUR_MS = 60 * MINUTE_MS
const HOURS = 24
// Of all workspaces together, by day and night.
const EVENTS_PER_HOUR = 30
// Minutes from one look of the worker to the next; shorter ones take longer.
const STEP = 2
const MAINTAINED = 20
const CLAIMS = 100
// Of the archive, which takes 20 a minute.
const BACKLOG = 90

/** Writes the day. The database has tables, and is empty. */
export async function writePast(db: SqliteDatabase, options: PastOptions): Promise<Past> {
  const { cast, secretKey, urlOf, workerId } = options
  const endsAt = Date.now()
  const clock = takeClock(db.connection, endsAt - HOURS * HOUR_MS)
  const hoursAgo = (): number => (endsAt - clock.now) / HOUR_MS
  const random = seeded(7)
  const byUrl = new Map(cast.flatMap(({ endpoints }) => endpoints.map((endpoint) => [urlOf(endpoint), endpoint])))
  const { sender, spentMs } = createPastSender((url) => {
    const endpoint = byUrl.get(url)
    if (!endpoint) throw new Error(`no endpoint of the cast has the URL ${url}`)
    return endpoint.past(hoursAgo())
  }, random)
  const engine = createEngine({
    ...TIMES.dev.engine,
    db,
    catalog,
    sender,
    workerId,
    random,
    secrets: createKeyRing(secretKey),
    queue: { send: async () => {} },
    urlPolicy: { allowHttp: true, allowHosts: ['127.0.0.1'], allowPorts: 'any' },
    logger: silentLogger,
    // Caches are as old as the clock says.
    monotonic: () => clock.now + spentMs(),
  })

  async function publish(workspaceId: string, type?: AppEvent['type']): Promise<void> {
    await engine.publish(pastEvent({ workspaceId, at: clock.now, random, ...(type !== undefined && { type }) }))
  }

  /** Delivers what is due. */
  async function deliver(): Promise<void> {
    await engine.worker.stepReplays()
    await engine.worker.resumeHeld({ limit: 1000, batch: 100 })
    const { claims } = await claimDueEvents(db, { limit: CLAIMS })
    const { refused } = await engine.worker.admit(claims)
    const finished: FinishedDelivery[] = []
    for (const claim of claims) {
      const resumeInMs = refused.get(claim.id)
      const outcome: DeliveryOutcome =
        resumeInMs === undefined
          ? await engine.worker.deliver(claim, clock.now, { admitted: true })
          : { kind: 'hold', reason: 'rate_limited', resumeInMs }
      finished.push({ claim, outcome })
    }
    if (finished.length > 0) await engine.worker.settleEach(finished)
    if (claims.length === CLAIMS) await deliver()
  }

  async function maintain(): Promise<void> {
    const { more } = await engine.worker.maintain()
    if (more) await maintain()
  }

  const { keys, secrets, endpoints } = await moveIn(engine, { cast, urlOf })
  const scenes = scenesOf(engine, { cast, endpoints, startsAt: clock.now })
  for (let minutesAgo = HOURS * 60; minutesAgo > 0; minutesAgo -= STEP) {
    clock.moveTo(endsAt - minutesAgo * MINUTE_MS)
    for (const scene of scenes.filter((one) => one.minutesAgo === minutesAgo)) await scene.play()
    if (minutesAgo === STEP) for (let n = 0; n < BACKLOG; n++) await publish('bluebird', 'file.added')
    const share = (EVENTS_PER_HOUR * STEP * busy(minutesAgo)) / (60 * cast.length)
    for (const { id } of cast) for (let n = share + random(); n >= 1; n--) await publish(id)
    await deliver()
    if (minutesAgo % MAINTAINED === 0 || minutesAgo === STEP) await maintain()
  }
  return { keys, secrets }
}

/** How busy the customers are: most in the middle of the day. */
function busy(minutesAgo: number): number {
  return 1 + 0.6 * Math.sin((minutesAgo / (HOURS * 60)) * 2 * Math.PI)
}

/** The same numbers from 0 to 1 at each start (mulberry32), so that the story is the same. */
function seeded(seed: number): () => number {
  let state = seed
  return () => {
    state = (state + 0x6d2b79f5) | 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}
