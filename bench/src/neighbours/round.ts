import { setTimeout as delay } from 'node:timers/promises'
import { type Asked, startAsked } from '../ask.ts'
import { processFile } from '../build.ts'
import { senderCommand } from '../cores.ts'
import type { Bench } from '../work.ts'
import type { NeighbourAsks, NeighbourSetup, Published, ReceiverAsks, ReceiverSetup } from './protocol.ts'
import type { Scenario } from './scenarios.ts'

export interface RoundOptions {
  scenario: Scenario
  /** A's workspaces. */
  noisy: number
  store: NeighbourSetup['store']
  /** Processes that deliver. */
  processes: number
}

/** How B's endpoints answer. */
export const KINDS = [
  { kind: 'immediately', ms: 0 },
  { kind: 'in 300 ms', ms: 300 },
] as const

type Kind = (typeof KINDS)[number]['kind']

/** How long B's events took from the commit to the receiver; Infinity for one that never came. */
export interface Waits {
  without: number[]
  beside: number[]
}

export interface NeighbourRound {
  waits: Record<Kind, Waits>
  /** Deliveries of A a second. NaN where A delivers nothing. */
  alone: number
  beside: number
}

interface B {
  kind: Kind
  workspaceId: string
  paths: string[]
}

/** What has not come so long after the last publish counts as never. */
const GRACE_MS = 2000
const WARM_UP_MS = 1000
const EVERY_MS = 250

/** B alone, B beside A, and then A alone, on a database and processes of its own. */
export async function neighbourRound({ stores, quick }: Bench, options: RoundOptions): Promise<NeighbourRound> {
  const { scenario, noisy, store, processes } = options
  const { isSilent = false, everyMs = EVERY_MS } = scenario
  const place = await stores.take(store === 'sqlite' ? 'folder' : 'postgres')
  const setup: NeighbourSetup = { store, place: place.at }
  const started: { kill: () => Promise<void> }[] = []
  const start = async (isWorker: boolean): Promise<Asked<NeighbourAsks>> => {
    const argument = JSON.stringify(setup)
    const file = processFile('neighbour')
    const command = isWorker ? senderCommand(file, [argument], processes) : node(file, argument)
    const app = await startAsked<NeighbourAsks>('neighbour', command)
    started.push(app)
    return app
  }
  const startReceiver = async (keep: boolean): Promise<{ receiver: Asked<ReceiverAsks>; url: string }> => {
    const argument = JSON.stringify({ keep } satisfies ReceiverSetup)
    const receiver = await startAsked<ReceiverAsks>('receiver', node(processFile('neighbour-receiver'), argument))
    started.push(receiver)
    return { receiver, url: `http://127.0.0.1:${await receiver.ask('port')}` }
  }
  try {
    // The first makes the tables.
    const publisher = await start(false)
    const [forA, forB, noise, ...workers] = await Promise.all([
      startReceiver(false),
      startReceiver(true),
      start(false),
      ...Array.from({ length: processes }, () => start(true)),
    ])
    const sides = await createB(publisher, scenario, forB.url)
    const workspaces = scenario.healthy === undefined ? names('a', noisy) : ['b']
    const url = (behaviour: string): string => `${forA.url}/${behaviour}`
    await Promise.all(workers.map((worker) => worker.ask('start')))
    const begin = await scenario.prepare({ app: noise, workspaces, url, quick })

    /** Publishes for B, and the waits by kind. */
    const measureB = async (ms: number): Promise<Map<Kind, number[]>> => {
      const workspaceIds = [...new Set(sides.map(({ workspaceId }) => workspaceId))]
      const published = new Map<string, Published[]>()
      await Promise.all(
        workspaceIds.map(async (workspaceId, number) => {
          await delay((number * everyMs) / workspaceIds.length)
          published.set(workspaceId, await publisher.ask('publishFor', { workspaceId, everyMs, ms }))
        }),
      )
      const due = sides.flatMap((side) =>
        (published.get(side.workspaceId) ?? []).flatMap(([id, atMs]) =>
          side.paths.map((path) => ({ kind: side.kind, key: `${path} ${id}`, atMs })),
        ),
      )
      const arrived = await arrivalsOf(forB.receiver, new Set(due.map(({ key }) => key)))
      // An arrival may be seen before the publisher has heard of its commit.
      const waitOf = ({ key, atMs }: (typeof due)[number]): number =>
        Math.max(0, (arrived.get(key) ?? Number.POSITIVE_INFINITY) - atMs)
      return new Map(KINDS.map(({ kind }) => [kind, due.filter((one) => one.kind === kind).map(waitOf)]))
    }

    /** Makes noise while `during` runs; A's deliveries a second meanwhile. */
    const besideA = async <Result>(during: () => Promise<Result>): Promise<{ result: Result; perSecond: number }> => {
      const [before, began] = [await forA.receiver.ask('delivered'), performance.now()]
      const over = new AbortController()
      const noises = makeNoise(begin, scenario.againMs, over.signal)
      const failed = noises.then(() => new Promise<never>(() => undefined))
      const ended = [failed, ...[noise, publisher, ...workers].map((app) => app.ended)]
      const result = await Promise.race([during(), ...ended])
      const perSecond = ((await forA.receiver.ask('delivered')) - before) / ((performance.now() - began) / 1000)
      over.abort()
      await noises
      return { result, perSecond }
    }

    await measureB(WARM_UP_MS)
    const without = await measureB(quick ? 2000 : 6000)
    const { result: beside, perSecond } = await besideA(() => measureB(quick ? 3000 : 9000))
    // What A has left over, and more of it.
    const alone = isSilent ? undefined : await besideA(() => delay(quick ? 1000 : 2000))
    const waits = Object.fromEntries(
      KINDS.map(({ kind }) => [kind, { without: without.get(kind) ?? [], beside: beside.get(kind) ?? [] }]),
    ) as NeighbourRound['waits']
    return { waits, alone: alone?.perSecond ?? Number.NaN, beside: isSilent ? Number.NaN : perSecond }
  } finally {
    await Promise.all(started.map((one) => one.kill()))
    await place.release()
  }
}

