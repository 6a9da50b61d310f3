import { expect } from 'vitest'
import { type ClaimResult, claimDueEvents, claimReadyEvents, nextDueEvent } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import { lineUpDueEvents, lookAtLanes } from '../lane.ts'
import type { LaneRef, LookOptions } from '../lane-ref.ts'
import { extendLease } from '../lease.ts'
import { replayEvents } from '../replay.ts'
import { settleEvents } from '../settle.ts'
import { sqlText } from '../statement.ts'
import {
  type Holds,
  MINUTE,
  SECOND,
  T,
  everyOutcome,
  find,
  findAll,
  insertClaimed,
  insertRows,
  moved,
  row,
  rowOf,
} from './fixtures.ts'

const LANE = { workspaceId: 'ws_1', endpointId: 'ep_1' }

/** The lanes of a look, as `workspace endpoint`. */
async function look(db: OutboxDatabase, options: LookOptions = {}): Promise<string[]> {
  return (await lookAtLanes(db, options)).lanes.map(nameOf).sort()
}

const nameOf = ({ workspaceId, endpointId }: LaneRef): string => `${workspaceId} ${endpointId}`
/** The order of these texts is that of the bytes. */
const bytesOf = (name: string): string => String.fromCharCode(...new TextEncoder().encode(name))
const idsOf = ({ claims }: ClaimResult): string[] => claims.map(({ id }) => id)

/** A claim whose lease has expired by the database's clock. */
async function insertExpired(db: OutboxDatabase, parts: Parameters<typeof insertClaimed>[1] = {}) {
  return insertClaimed(db, { due: 1, ...parts }, 1)
}

