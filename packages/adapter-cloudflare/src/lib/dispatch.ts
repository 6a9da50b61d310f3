import { messageFor } from '@keepsend/engine'
import { type EventState, releaseEvents } from '@keepsend/outbox'
import type { QueuePolicy } from './queue-policy.ts'

/**
 * Sends the messages of rows that were leased for it. Rows whose message the queue refuses are released immediately; if that
 * fails too, they are due when their leases expire.
 */
export async function dispatch(
  { engine, queue }: Pick<QueuePolicy, 'engine' | 'queue'>,
  rows: readonly EventState[],
): Promise<{ refused: number; errors: unknown[] }> {
  const { failed } = await queue.sendDelayed(rows.map((row) => ({ message: messageFor(row), delaySeconds: 0 })))
  const errors = failed.map(({ error }) => error)
  const refused = failed.flatMap(({ messages }) =>
    messages.map(({ outboxId = '', gen = 0 }) => ({ id: outboxId, gen })),
  )
  await releaseEvents(engine.db, refused).catch((error: unknown) => errors.push(error))
  return { refused: refused.length, errors }
}
