import type { DeliveryWithAttempts, Engine, WorkspaceScope } from '@keepsend/engine'

/** A delivery with its attempts and its body. */
export interface FoundDelivery {
  delivery: DeliveryWithAttempts
  /** Null: its row is gone, because it was delivered. */
  payload: string | null
  contentType: string | null
}

/** @throws {EngineError} `not_retained`: it is not stored, or belongs to another workspace */
export async function findDelivery(engine: Engine, scope: WorkspaceScope, id: string): Promise<FoundDelivery> {
  const delivery = await engine.deliveries.getWithAttempts(scope, id)
  const { payload, contentType } = await engine.deliveries.get(scope, id)
  return { delivery, payload, contentType }
}

export function eventIdOf({ id, endpointId }: { id: string; endpointId: string | null }): string {
  return endpointId === null ? id : id.slice(0, -endpointId.length - 1)
}

/** The event id at the beginning of an id; undefined for a text that is no id. */
export function eventIdIn(q: string | undefined): string | undefined {
  return /^evt_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}/.exec(q?.trim() ?? '')?.[0]
}
