import { once } from 'node:events'
import { mkdirSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { createRandom } from '../random.ts'
import { type Fault, type Tally, compare } from './compare.ts'
import { createEndpoints, startPublisher } from './publisher.ts'
import { startReceiver } from './receiver.ts'
import type { RoundOptions } from './round.ts'
import { type Keys, WORKER_SITES } from './sites.ts'
import { d1Store } from './store.ts'
import { watchStalls } from './stall.ts'
import type { Place, Strike } from './strike.ts'
import { type Wrangler, startWrangler } from './wrangler.ts'

const CRON_MS = 1000
const STRIKE_PATIENCE_MS = 8000
// A lost first delivery is found after the lease of 15 s, a retry after the grace of a minute. A row that several
// sweeps have found is dispatched ever more rarely, at most once in its own age.
const DRAIN_PATIENCE_MS = 300_000

const PLACES: readonly [readonly [Place, number], ...(readonly [Place, number])[]] = [
  ['before the commit of publish', 10],
  ['after the commit of publish', 10],
  ['before the POST', 14],
  ['after the answer', 14],
  ['before the commit of settle', 3],
  ['after the commit of settle', 3],
]

/** The Worker under `wrangler dev`: a kill takes the whole group, and the local queue with it. D1 remains. */
export async function runWorkerRound(options: Omit<RoundOptions, 'store' | 'apps' | 'mutant'>): Promise<Tally> {
  const { seed, folder, processes } = options
  const random = createRandom(seed)
  const state = join(folder, 'state')
  mkdirSync(state, { recursive: true })
  const store = d1Store(state)
  const receiver = await startReceiver({
    bundle: options.bundles.receiver,
    file: join(folder, 'arrivals.jsonl'),
    seed,
    // A retry that is lost with the queue is found after a minute, however small the failing share.
    failing: 0,
    processes,
  })
  const faults: Fault[] = []
  // The current wrangler; none while it starts.
  const now: { wrangler?: Wrangler | undefined } = {}

  // The Worker asks this server to kill it.
  const killer = createServer(() => now.wrangler?.kill()).listen(0, '127.0.0.1')
  await once(killer, 'listening')
  const address = killer.address()
  const killerUrl = `http://127.0.0.1:${typeof address === 'object' && address ? address.port : 0}`
  const start = async (strike?: Strike): Promise<Wrangler> =>
    (now.wrangler = await startWrangler(state, { strike, killer: killerUrl }, processes))

  // Nothing else fires the cron in `wrangler dev`. It fires again a second after a kill.
  const cron = setInterval(() => {
    if (now.wrangler) void fetch(`${now.wrangler.url}/cdn-cgi/handler/scheduled`).catch(() => undefined)
  }, CRON_MS)

  // A Worker cannot report that it stalled. If the machine stalled, this process did, too.
  const endWatch = watchStalls(({ from, until }) => {
    faults.push({ what: 'stalled by itself', from, until, inFlight: undefined })
  })

  const strikeAt = (): Strike => {
    const [place, most] = random.pick(PLACES)
    return { place, nth: random.whole(Math.ceil(most / 2), most), afterMs: random.whole(0, 1) }
  }
  try {
    // Kills begin with the second start: the first creates the keys and endpoints.
    const first = await start()
    const keys = (await (await fetch(`${first.url}/setup`, { method: 'POST' })).json()) as Keys
    const { endpoints, secrets } = await createEndpoints({ url: first.url, keys }, receiver.url, WORKER_SITES)
    await receiver.sendSecrets(secrets)
    const publisher = startPublisher({
      targets: () => (now.wrangler ? [{ url: now.wrangler.url, keys }] : []),
      clients: 2,
      thinkMs: 80,
      random: createRandom(seed + 1),
    })
    let strike: Strike | undefined
    for (let kills = 1; kills <= options.kills; kills++) {
      const running = now.wrangler
      if (!running) throw new Error('no wrangler to kill')
      const struck = await Promise.race([
        running.gone.then(() => true),
        delay(strike ? STRIKE_PATIENCE_MS : random.whole(500, 2000)).then(() => false),
      ])
      now.wrangler = undefined
      running.kill()
      await running.gone
      const at = Date.now()
      const inFlight = await store.inFlight(false)
      faults.push({
        what: 'app killed',
        from: at,
        until: at,
        inFlight,
        ...(struck && strike && { place: strike.place }),
      })
      options.onKill()
      strike = kills < options.kills ? strikeAt() : undefined
      await start(strike)
    }
    await publisher.stop()
    const end = Date.now() + DRAIN_PATIENCE_MS
    while ((await store.unsettled()) > 0 && Date.now() < end) await delay(200)
    const unsettled = await store.unsettled()
    return compare({
      published: publisher,
      arrivals: receiver.arrivals(),
      endpoints,
      faults,
      // A Worker that is killed has no one to report to.
      unanswered: [],
      unsettled,
      failed: await store.failed(),
      recorded: await store.recorded(),
    })
  } finally {
    clearInterval(cron)
    endWatch()
    const last = now.wrangler
    now.wrangler = undefined
    last?.kill()
    await last?.gone
    killer.close()
    await receiver.stop()
  }
}
