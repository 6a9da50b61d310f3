import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { unholdEvents } from '../hold.ts'
import { settleEvents } from '../settle.ts'
import { sweepPendingEvents } from '../sweep.ts'
import { type Holds, MINUTE, T, claimOne, findAll, keep, keepClaimed, row } from './fixtures.ts'

/** Keeps `count` rows of one endpoint and holds them; returns their ids. */
async function keepHeld(db: OutboxDatabase, count: number, endpointId: string): Promise<string[]> {
  const ids = await keep(db, count, { endpointId })
  const { claims } = await claimDueEvents(db, { limit: 1000, now: T })
  await settleEvents(
    db,
    claims.map((claim) => ({ settle: 'hold', claim, reason: 'blocked' })),
  )
  return ids
}

export function holdPromises(holds: Holds): void {
  holds('a held row keeps its reason, is charged nothing and is not settled', async ({ db }) => {
    const claim = await keepClaimed(db)
    const { lost } = await settleEvents(db, [{ settle: 'hold', claim, reason: 'circuit_open', error: 'http_500' }], {
      now: T,
    })
    expect(lost).toEqual([])
    expect(await row(db, claim.id)).toMatchObject({
      status: 'held',
      holdReason: 'circuit_open',
      attempts: 0,
      gen: 2,
      dueAt: null,
      claimedAt: null,
      completedAt: null,
      lastError: 'http_500',
    })
  })

  holds('neither a claim nor a sweep takes a held row', async ({ db }) => {
    await keepHeld(db, 1, 'ep_1')
    expect((await claimDueEvents(db, { limit: 5, now: T + MINUTE })).claims).toEqual([])
    expect((await sweepPendingEvents(db, { firstSends: 'all', now: T + MINUTE })).events).toEqual([])
  })

  holds('a row let out is due now under a new gen, its attempts as they were', async ({ db, rival }) => {
    const [id = ''] = await keepHeld(db, 1, 'ep_1')
    expect(await unholdEvents(rival, 'ep_1', { now: T + 5 })).toEqual({ count: 1, more: false })
    expect(await row(db, id)).toMatchObject({ status: 'pending', holdReason: null, attempts: 0, gen: 3, dueAt: T + 5 })
    expect(await claimOne(db, T + 5)).toMatchObject({ id, attempts: 1, gen: 4 })
  })

  holds('rows are let out oldest first, at most as many as asked for', async ({ db }) => {
    const ids = await keepHeld(db, 5, 'ep_1')
    expect(await unholdEvents(db, 'ep_1', { limit: 2, now: T })).toEqual({ count: 2, more: true })
    expect((await findAll(db)).filter(({ status }) => status === 'pending').map(({ id }) => id)).toEqual(
      ids.slice(0, 2),
    )
    expect(await unholdEvents(db, 'ep_1', { limit: 10, now: T })).toEqual({ count: 3, more: false })
    expect(await unholdEvents(db, 'ep_1', { limit: 10, now: T })).toEqual({ count: 0, more: false })
  })

  holds("another endpoint's rows stay held", async ({ db }) => {
    await keepHeld(db, 2, 'ep_1')
    const others = await keepHeld(db, 2, 'ep_2')
    await unholdEvents(db, 'ep_1', { now: T })
    expect((await findAll(db)).filter(({ status }) => status === 'held').map(({ id }) => id)).toEqual(others)
  })

  holds('two that let out at once let each row out once', async ({ db, rival }) => {
    await keepHeld(db, 20, 'ep_1')
    const [mine, theirs] = await Promise.all([db, rival].map((one) => unholdEvents(one, 'ep_1', { limit: 15, now: T })))
    expect((mine?.count ?? 0) + (theirs?.count ?? 0)).toBe(20)
    expect((await findAll(db)).map(({ gen }) => gen)).toEqual(Array.from({ length: 20 }, () => 3))
  })
}
