import { type DeliveryWithAttempts, allWorkspaces } from '@keepsend/engine'
import type { Visit } from '../../site/visit.ts'

export interface FoundDelivery {
  delivery: DeliveryWithAttempts
  payload: string | null
  contentType: string | null
}

export async function findDelivery({ engine, param }: Visit): Promise<FoundDelivery> {
  const id = param('id')
  const delivery = await engine.deliveries.getWithAttempts(allWorkspaces, id)
  const { payload, contentType } = await engine.deliveries.get(allWorkspaces, id)
  return { delivery, payload, contentType }
}

export function eventIdOf({ id, endpointId }: { id: string; endpointId: string | null }): string {
  return endpointId === null ? id : id.slice(0, -endpointId.length - 1)
}
