import { DurableEventQueue, createNodeSigner, createUndiciSender } from '@keepsend/adapter-node'
import { type Engine, type EngineOptions, createEngine, createKeyRing, silentLogger } from '@keepsend/engine'
import { type LaneRef, type OutboxDatabase, enqueueEvents, newEventId } from '@keepsend/outbox'
import { EVENT_TYPE, batches, payloadOf, textOf } from './event.ts'

/** One key ring for every process of a run: the process that creates an endpoint is not the one that delivers to it. */
export const BENCH_KEYS = createKeyRing('bench:YSBrZXkgb2YgdGhpcnR5LXR3byBieXRlcyBmb3IgaXQ=')

// Some workloads exceed the default limits of a workspace.
const LIMITS = { endpointsPerWorkspace: 100_000, deliveriesPerPublish: 1_000_000, waitingPerWorkspace: 10_000_000 }

/** Keepsend on Node as in its README; receivers are on this machine. */
export interface BenchEngine {
  engine: Engine
  queue: DurableEventQueue
  /** Commits rows, for these lanes in turn, as fan-outs would. */
  seed: (
    lanes: readonly LaneRef[],
    events: number,
    of?: { type?: string | undefined; bytes?: number | undefined },
  ) => Promise<void>
  /** Publishes one event; returns its id. */
  publish: (workspaceId: string, index: number) => Promise<string>
  close: () => Promise<void>
}

export function createBenchEngine(
  db: OutboxDatabase,
  { concurrency, history }: { concurrency?: number | undefined; history?: EngineOptions['history'] } = {},
): BenchEngine {
  const queue = new DurableEventQueue({ db, concurrency })
  const urlPolicy = { allowHttp: true, allowCidrs: ['127.0.0.0/8'], allowPorts: 'any' } as const
  const sender = createUndiciSender({ urlPolicy })
  const engine = createEngine({
    db,
    queue,
    sender,
    secrets: BENCH_KEYS,
    signer: createNodeSigner(),
    limits: LIMITS,
    history,
    logger: silentLogger,
  })
  return {
    engine,
    queue,
    async seed(lanes, events, { type = EVENT_TYPE, bytes } = {}) {
      const laneOf = (index: number): LaneRef => lanes[index % lanes.length] ?? { workspaceId: 'bench', endpointId: '' }
      for (const batch of batches(events)) {
        await enqueueEvents(
          db,
          batch.map((index) => ({
            ...laneOf(index),
            eventId: newEventId(),
            type,
            payload: payloadOf(index, { type, bytes }),
          })),
        )
      }
    },
    async publish(workspaceId, index) {
      const id = newEventId()
      const data = { index, text: textOf(index) }
      await engine.commit({ writes: [], events: [{ id, type: EVENT_TYPE, workspaceId, data }] })
      return id
    },
    close: () => sender.close(),
  }
}
