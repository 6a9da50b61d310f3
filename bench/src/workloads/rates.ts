import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { migrate, openPostgres, openSqlite } from '@keepsend/adapter-node'
import { createBenchEngine } from '../engine.ts'
import type { Bench, Findings, Row, Target } from '../workload.ts'

const STORES = { SQLite: 'folder', Postgres: 'postgres' } as const
const PERIOD_MS = { second: 1000, minute: 60_000, hour: 3_600_000 } as const
const LIMITS = [
  { rateLimit: 10, ratePeriod: 'second' },
  { rateLimit: 100, ratePeriod: 'second' },
  { rateLimit: 1000, ratePeriod: 'second' },
  { rateLimit: 1200, ratePeriod: 'minute' },
  { rateLimit: 10_000, ratePeriod: 'hour' },
] as const
const FULL_MS = 12_000
const QUICK_MS = 2000
// Until then the endpoint does not count as fast.
const WARM_UP_MS = 1000

/** Endpoints with a backlog, each under a rate limit: how much of it they reach, and whether any window has more. */
export async function rates(bench: Bench): Promise<Findings> {
  const rows: Row[] = []
  const targets: Target[] = []
  for (const store of ['SQLite', 'Postgres'] as const) {
    for (const limit of LIMITS) {
      const name = `${store}, ${limit.rateLimit} per ${limit.ratePeriod}`
      const { reached, worst } = await rateRound(bench, store, limit)
      bench.say(`  ${name}: ${reached.toFixed(1)}%, at most ${worst} of ${limit.rateLimit} in a ${limit.ratePeriod}`)
      rows.push({ name, figures: { 'reached %': reached, 'most in one period': worst } })
      targets.push({ what: `${name}: % reached with a backlog`, found: reached, should: { atLeast: 98 } })
      targets.push({ what: `${name}: most in any period`, found: worst, should: { atMost: limit.rateLimit } })
    }
  }
  return { title: 'rates: what an endpoint with a backlog gets of its rate limit', rows, targets, missing: {} }
}

async function rateRound(
  { stores, receiver, quick }: Bench,
  store: keyof typeof STORES,
  limit: (typeof LIMITS)[number],
): Promise<{ reached: number; worst: number }> {
  const place = await stores.take(STORES[store])
  const db = store === 'Postgres' ? await openPostgres({ url: place.at }) : openSqlite(join(place.at, 'bench.db'))
  await migrate(db)
  const { engine, queue, seed, close } = createBenchEngine(db)
  try {
    const { endpoint } = await engine.endpoints.create('bench', { url: receiver.url, ...limit })
    const ms = quick ? QUICK_MS : FULL_MS
    const perMs = limit.rateLimit / PERIOD_MS[limit.ratePeriod]
    await seed([{ workspaceId: 'bench', endpointId: endpoint.id }], Math.ceil(perMs * (WARM_UP_MS + ms) * 1.5) + 10)
    await queue.start(engine)
    await delay(WARM_UP_MS)
    await receiver.reset('record')
    await delay(ms)
    const times = [...(await receiver.arrivals()).values()].toSorted((one, other) => one - other)
    const [first = 0, last = 0] = [times[0], times.at(-1)]
    const reached = (100 * (times.length - 1)) / ((last - first) * perMs)
    return { reached, worst: mostWithin(times, PERIOD_MS[limit.ratePeriod]) }
  } finally {
    await queue.stop({ drainMs: 0 })
    await close()
    await db.close()
    await place.release()
  }
}

/** The most of these ordered times that lie in one window of this length, wherever it begins. */
function mostWithin(times: readonly number[], ms: number): number {
  let most = 0
  let begin = 0
  for (const [end, time] of times.entries()) {
    while (time - (times[begin] ?? time) >= ms) begin++
    most = Math.max(most, end - begin + 1)
  }
  return most
}
