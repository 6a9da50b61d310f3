import type { PendingEvent } from '@keepsend/outbox'
import { type Rig, rig } from './rig.ts'

export const DAY = 86_400_000
export const event = { type: 'message.created', workspaceId: 'w1', data: { n: 1 } }

/** A whole number of seconds, so that every way to write it means the same. */
export const inDays = (days: number): Date => new Date(Math.ceil(Date.now() / 1000) * 1000 + days * DAY)

/** An engine with one endpoint. */
export async function ready(
  options: Parameters<typeof rig>[0] = {},
): Promise<Rig & { endpointId: string; row: () => Promise<PendingEvent> }> {
  const made = await rig(options)
  const { id: endpointId } = await made.addEndpoint()
  const row = async (): Promise<PendingEvent> => (await made.rows())[0] as PendingEvent
  return { ...made, endpointId, row }
}
