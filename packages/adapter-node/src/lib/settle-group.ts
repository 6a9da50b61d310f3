import { type Engine, errorFields } from '@keepsend/engine'
import { type ClaimOptions, OutboxError, type Settled } from '@keepsend/outbox'
import type { Finished, Slots } from './slots.ts'

/**
 * Commits what has finished, and the next claim with it. If that is refused: without the claim; and if the storage is
 * well and refuses the group for one of its rows, row by row, so one bad row cannot hold its neighbours. What is not
 * committed stays in hand, to be tried again.
 *
 * @throws what the storage said, when it is the storage that refuses
 */
export async function settleGroup(
  engine: Engine,
  slots: Slots,
  finished: readonly Finished[],
  claim: ClaimOptions | undefined,
): Promise<Settled> {
  try {
    return settled(
      engine,
      slots,
      finished,
      await engine.settle(finished, claim, (id, makesRoom) => slots.roomFor(id, makesRoom)),
    )
  } catch (error) {
    if (finished.length === 0) throw error
    engine.logger.warn({ ...errorFields(error), outcomes: finished.length }, 'outcomes were refused; trying them apart')
  }
  try {
    return settled(engine, slots, finished, await engine.settle(finished))
  } catch (error) {
    // Not row by row: each would wait as long for the same refusal.
    if (error instanceof OutboxError) throw error
  }
  for (const one of finished) {
    try {
      settled(engine, slots, [one], await engine.settle([one]))
    } catch (error) {
      if (error instanceof OutboxError) throw error
      abandon(engine, slots, one, error)
    }
  }
  return { lost: [], claimed: { claims: [], dead: [] } }
}

function settled(engine: Engine, slots: Slots, finished: readonly Finished[], result: Settled): Settled {
  slots.settled(finished)
  for (const id of result.lost) {
    engine.logger.warn({ deliveryId: id }, 'a settle came too late: another worker has the delivery')
  }
  return result
}

/** The storage is well and refuses this row (a trigger of the host's, say): it would every time, and hold up the rest. */
function abandon(engine: Engine, slots: Slots, one: Finished, error: unknown): void {
  slots.settled([one])
  engine.logger.error(
    { deliveryId: one.claim.id, outcome: one.outcome.kind, ...errorFields(error) },
    'an outcome was refused for itself; the delivery is due again when its lease ends',
  )
}
