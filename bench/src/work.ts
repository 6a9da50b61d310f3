import { newEventId } from '@keepsend/outbox'

/** Events that each process sends before its clock starts, so that compiling is not what is measured. */
export const WARM_UP = 10_000

/** What every contender sends: a 500-byte JSON event under a fresh id. */
export function payloadOf(index: number): string {
  return JSON.stringify({
    type: 'message.created',
    timestamp: '2026-11-23T12:00:00.000Z',
    data: { index, text: 'x'.repeat(500 - 94 - String(index).length) },
  })
}

/** A row for one endpoint, as a fan-out would have made it. */
export function eventFor(endpointId: string, index: number) {
  return { eventId: newEventId(), endpointId, workspaceId: 'bench', type: 'message.created', payload: payloadOf(index) }
}

/** Milliseconds that a piece of work took. */
export async function timed(work: () => Promise<void>): Promise<number> {
  const start = performance.now()
  await work()
  return performance.now() - start
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b)
  const middle = sorted.length >> 1
  return sorted.length % 2 === 1 ? (sorted[middle] ?? 0) : ((sorted[middle - 1] ?? 0) + (sorted[middle] ?? 0)) / 2
}
