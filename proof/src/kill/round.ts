import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../random.ts'
import { type App, type AppSetup, type Mutant, type Unanswered, startApp } from './app.ts'
import type { Bundles } from '../bundle.ts'
import { type Fault, type Tally, compare } from './compare.ts'
import type { Processes } from './processes.ts'
import { type Target, createEndpoints, startPublisher } from './publisher.ts'
import { startReceiver } from './receiver.ts'
import { type Keys, SITES } from './sites.ts'
import type { Store } from './store.ts'
import type { Place, Strike } from './strike.ts'

export const CONCURRENCY = 16
export const SETTLE_BATCH = 32
/** The smallest value that the bounds allow, with deadlines of a second. */
const LEASE_MS = 3000
const STOPPED_MS = LEASE_MS + 500
const AWAKE_MS = 500
const STOPPED = 'app stopped past its lease'
const STRIKE_PATIENCE_MS = 3000
/** For a kill during a start; clean-up may have no work until its second round, a second later. */
const START_PATIENCE_MS = 4000
const LIFE_PATIENCE_MS = 2000
const DRAIN_PATIENCE_MS = 60_000

export interface RoundOptions {
  seed: number
  kills: number
  /** Apps on the one database: 1 or 2. */
  apps: number
  folder: string
  bundles: Bundles<'app' | 'receiver'>
  processes: Processes
  store: Store
  mutant?: Mutant
  onKill(): void
}

/** Where a running app is killed, and the largest `nth` there. */
const PLACES: readonly [KillAt, ...KillAt[]] = [
  ['before the commit of publish', 10],
  ['after the commit of publish', 10],
  ['before the commit of claim', 5],
  ['after the commit of claim', 5],
  ['before the POST', 30],
  ['after the answer', 30],
  ['before the commit of settle', 5],
  ['after the commit of settle', 5],
  // Happens after a kill that left many claims, when their leases expire.
  ['before the commit of line up', 1],
  ['after the commit of line up', 1],
  ['before the commit of pause', 1],
  ['after the commit of pause', 1],
  ['before the commit of resume', 3],
  ['after the commit of resume', 3],
  ['before the commit of expire', 1],
  ['after the commit of expire', 1],
]
type KillAt = readonly [place: Place, nth: number]
/** A mutant is killed where a correct app has committed. */
const MUTANTS_PLACE: KillAt = ['before the POST', 8]

/**
 * Runs one installation from its first start to the end: kills it again and again, then waits until everything is
 * settled.
 */
