import type { CreateErasureDeps } from './erasures/create-erasure.ts'
import { type IdempotentErasing, createErasing } from './erasures/erasure-store.ts'
import type { CreateReplayDeps } from './replays/create-replay.ts'
import { type IdempotentReplayStore, createReplayStore } from './replays/replay-store.ts'

/** The parts of an engine that make durable jobs; its worker steps them. */
export function createJobStores({
  db,
  ...deps
}: CreateReplayDeps & CreateErasureDeps): { replays: IdempotentReplayStore } & IdempotentErasing {
  return { replays: createReplayStore(db, deps), ...createErasing(db, deps) }
}
