import { expect } from 'vitest'
import type { OutboxEvent } from '../event.ts'
import type { OutboxDatabase } from '../database.ts'
import { replayEvents } from '../replay.ts'
import { completeEvent, failEvent, rescheduleEvent, settleEvents } from '../settle.ts'
import { type Holds, T, claimOne, find, findAll, insertClaimed, insertCompleted, insertRows, row } from './fixtures.ts'

async function keepFailed(db: OutboxDatabase, now = T, parts: Partial<OutboxEvent> = {}): Promise<string> {
  const claim = await insertClaimed(db, parts)
  await failEvent(db, claim, { error: 'http_404', httpStatus: 404, now })
  return claim.id
}

export function replayPromises(holds: Holds): void {
  holds('a replayed row starts again: pending, due now, attempts 0, under a new gen', async ({ db, rival }) => {
    const first = await insertClaimed(db)
    await rescheduleEvent(db, first, { dueAt: T, deferral: true })
    const claim = await claimOne(db)
    await failEvent(db, claim, { error: 'http_404', now: T })
    expect(await replayEvents(rival, { ids: [claim.id] }, { now: T + 9 })).toEqual({ ids: [claim.id], more: false })
    expect(await row(db, claim.id)).toMatchObject({
      status: 'pending',
      attempts: 0,
      deferrals: 0,
      crashes: 0,
      gen: claim.gen + 1,
      dueAt: T + 9,
      completedAt: null,
      claimedAt: null,
    })
    expect(await claimOne(db, T + 9)).toMatchObject({ id: claim.id, attempts: 1, gen: claim.gen + 2 })
  })

  holds('a completed row of an earlier version can be replayed, too', async ({ db }) => {
    const id = await insertCompleted(db)
    expect((await replayEvents(db, { status: 'completed' }, { now: T })).ids).toEqual([id])
    expect((await row(db, id)).status).toBe('pending')
  })

  holds('a replay skips pending, claimed and held rows', async ({ db }) => {
    const held = await insertClaimed(db)
    await settleEvents(db, [{ settle: 'hold', claim: held, reason: 'blocked' }])
    await insertClaimed(db)
    const ids = [...(await insertRows(db, 1)), ...(await insertRows(db, 1, { due: 'dispatched' }))]
    const before = await findAll(db)
    expect(await replayEvents(db, { ids: [...ids, ...before.map(({ id }) => id)] })).toEqual({ ids: [], more: false })
    expect(await findAll(db)).toEqual(before)
  })

  holds(
    'a replay takes at most its limit, oldest settlement first, and says whether there may be more',
    async ({ db }) => {
      const second = await keepFailed(db, T + 2)
      const first = await keepFailed(db, T + 1)
      const third = await keepFailed(db, T + 3)
      const one = await replayEvents(db, { status: 'failed' }, { limit: 2, now: T + 5 })
      expect([one.ids.sort(), one.more]).toEqual([[first, second].sort(), true])
      expect(await replayEvents(db, { status: 'failed' }, { limit: 2, now: T + 5 })).toEqual({
        ids: [third],
        more: false,
      })
    },
  )

  holds('a replay joins the conditions of its filter by and', async ({ db }) => {
    const wanted = await keepFailed(db, T + 5, { workspaceId: 'ws_2', endpointId: 'ep_2' })
    await keepFailed(db, T + 5, { workspaceId: 'ws_2', endpointId: 'ep_1' })
    await keepFailed(db, T + 5, { workspaceId: 'ws_1', endpointId: 'ep_2' })
    await keepFailed(db, T + 4, { workspaceId: 'ws_2', endpointId: 'ep_2' })
    await keepFailed(db, T + 6, { workspaceId: 'ws_2', endpointId: 'ep_2' })
    const filter = {
      workspaceId: 'ws_2',
      endpointId: 'ep_2',
      status: 'failed',
      settledAfter: T + 5,
      settledBefore: T + 6,
    } as const
    expect((await replayEvents(db, { ...filter, status: 'completed' })).ids).toEqual([])
    expect((await replayEvents(db, filter)).ids).toEqual([wanted])
  })

  holds('a replay without a filter is refused, an empty list of ids replays nothing', async ({ db }) => {
    const id = await keepFailed(db)
    await expect(replayEvents(db, {})).rejects.toMatchObject({ code: 'invalid_option' })
    // With one of them alone it would read the rows of all workspaces.
    for (const half of [{ workspaceId: 'ws_1' }, { endpointId: 'ep_1', status: 'failed' as const }]) {
      await expect(replayEvents(db, half)).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining('workspaceId and endpointId together') as string,
      })
    }
    expect(await replayEvents(db, { ids: [] })).toEqual({ ids: [], more: false })
    expect((await find(db, id))?.status).toBe('failed')
  })

  holds('a late settle of the life before the replay is lost', async ({ db }) => {
    const claim = await insertClaimed(db)
    await failEvent(db, claim, { error: 'e' })
    await replayEvents(db, { ids: [claim.id] }, { now: T })
    const replayed = await row(db, claim.id)
    expect(await completeEvent(db, claim)).toBe('lost')
    expect(await row(db, claim.id)).toEqual(replayed)
  })

  holds('two concurrent replays replay each row once', async ({ db, rival }) => {
    for (let count = 0; count < 12; count++) await keepFailed(db)
    const both = await Promise.all(
      [db, rival].map((one) => replayEvents(one, { status: 'failed' }, { limit: 8, now: T })),
    )
    const ids = both.flatMap((one) => one.ids).sort()
    expect(ids).toEqual((await findAll(db)).map(({ id }) => id))
  })
}