export async function runRound(options: RoundOptions): Promise<Tally> {
  const { seed, folder, bundles, processes, store, mutant } = options
  const random = createRandom(seed)
  const migrations = join(folder, 'migrations')
  mkdirSync(migrations, { recursive: true })
  const receiver = await startReceiver({
    bundle: bundles.receiver,
    file: join(folder, 'arrivals.jsonl'),
    seed,
    failing: 0.05,
    processes,
  })
  const faults: Fault[] = []
  const unanswered: Unanswered[] = []
  const steps: string[] = []
  const apps: (App | undefined)[] = Array.from({ length: options.apps })
  let kills = 0
  let keys: Keys | undefined

  function start(slot: number, more: Partial<AppSetup> = {}): App {
    const common = { concurrency: CONCURRENCY, settleBatch: SETTLE_BATCH, migrations, ...(mutant && { mutant }) }
    const app = startApp(bundles.app, { ...store.app, ...common, ...more }, processes, {
      unanswered: (attempt) => void unanswered.push(attempt),
      stall({ from, until }) {
        // A stop that the parent made is recorded already, with its claims in flight.
        const ours = faults.some((fault) => fault.what === STOPPED && fault.from < until && fault.until > from)
        if (!ours) faults.push({ what: 'stalled by itself', from, until, inFlight: undefined })
      },
    })
    apps[slot] = app
    return app
  }

  async function up(slot: number, more: Partial<AppSetup> = {}): Promise<App> {
    const app = start(slot, more)
    await app.ready
    keys ??= app.keys
    return app
  }

  /** Kills an app, or waits until it has killed itself at its place, and records it. */
  async function kill(app: App, slot: number, strike?: Strike, patienceMs = STRIKE_PATIENCE_MS): Promise<void> {
    const struck = strike && (await Promise.race([app.gone, delay(patienceMs).then(() => undefined)]))
    if (struck === undefined) app.signal('SIGKILL')
    const end = await app.gone
    if (end !== 'SIGKILL') throw new Error(`an app ended by itself: ${end}`)
    const at = Date.now()
    apps[slot] = undefined
    const alive = apps.some((other) => other !== undefined)
    const inFlight = await store.inFlight(alive)
    faults.push({ what: 'app killed', from: at, until: at, inFlight, ...(struck && strike && { place: strike.place }) })
    kills++
    options.onKill()
  }

  function strikeAt(): Strike {
    const [place, most] = mutant ? MUTANTS_PLACE : random.pick(PLACES)
    return { place, nth: random.whole(1, most), afterMs: random.next() < 0.6 ? 0 : random.whole(1, 30) }
  }

  const targets = (): Target[] =>
    apps.flatMap((app) => (keys && app?.url !== undefined ? [{ url: app.url, keys }] : []))

  /**
   * Waits for this many more acknowledgements, so that there is something to lose; on a slow machine for as many as
   * possible.
   */
  async function acknowledgements(more: number): Promise<void> {
    const enough = publisher.acknowledged.size + more
    const end = Date.now() + LIFE_PATIENCE_MS
    while (publisher.acknowledged.size < enough && Date.now() < end) await delay(5)
  }

  /**
   * Adds a migration of the host's and kills the start that applies it, so the next start finds it partly or completely
   * applied.
   */
  async function killInMigration(slot: number): Promise<void> {
    const name = `step_${steps.length + 1}`
    steps.push(name)
    const file = `${String(steps.length).padStart(4, '0')}_${name}.sql`
    writeFileSync(
      join(migrations, file),
      `create table ${name} (n integer not null);\ninsert into ${name} values (1);\n`,
    )
    const when = random.pick(['before', 'after'] as const)
    const strike = { place: `${when} the commit of migrate` as const, nth: 1, afterMs: 0 }
    await kill(start(slot, { strike }), slot, strike, START_PATIENCE_MS)
  }

  /** Clean-up runs at each start, for rows that settled at least half a second ago. */
  async function killInCleanUp(slot: number): Promise<void> {
    const when = random.pick(['before', 'after'] as const)
    const strike = { place: `${when} the commit of clean-up` as const, nth: 1, afterMs: 0 }
    await kill(start(slot, { strike }), slot, strike, START_PATIENCE_MS)
  }

  async function killReceiver(): Promise<void> {
    const from = Date.now()
    await receiver.killAndRestart()
    faults.push({ what: 'receiver killed', from, until: Date.now(), inFlight: undefined })
  }

  async function killServer(killAndRestart: () => Promise<void>): Promise<void> {
    const from = Date.now()
    await killAndRestart()
    faults.push({ what: 'server killed', from, until: Date.now(), inFlight: undefined })
  }

  async function stopPastLease(app: App): Promise<void> {
    app.signal('SIGSTOP')
    const from = Date.now()
    const inFlight = await store.inFlight(true)
    await delay(STOPPED_MS)
    app.signal('SIGCONT')
    faults.push({ what: STOPPED, from, until: Date.now(), inFlight })
    // Until it has finished the work that it still believes to be its own.
    await delay(AWAKE_MS)
  }

  // Interrupts Keepsend's own migrations on an empty database, in two places.
  for (const place of mutant ? [] : (['before the commit of migrate', 'after the commit of migrate'] as const)) {
    const strike = { place, nth: random.whole(1, 3), afterMs: 0 }
    await kill(start(0, { strike }), 0, strike, START_PATIENCE_MS)
  }
  await up(0, { makeKeys: true })
  const [target] = targets()
  if (!target) throw new Error('the app created no keys')
  const { endpoints, secrets } = await createEndpoints(target, receiver.url, SITES)
  await receiver.sendSecrets(secrets)
  const age = async (): Promise<void> => {
    for (const { id, expires } of endpoints) if (expires) await store.age(id)
  }
  for (let slot = 1; slot < options.apps; slot++) await up(slot)
  const publisher = startPublisher({ targets, clients: 3, thinkMs: 12, random: createRandom(seed + 1) })

  for (let step = 1; kills < options.kills; step++) {
    const slot = random.whole(0, options.apps - 1)
    const app = apps[slot]
    if (!app) throw new Error('no app to strike')
    await acknowledgements(random.whole(2, 25))
    await age()
    if (!mutant && step % 12 === 6) await killReceiver()
    if (store.killServer && step % 8 === 4) await killServer(store.killServer)
    if (options.apps > 1 && step % 10 === 5) await stopPastLease(app)
    const strike = random.next() < 0.15 ? undefined : strikeAt()
    if (strike) app.order({ strike })
    await kill(app, slot, strike)
    if (!mutant && step % 7 === 3 && kills < options.kills) await killInMigration(slot)
    if (!mutant && step % 5 === 2 && kills < options.kills) await killInCleanUp(slot)
    await up(slot)
  }

  await publisher.stop()
  const end = Date.now() + DRAIN_PATIENCE_MS
  await age()
  while ((await store.unsettled()) > 0 && Date.now() < end) await delay(50)
  for (const app of apps) {
    app?.order({ stop: true })
    await app?.gone
  }
  const [unsettled, failed, recorded] = [await store.unsettled(), await store.failed(), await store.recorded()]
  const broken = await store.faults(steps)
  if (broken.length > 0) throw new Error(`the database is damaged: ${broken.join('; ')}`)
  const arrivals = receiver.arrivals()
  await receiver.stop()
  await store.end()
  return compare({
    published: publisher,
    arrivals,
    endpoints,
    faults,
    unanswered,
    unsettled,
    failed,
    recorded,
  })
}
