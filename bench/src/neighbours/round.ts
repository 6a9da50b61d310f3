import { setTimeout as delay } from 'node:timers/promises'
import type { Asked } from '../ask.ts'
import type { Bench } from '../workload.ts'
import type { NeighbourAsks, NeighbourSetup, Published, ReceiverAsks } from './protocol.ts'
import type { Scenario } from './scenarios.ts'
import { type Stage, startStage } from './stage.ts'

export interface RoundOptions {
  scenario: Scenario
  /** A's workspaces. */
  noisy: number
  store: NeighbourSetup['store']
  /** Processes that deliver. */
  processes: number
}

/** How B's endpoints respond. */
export const KINDS = [
  { kind: 'immediately', ms: 0 },
  { kind: 'in 300 ms', ms: 300 },
] as const

type Kind = (typeof KINDS)[number]['kind']

/** Time of each event of B from the commit to the receiver, in ms; Infinity for one that was never received. */
export interface Waits {
  without: number[]
  beside: number[]
}

export interface NeighbourRound {
  waits: Record<Kind, Waits>
  /** Deliveries of A a second, without B and beside it. NaN if A delivers nothing. */
  alone: number
  beside: number
}

/** B's endpoints of one kind. */
interface Side {
  kind: Kind
  workspaceId: string
  paths: string[]
}

// An event that has not arrived this long after the last publish counts as never received.
const GRACE_MS = 2000
const EVERY_MS = 250
const FULL = { warmUpMs: 1000, withoutMs: 6000, besideMs: 9000, aloneMs: 2000 }
const QUICK = { warmUpMs: 1000, withoutMs: 2000, besideMs: 3000, aloneMs: 1000 }

/** Measures B alone, B beside A, and then A alone, on a database and processes of their own. */
export async function neighbourRound({ stores, quick }: Bench, options: RoundOptions): Promise<NeighbourRound> {
  const { scenario, noisy, store, processes } = options
  const { warmUpMs, withoutMs, besideMs, aloneMs } = quick ? QUICK : { ...FULL, ...scenario }
  const place = await stores.take(store === 'sqlite' ? 'folder' : 'postgres')
  try {
    const stage = await startStage({ store, place: place.at }, processes)
    try {
      const { noise, publisher, workers, receivers } = stage
      const sides = await createB(publisher, scenario, receivers.b.url)
      await Promise.all(workers.map((worker) => worker.ask('start')))
      const workspaces = scenario.healthy === undefined ? names('a', noisy) : ['b']
      const url = (behaviour: string): string => `${receivers.a.url}/${behaviour}`
      const begin = await scenario.prepare({ app: noise, workspaces, url, quick })
      const measure = (ms: number): Promise<Record<Kind, number[]>> => measureB(stage, sides, scenario, ms)
      await measure(warmUpMs)
      const without = await measure(withoutMs)
      const beside = await besideA(stage, scenario, begin, () => measure(besideMs))
      if (scenario.isSilent) return { waits: paired(without, beside.result), alone: Number.NaN, beside: Number.NaN }
      // A's remaining backlog, and more of it.
      const alone = await besideA(stage, scenario, begin, () => delay(aloneMs))
      return { waits: paired(without, beside.result), alone: alone.perSecond, beside: beside.perSecond }
    } finally {
      await stage.end()
    }
  } finally {
    await place.release()
  }
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}${number}`)
}

function paired(without: Record<Kind, number[]>, beside: Record<Kind, number[]>): NeighbourRound['waits'] {
  return byKind((kind) => ({ without: without[kind], beside: beside[kind] }))
}

function byKind<Value>(valueOf: (kind: Kind) => Value): Record<Kind, Value> {
  return { immediately: valueOf('immediately'), 'in 300 ms': valueOf('in 300 ms') }
}

/** Creates a workspace with one endpoint for each kind, or one workspace with several of each. */
async function createB(app: Asked<NeighbourAsks>, { healthy }: Scenario, url: string): Promise<Side[]> {
  const sides = KINDS.map(({ kind, ms }): Side => {
    const paths = names(`/after/${ms}/`, healthy ?? 1)
    return { kind, workspaceId: healthy === undefined ? `b${ms}` : 'b', paths }
  })
  for (const { workspaceId, paths } of sides) {
    await app.ask('create', { workspaceId, endpoints: paths.map((path) => ({ url: `${url}${path}` })) })
  }
  return sides
}

/** Publishes for B for a time; returns the wait of each event at each of its endpoints. */
async function measureB(
  { publisher, receivers }: Stage,
  sides: readonly Side[],
  { everyMs = EVERY_MS }: Scenario,
  ms: number,
): Promise<Record<Kind, number[]>> {
  const workspaceIds = [...new Set(sides.map(({ workspaceId }) => workspaceId))]
  const published = new Map<string, Published[]>()
  await Promise.all(
    workspaceIds.map(async (workspaceId, number) => {
      await delay((number * everyMs) / workspaceIds.length)
      published.set(workspaceId, await publisher.ask('publishFor', { workspaceId, everyMs, ms }))
    }),
  )
  const due = sides.flatMap(({ kind, workspaceId, paths }) =>
    (published.get(workspaceId) ?? []).flatMap(([id, atMs]) =>
      paths.map((path) => ({ kind, key: `${path} ${id}`, atMs })),
    ),
  )
  const arrived = await arrivalsOf(receivers.b.process, new Set(due.map(({ key }) => key)))
  // An event may arrive before its publisher gets the result of the commit.
  const waits = due.map(({ kind, key, atMs }) => ({ kind, ms: Math.max(0, (arrived.get(key) ?? Infinity) - atMs) }))
  return byKind((kind) => waits.filter((wait) => wait.kind === kind).map((wait) => wait.ms))
}

/** The arrivals of these events, once all have arrived or the grace period is over. */
async function arrivalsOf(receivers: Asked<ReceiverAsks>, keys: ReadonlySet<string>): Promise<Map<string, number>> {
  const arrived = new Map<string, number>()
  const end = performance.now() + GRACE_MS
  for (;;) {
    for (const [path, id, atMs] of await receivers.ask('arrivals')) {
      const key = `${path} ${id}`
      if (keys.has(key)) arrived.set(key, atMs)
    }
    if (arrived.size === keys.size || performance.now() > end) return arrived
    await delay(20)
  }
}

/** Makes A noisy while `during` runs; returns A's deliveries a second meanwhile. */
async function besideA<Result>(
  { noise, publisher, workers, receivers }: Stage,
  { againMs }: Scenario,
  begin: () => Promise<void>,
  during: () => Promise<Result>,
): Promise<{ result: Result; perSecond: number }> {
  const [before, began] = [await receivers.a.process.ask('delivered'), performance.now()]
  const over = new AbortController()
  const noises = makeNoise(begin, againMs, over.signal)
  // Any failure meanwhile ends the wait.
  const broken = [noises.then(never), ...[noise, publisher, ...workers].map((one) => one.ended)]
  const result = await Promise.race([during(), ...broken])
  const delivered = (await receivers.a.process.ask('delivered')) - before
  const perSecond = (delivered * 1000) / (performance.now() - began)
  over.abort()
  await noises
  return { result, perSecond }
}

function never(): Promise<never> {
  return new Promise(() => undefined)
}

/** Starts the noise, and again every `againMs`, until `over`. */
async function makeNoise(begin: () => Promise<void>, againMs: number | undefined, over: AbortSignal): Promise<void> {
  await begin()
  if (againMs === undefined) return
  while (!over.aborted) {
    await delay(againMs, undefined, { signal: over }).catch(() => undefined)
    if (!over.aborted) await begin()
  }
}