export function lanePromises(holds: Holds): void {
  holds('a row that may go now is in its lane, one that waits for a time or a queue is in none', async ({ db }) => {
    await insertRows(db, 2, { due: 'now' })
    await insertRows(db, 1, { due: 1, endpointId: 'ep_past' })
    await insertRows(db, 1, { due: T, endpointId: 'ep_later' })
    await insertRows(db, 1, { due: 'dispatched', endpointId: 'ep_queue' })
    expect(await look(db)).toEqual(['ws_1 ep_1', 'ws_1 ep_past'])
    expect((await lookAtLanes(db)).dueAt).toBe(T)
    expect((await findAll(db)).map(({ ready }) => ready)).toEqual([1, 1, 1, 0, 0])
  })

  holds('rows without an endpoint are in a lane as well', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { due: 'now', endpointId: undefined })
    const { lanes } = await lookAtLanes(db)
    expect(lanes).toEqual([{ workspaceId: 'ws_1', endpointId: '' }])
    const claimed = await claimReadyEvents(db, { lanes: lanes.map((lane) => ({ ...lane, count: 5 })) })
    expect(idsOf(claimed)).toEqual([id])
  })

  holds(
    'a look returns a bounded number of lanes of each workspace, and continues after the last workspace',
    async ({ db }) => {
      const names = ['Ä', 'z', '~', 'a', 'B', 'x'.repeat(255), '語', '𝄞']
      for (const workspaceId of names) await insertRows(db, 1, { due: 'now', workspaceId })
      // By their bytes, on every database; in JavaScript by code points, which differs for one beyond the basic plane.
      const sorted = names.toSorted((one, other) => (bytesOf(one) < bytesOf(other) ? -1 : 1))
      const seen: string[] = []
      for (let after = ''; seen.length < 20;) {
        const { lanes, next } = await lookAtLanes(db, { workspaces: 3, after })
        seen.push(...lanes.map(({ workspaceId }) => workspaceId))
        after = next
      }
      expect(seen.slice(0, 16)).toEqual([...sorted, ...sorted])
      expect(await look(db, { after: 'nobody', workspaces: 1 })).toEqual([`${'x'.repeat(255)} ep_1`])
    },
  )

  holds('a look at a workspace with more lanes continues after an endpoint', async ({ db }) => {
    for (const endpointId of ['ep_3', 'ep', 'ep_1', 'ep-1', 'ep_22'])
      await insertRows(db, 1, { due: 'now', endpointId })
    await insertRows(db, 1, { due: 'now', workspaceId: 'ws_2' })
    expect(await look(db, { endpoints: 2 })).toEqual(['ws_1 ep', 'ws_1 ep-1', 'ws_2 ep_1'])
    const behind = { ws_1: 'ep-1', other: 'x' }
    expect(await look(db, { endpoints: 2, behind })).toEqual(['ws_1 ep_1', 'ws_1 ep_22', 'ws_2 ep_1'])
    expect(await look(db, { endpoints: 2, behind: { ws_1: 'ep_22' } })).toEqual(['ws_1 ep_3', 'ws_2 ep_1'])
  })

  holds('a look at some workspaces returns their lanes and no others', async ({ db }) => {
    for (const workspaceId of ['ws_1', 'Ä', '語']) await insertRows(db, 1, { due: 'now', workspaceId })
    await insertRows(db, 1, { due: 'now', endpointId: 'ep_2' })
    expect(await look(db, { only: ['ws_1', 'nobody', '語'] })).toEqual(['ws_1 ep_1', 'ws_1 ep_2', '語 ep_1'])
    expect(await look(db, { only: ['ws_1'], behind: { ws_1: 'ep_1' }, after: 'ws_2' })).toEqual(['ws_1 ep_2'])
    expect((await lookAtLanes(db, { only: ['ws_1', '語'], workspaces: 1 })).next).toBe('')
    expect(await look(db, { only: [] })).toHaveLength(4)
  })

  holds('a claim as a sweep counts no attempt, leaves no mark, and returns its rows apart', async ({ db }) => {
    const ids = await insertRows(db, 3, { due: 'now' })
    const { lost, claimed } = await settleEvents(db, [], {
      claim: { lanes: [{ ...LANE, count: 2 }], as: 'sweep', leaseMs: MINUTE },
    })
    expect([lost, claimed.claims, claimed.exhausted]).toEqual([[], [], []])
    expect(claimed.swept?.map(moved)).toMatchObject(
      ids.slice(0, 2).map((id) => ({ id, gen: 1, attempts: 0, crashes: 0, claimedAt: null })),
    )
    for (const { dueAt, createdAt } of claimed.swept ?? []) expect(dueAt).toBeGreaterThanOrEqual(createdAt + MINUTE)
    expect(await look(db)).toEqual(['ws_1 ep_1'])
  })

  holds('a claim takes the requested number of rows from each lane, oldest event first', async ({ db }) => {
    const first = await insertRows(db, 5, { due: 'now' })
    const second = await insertRows(db, 3, { due: 'now', endpointId: 'ep_2' })
    const third = await insertRows(db, 2, { due: 'now', workspaceId: 'ws_2' })
    const lanes = [
      { ...LANE, count: 2 },
      { workspaceId: 'ws_1', endpointId: 'ep_2', count: 10 },
      { workspaceId: 'ws_2', endpointId: 'ep_1', count: 1 },
      { workspaceId: 'ws_3', endpointId: 'ep_1', count: 1 },
    ]
    const claimed = await claimReadyEvents(db, { lanes, leaseMs: MINUTE })
    expect(idsOf(claimed)).toEqual([...first.slice(0, 2), ...second, ...third.slice(0, 1)])
    for (const claim of claimed.claims) {
      expect(moved(claim)).toMatchObject({ gen: 1, attempts: 1, dueAt: (claim.claimedAt ?? 0) + MINUTE })
    }
    expect(await look(db)).toEqual(['ws_1 ep_1', 'ws_2 ep_1'])
  })

  holds('a claim of due rows leaves rows in line, and a claim of lanes leaves due rows', async ({ db }) => {
    const inLine = await insertRows(db, 2, { due: 'now' })
    const due = await insertRows(db, 2, { due: T })
    expect(idsOf(await claimReadyEvents(db, { due: 10, now: T }))).toEqual(due)
    expect(idsOf(await claimReadyEvents(db, { lanes: [{ ...LANE, count: 10 }] }))).toEqual(inLine)
    expect(await claimReadyEvents(db, {})).toEqual({ claims: [], exhausted: [] })
  })

  holds('concurrent claims of the same lanes get disjoint rows, each its share while rows last', async (both) => {
    const ids = [
      ...(await insertRows(both.db, 40, { due: 'now' })),
      ...(await insertRows(both.db, 40, { due: 'now', endpointId: 'ep_2' })),
    ]
    const lanes = ['ep_1', 'ep_2'].map((endpointId) => ({ workspaceId: 'ws_1', endpointId, count: 5 }))
    const taken = await Promise.all(
      Array.from({ length: 10 }, async (_, n) =>
        idsOf(await claimReadyEvents(n % 2 ? both.db : both.rival, { lanes })),
      ),
    )
    expect(taken.flat().sort()).toEqual(ids.sort())
    expect(idsOf(await claimReadyEvents(both.db, { lanes }))).toEqual([])
  })

  holds('claimDueEvents takes from all workspaces in turn, whatever the backlog of one', async ({ db }) => {
    await insertRows(db, 100, { due: 'now', workspaceId: 'ws_a' })
    await insertRows(db, 100, { due: T, workspaceId: 'ws_a' })
    const mine = await insertRows(db, 2, { due: 'now', workspaceId: 'ws_b' })
    const claimed = idsOf(await claimDueEvents(db, { limit: 20, now: T }))
    expect(claimed).toHaveLength(20)
    expect(claimed).toEqual(expect.arrayContaining(mine))
    const rest = idsOf(await claimDueEvents(db, { limit: 1000, now: T }))
    expect(rest).toHaveLength(182)
  })

  holds(
    'putting a row in line changes nothing else: its claim stays current, and its late settle counts once',
    async ({ db, rival }) => {
      for (const outcome of everyOutcome({ id: '', gen: 0 })) {
        const claim = await insertExpired(db)
        const waiting = await insertRows(db, 1, { due: T })
        expect(await lineUpDueEvents(rival)).toBe(1)
        expect(await lineUpDueEvents(rival)).toBe(0)
        expect(await row(db, claim.id)).toEqual({ ...rowOf(claim), ready: 1 })
        const { lost } = await settleEvents(db, [{ ...outcome, claim }])
        const left = await find(db, claim.id)
        expect([outcome.settle, lost, left?.ready ?? 0]).toEqual([
          outcome.settle,
          [],
          outcome.settle === 'release' ? 1 : 0,
        ])
        expect(await lookAtLanes(db)).toMatchObject({ lanes: outcome.settle === 'release' ? [LANE] : [] })
        await db.run(sqlText`delete from pending_events where id in (${claim.id}, ${waiting[0] ?? ''})`)
      }
    },
  )

  holds('a late settle is lost when the row was put in line and claimed by another worker', async ({ db, rival }) => {
    const claim = await insertExpired(db)
    await lineUpDueEvents(db)
    const { claims } = await claimReadyEvents(rival, { lanes: [{ ...LANE, count: 1 }] })
    expect(claims.map(moved)).toMatchObject([{ id: claim.id, gen: 2, crashes: 1, attempts: 1 }])
    for (const outcome of everyOutcome(claim)) {
      expect((await settleEvents(db, [outcome])).lost).toEqual([claim])
    }
    expect(await row(db, claim.id)).toEqual(rowOf(claims[0]))
  })

  holds('a heartbeat takes a row out of line, and a row with a live owner is never in line', async ({ db, rival }) => {
    const claim = await insertExpired(db)
    expect(await lineUpDueEvents(rival)).toBe(1)
    expect(await extendLease(db, [claim], MINUTE)).toEqual([])
    expect(moved(await row(db, claim.id))).toMatchObject({ ready: 0, gen: 1 })
    expect(await lineUpDueEvents(rival)).toBe(0)
    expect(idsOf(await claimReadyEvents(rival, { lanes: [{ ...LANE, count: 1 }] }))).toEqual([])
  })

  for (const outcome of [{ settle: 'complete' }, { settle: 'fail', error: 'e' }] as const) {
    holds(`a commit that settles a row in line does not claim it again (${outcome.settle})`, async ({ db }) => {
      const claim = await insertExpired(db)
      await lineUpDueEvents(db)
      const [next = ''] = await insertRows(db, 1, { due: 'now' })
      const { lost, claimed } = await settleEvents(db, [{ ...outcome, claim }], {
        claim: { lanes: [{ ...LANE, count: 10 }] },
      })
      expect([lost, idsOf(claimed)]).toEqual([[], [next]])
    })
  }

  holds('two processes put the same rows in line once', async ({ db, rival }) => {
    for (let n = 0; n < 20; n++) await insertExpired(db)
    const counts = await Promise.all([lineUpDueEvents(db, { limit: 15 }), lineUpDueEvents(rival, { limit: 15 })])
    expect(counts.reduce((sum, one) => sum + one, 0)).toBe(20)
    expect((await findAll(db)).map(({ ready }) => ready)).toEqual(Array.from({ length: 20 }, () => 1))
  })

  holds('a replayed row is in line, and the next due time is that of a waiting row', async ({ db }) => {
    const claim = await insertClaimed(db)
    await settleEvents(db, [{ settle: 'fail', claim, error: 'e' }])
    await replayEvents(db, { ids: [claim.id] })
    expect(await look(db)).toEqual(['ws_1 ep_1'])
    expect((await nextDueEvent(db)).dueAt).toBeNull()
    await insertRows(db, 1, { due: T + SECOND })
    expect((await nextDueEvent(db)).dueAt).toBe(T + SECOND)
  })

  holds('a claim or a look refuses a number of lanes, rows or endpoints out of bounds by name', async ({ db }) => {
    const wrong = [
      claimReadyEvents(db, { lanes: [{ ...LANE, count: 0 }] }),
      claimReadyEvents(db, { lanes: Array.from({ length: 1001 }, () => ({ ...LANE, count: 1 })) }),
      claimReadyEvents(db, { due: 1001 }),
      lookAtLanes(db, { workspaces: 0 }),
      lookAtLanes(db, { endpoints: 1001 }),
      lineUpDueEvents(db, { limit: 10_001 }),
    ]
    for (const one of wrong) await expect(one).rejects.toMatchObject({ code: 'invalid_option' })
  })
}
