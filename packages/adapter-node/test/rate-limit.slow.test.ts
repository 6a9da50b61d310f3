import { describe, expect, it } from 'vitest'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, rig, until } from './rig.ts'

// The safety poll comes after a minute, longer than any of these tests waits.
describe('an endpoint with a backlog under a rate limit', { timeout: PATIENCE_MS }, () => {
  it.each([
    [4, 'second'],
    [10_000, 'hour'],
  ] as const)('of %d per %s goes from one slot time to the next', async (rateLimit, ratePeriod) => {
    const receiver = await startReceiver()
    const { engine, queue, addEndpoint, publish, rows } = await rig()
    await addEndpoint(receiver.url, { rateLimit, ratePeriod })
    await publish(30)
    await queue.start(engine)
    await receiver.arrived(30)
    await until(() => rows().length === 0)
    expect(new Set(receiver.requests.map(({ id }) => id)).size).toBe(30)
  })
})
