import { AssertionError } from 'node:assert'
import { type Published, check } from './lib/expectation.ts'

/**
 * Fails unless the engine of `createTestEngine` has published an event of this type, whose data has these properties.
 *
 * @throws {AssertionError} with the nearest published events and their differences
 * @example
 * await assertPublished(engine, 'message.created', { channel: 'general' })
 */
export async function assertPublished(engine: Published, type: string, data?: unknown): Promise<void> {
  const { pass, message } = await check(engine, { type, data })
  if (!pass) throw new AssertionError({ message, operator: 'assertPublished' })
}

/**
 * Fails unless exactly `times` such events were published; 0: none.
 *
 * @throws {AssertionError}
 */
export async function assertPublishedTimes(
  engine: Published,
  type: string,
  { times, data }: { times: number; data?: unknown },
): Promise<void> {
  const { pass, message } = await check(engine, { type, data, times })
  if (!pass) throw new AssertionError({ message, operator: 'assertPublishedTimes' })
}
