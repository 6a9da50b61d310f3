import { expect, vi } from 'vitest'
import { type Holds, idsAt, onlyRow } from './fixtures.ts'

/** What becomes of a delivery that the queue has begun. */
export function attemptPromises(holds: Holds): void {
  holds('a row is settled after its receiver has answered, and the commit waits for neither', async (world) => {
    const { addEndpoint, publish, work, rows } = world
    const { answer, arrivals } = await addEndpoint()
    await answer('hold')
    await publish(1)
    const worked = work()
    await vi.waitFor(async () => expect(await arrivals()).toHaveLength(1), { timeout: 9000 })
    expect(await onlyRow(world)).toMatchObject({ status: 'pending' })
    await answer(200)
    await worked
    expect(await arrivals()).toHaveLength(1)
    expect(await rows()).toEqual([])
  })

  holds(
    'a failed attempt is made again under the same id, each charged once, until they are used up',
    async (world) => {
      const { addEndpoint, publish, work } = world
      const { answer, arrivals } = await addEndpoint()
      await answer(503)
      const [id] = await publish(1)
      await work()
      const made = await arrivals()
      expect(made).toHaveLength(3)
      expect(new Set(made.map((one) => one.id))).toEqual(new Set([id]))
      expect(new Set(made.map(({ body }) => body)).size).toBe(1)
      expect(await onlyRow(world)).toMatchObject({ status: 'failed', attempts: 3, lastStatus: 503 })
    },
  )

  holds('a retry is not made before its time', async (world) => {
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

  holds('nobody gets a second copy because somebody else failed', async (world) => {
    const { addEndpoint, publish, work } = world
    const [failing, fine] = [await addEndpoint(), await addEndpoint()]
    await failing.answer(503)
    // Nine failures: a tenth would open the circuit.
    const ids = await publish(3)
    await work()
    expect(await idsAt(fine)).toEqual(ids.toSorted())
    expect(await failing.arrivals()).toHaveLength(3 * ids.length)
  })
}
