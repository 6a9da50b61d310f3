import { expect, vi } from 'vitest'
import { type Holds, idsAt, onlyRow } from './fixtures.ts'

/** Deliveries whose attempts the queue has begun. */
export function attemptPromises(holds: Holds): void {
  holds('settles a row only after its receiver has answered, and the commit waits for neither', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const { answer, arrivals } = await addEndpoint()
    await answer('hold')
    await publish(1)
    const drained = work()
    await vi.waitFor(async () => expect(await arrivals()).toHaveLength(1), { timeout: 9000 })
    expect(await onlyRow(world)).toMatchObject({ status: 'pending' })
    await answer(200)
    await drained
    expect(await arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  holds(
    'retries a failed attempt under the same id, counts each attempt once, and stops when they are exhausted',
    async (world) => {
      const { addEndpoint, publish, work } = world
      const { answer, arrivals } = await addEndpoint()
      await answer(503)
      const [id] = await publish(1)
      await work()
      const requests = await arrivals()
      expect(requests).toHaveLength(3)
      expect(new Set(requests.map((one) => one.id))).toEqual(new Set([id]))
      expect(new Set(requests.map(({ body }) => body)).size).toBe(1)
      expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 3, lastStatus: 503 })
    },
  )

  holds('makes no retry before its time', async (world) => {
    const { addEndpoint, publish, work } = world
    const { answer, arrivals } = await addEndpoint({ retrySchedule: [60] })
    await answer(503)
    await publish(1)
    await work()
    await work()
    expect(await arrivals()).toHaveLength(1)
    const { status, attempts, dueAt, createdAt } = await onlyRow(world)
    expect({ status, attempts }).toEqual({ status: 'pending', attempts: 1 })
    expect(dueAt).toBeGreaterThanOrEqual(createdAt + 60_000)
  })

  holds('sends no second copy to an endpoint because another endpoint failed', async (world) => {
    const { addEndpoint, publish, work } = world
    const [failing, healthy] = [await addEndpoint(), await addEndpoint()]
    await failing.answer(503)
    // Nine failures: a tenth would open the circuit.
    const ids = await publish(3)
    await work()
    expect(await idsAt(healthy)).toEqual(ids.toSorted())
    expect(await failing.arrivals()).toHaveLength(3 * ids.length)
  })
}
