// The scenarios of the workload `neighbours`: how A disturbs B.
import { setTimeout as delay } from 'node:timers/promises'
import type { LaneRef } from '@keepsend/outbox'
import type { Asked } from '../ask.ts'
import type { NeighbourAsks } from './protocol.ts'

/** The means of a scenario's noise. */
interface Noise {
  /** A process of its own, which publishes and delivers nothing. */
  app: Asked<NeighbourAsks>
  /** A's workspaces. */
  workspaces: string[]
  /** The URL of one of A's receivers with this behaviour: see processes/neighbour-receiver.ts. */
  url: (behaviour: string) => string
  quick: boolean
}

export interface Scenario {
  id: string
  /** A described in one line. */
  title: string
  /** Numbers of A's workspaces; one round each. */
  noisy: readonly number[]
  /** A delivers nothing, so its throughput is not measured. */
  isSilent?: true
  /**
   * B's endpoints, and A's silent ones, are in one workspace: this many healthy ones of each kind. @default one each,
   * in two workspaces
   */
  healthy?: number
  /** How often B publishes, in ms. @default 250 */
  everyMs?: number
  /** @default 1.2 */
  factor?: number
  /** Replaces the target beside B alone: no event of B waits longer, in ms. */
  longestMs?: number
  /** How long B is measured beside A, in ms. @default 9000 */
  besideMs?: number
  /** Runs before anything is measured; the function that it returns starts the noise. */
  prepare: (noise: Noise) => Promise<() => Promise<void>>
  /** The noise starts again at this interval, in ms. @default once */
  againMs?: number
}

const FAMILY = [1, 3, 10]