function node(file: string, argument: string): [string, string[]] {
  return [process.execPath, [file, argument]]
}

function names(prefix: string, count: number): string[] {
  return Array.from({ length: count }, (_, number) => `${prefix}${number}`)
}

/** A workspace with one endpoint for each kind, or one workspace with some of each. */
async function createB(app: Asked<NeighbourAsks>, { healthy }: Scenario, url: string): Promise<B[]> {
  const sides = KINDS.map(({ kind, ms }): B => {
    const paths = names(`/after/${ms}/`, healthy ?? 1)
    return { kind, workspaceId: healthy === undefined ? `b${ms}` : 'b', paths }
  })
  for (const { workspaceId, paths } of sides) {
    await app.ask('create', { workspaceId, endpoints: paths.map((path) => ({ url: `${url}${path}` })) })
  }
  return sides
}

/** When each of these arrived, once all have, or the grace is over. */
async function arrivalsOf(receiver: Asked<ReceiverAsks>, keys: ReadonlySet<string>): Promise<Map<string, number>> {
  const arrived = new Map<string, number>()
  const end = performance.now() + GRACE_MS
  for (;;) {
    for (const [path, id, atMs] of await receiver.ask('arrivals')) {
      const key = `${path} ${id}`
      if (keys.has(key)) arrived.set(key, atMs)
    }
    if (arrived.size === keys.size || performance.now() > end) return arrived
    await delay(20)
  }
}

/** Begins the noise, and again each `againMs`, until it is over. */
async function makeNoise(begin: () => Promise<void>, againMs: number | undefined, over: AbortSignal): Promise<void> {
  do {
    await begin()
    if (againMs !== undefined) await delay(againMs, undefined, { signal: over }).catch(() => undefined)
  } while (againMs !== undefined && !over.aborted)
}