export const scenarios: readonly Scenario[] = [
  {
    id: 'K1.1',
    title: '100 endpoints that answer after 29 s, an event each 5 s',
    noisy: FAMILY,
    isSilent: true,
    againMs: 5000,
    prepare: async (noise) => {
      await create(noise, 100, { url: noise.url('after/29000'), deadlineMs: 30_000 })
      return () => publishInEach(noise)
    },
  },
  {
    id: 'K1.2',
    title: '4 endpoints that answer after 29 s, a backlog of 1,000',
    noisy: FAMILY,
    isSilent: true,
    prepare: async (noise) => {
      const lanes = await create(noise, 4, { url: noise.url('after/29000'), deadlineMs: 30_000 })
      return () => noise.app.ask('seed', { lanes, events: 1000 * noise.workspaces.length })
    },
  },
  {
    id: 'K1.3',
    title: 'one endpoint that answers after 29 s and has `concurrency` 1,000, a backlog of 1,000',
    noisy: [1],
    isSilent: true,
    prepare: async (noise) => {
      const lanes = await create(noise, 1, { url: noise.url('after/29000'), deadlineMs: 30_000, concurrency: 1000 })
      return () => noise.app.ask('seed', { lanes, events: 1000 })
    },
  },
  {
    id: 'K1.4',
    title: 'POSTs of 100 events in all, each event to 100 endpoints that answer in 100 ms',
    noisy: FAMILY,
    againMs: 5000,
    prepare: async (noise) => {
      await create(noise, 100, { url: noise.url('after/100') })
      const events = Math.round(100 / noise.workspaces.length)
      return async () => {
        await Promise.all(noise.workspaces.map((workspaceId) => noise.app.ask('post', { workspaceId, events })))
      }
    },
  },
  {
    id: 'K1.5',
    title: 'a burst of 20,000 events in all, to endpoints that answer in 30 ms',
    noisy: FAMILY,
    againMs: 5000,
    prepare: async (noise) => {
      const lanes = await create(noise, 1, { url: noise.url('after/30') })
      return () => noise.app.ask('seed', { lanes, events: 20_000 })
    },
  },
  {
    id: 'K1.6',
    title: '100,000 held rows, then their endpoint is enabled',
    noisy: [1],
    longestMs: 200,
    prepare: async (noise) => {
      const lane = await oneLane(noise)
      await noise.app.ask('enable', { ...lane, isEnabled: false })
      await noise.app.ask('fill', { ...lane, kind: 'pending', count: heldRows(noise) })
      // Held by the workers that claim them.
      await untilHeld(noise)
      return () => noise.app.ask('enable', { ...lane, isEnabled: true })
    },
  },
  ...[8, 16].map((silent): Scenario => ({
    id: 'K1.7',
    title: `${silent} endpoints of B's own workspace that never answer, beside its 20 healthy ones`,
    noisy: [1],
    isSilent: true,
    healthy: 10,
    everyMs: 500,
    factor: 1.5,
    prepare: async (noise) => async () => {
      await create(noise, silent, { url: noise.url('silent') })
    },
  })),
  {
    id: 'K1.8',
    title: 'an event to 10,000 endpoints, again each 5 s',
    noisy: [1],
    againMs: 5000,
    prepare: async (noise) => {
      await create(noise, noise.quick ? 1000 : 10_000, { url: noise.url('after/0') })
      return () => publishInEach(noise)
    },
  },
  {
    id: 'K1.9',
    title: 'a receiver that answers 429 beyond one a second, a backlog of 2,000',
    noisy: [1],
    prepare: async (noise) => {
      const lanes = await create(noise, 1, { url: noise.url('throttle/1') })
      return () => noise.app.ask('seed', { lanes, events: 2000 })
    },
  },
  {
    id: 'K1.10',
    title: 'a receiver that answers 500 to one type, 1,000 of it before 1,000 others',
    noisy: [1],
    prepare: async (noise) => {
      const lanes = await create(noise, 1, { url: noise.url('picky') })
      return async () => {
        await noise.app.ask('seed', { lanes, events: 1000, type: 'bad' })
        await noise.app.ask('seed', { lanes, events: 1000 })
      }
    },
  },
  ...[100_000, 1_000_000].map((count): Scenario => ({
    id: 'K1.11',
    title: `a replay of ${count.toLocaleString('en')} failed deliveries`,
    noisy: [1],
    besideMs: 30_000,
    prepare: async (noise) => {
      const lane = await oneLane(noise)
      await noise.app.ask('fill', { ...lane, kind: 'failed', count: noise.quick ? count / 10 : count })
      let begun = false
      return async () => {
        // Measured alone, A goes on with what is left.
        if (!begun) await noise.app.ask('replay', lane)
        begun = true
      }
    },
  })),
]

function heldRows({ quick }: Noise): number {
  return quick ? 10_000 : 100_000
}

const HELD_WITHIN_MS = 60_000

async function untilHeld(noise: Noise): Promise<void> {
  const end = performance.now() + HELD_WITHIN_MS
  while ((await noise.app.ask('held')) < heldRows(noise)) {
    if (performance.now() > end) throw new Error('the rows of the disabled endpoint were not held in time')
    await delay(50)
  }
}

interface NoisyEndpoint {
  url: string
  deadlineMs?: number
  concurrency?: number
}

/** Creates endpoints in each of A's workspaces; returns their lanes, one workspace after the other in turn. */
async function create({ app, workspaces }: Noise, count: number, endpoint: NoisyEndpoint): Promise<LaneRef[]> {
  const lanes: LaneRef[] = []
  for (const workspaceId of workspaces) {
    const endpoints = Array.from({ length: count }, (_, number) => ({ ...endpoint, url: `${endpoint.url}/${number}` }))
    const ids = await app.ask('create', { workspaceId, endpoints })
    lanes.push(...ids.map((endpointId) => ({ workspaceId, endpointId })))
  }
  return lanes
}

async function oneLane(noise: Noise): Promise<LaneRef> {
  const [lane] = await create(noise, 1, { url: noise.url('after/0') })
  if (!lane) throw new Error('A has no endpoint')
  return lane
}

async function publishInEach({ app, workspaces }: Noise): Promise<void> {
  await Promise.all(workspaces.map((workspaceId) => app.ask('publish', { workspaceId })))
}
