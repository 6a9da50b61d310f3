import { enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { dispatching, idsOf, list, pages } from '../../../test/pages.ts'
import { type Rig, rig } from '../../../test/rig.ts'

const STATES = ['in line', 'in flight', 'waits', 'held', 'failed', 'completed'] as const

/** The columns of a row in each state. */
const SET: Record<(typeof STATES)[number], string> = {
  'in line': `ready = 1, due_at = 1`,
  'in flight': `due_at = 9000000000000, claimed_at = 1`,
  waits: `due_at = 9000000000000`,
  held: `status = 'held', hold_reason = 'replay', held_at = 1`,
  failed: `status = 'failed', completed_at = 1`,
  completed: `status = 'completed', completed_at = 1`,
}

/** Inserts rows of one event each, oldest first, and returns their ids. */
async function insert(
  { db, exec }: Pick<Rig, 'db' | 'exec'>,
  parts: { count: number; workspaceId?: string; endpointId?: string; type?: string; state?: keyof typeof SET },
): Promise<string[]> {
  const { count, workspaceId = 'w1', endpointId = 'ep_1', type = 'a.b', state } = parts
  const ids: string[] = []
  for (let left = count; left > 0; left -= 1000) {
    const events = Array.from({ length: Math.min(left, 1000) }, () => ({
      eventId: newEventId(),
      endpointId,
      workspaceId,
      type,
      payload: '{}',
      due: 'dispatched' as const,
    }))
    ids.push(...(await enqueueEvents(db, events)).map(({ id }) => id).sort())
  }
  if (state) {
    await exec(`update pending_events set ${SET[state]} where id >= ? and id <= ?`, ids[0] ?? '', ids.at(-1) ?? '')
  }
  return ids
}

/** Rows in every state, of two endpoints, between rows of another workspace. */
async function filled(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  const byState: Record<string, string[]> = {}
  for (let round = 0; round < 3; round++) {
    for (const state of STATES) {
      for (const endpointId of ['ep_1', 'ep_2']) {
        ;(byState[state] ??= []).push(...(await insert(made, { count: 2, endpointId, state })))
        await insert(made, { count: 2, workspaceId: 'w2', endpointId: 'ep_3', state })
      }
    }
  }
  const ids = Object.values(byState).flat().sort().reverse()
  return { ...made, byState, ids }
}

describe.each([
  ['an engine whose rows stand in line', {}],
  ['an engine whose rows are dispatched', dispatching],
])('the list of deliveries of %s', (_, options) => {
  it('shows every row in any state once, newest first, in pages of any size', async () => {
    const { engine, ids } = await filled(options)
    for (const limit of [1, 5, 36, 71, 72, 73, 1000]) {
      const found = await list(engine, { limit })
      expect(idsOf(found), `limit ${limit}`).toEqual(ids)
      expect(found.every(({ complete }) => complete)).toBe(true)
      expect(found).toHaveLength(Math.ceil(ids.length / limit))
    }
  })

  it('filters by state and by endpoint', async () => {
    const { engine, byState, ids, rows } = await filled(options)
    const all = await rows()
    for (const state of ['held', 'failed', 'completed'] as const) {
      expect(idsOf(await list(engine, { limit: 5, status: state }))).toEqual(byState[state]?.toReversed())
    }
    const pending = ids.filter((id) => all.some((row) => row.id === id && row.status === 'pending'))
    expect(idsOf(await list(engine, { limit: 5, status: 'pending' }))).toEqual(pending)
    const wanted = ids.filter((id) => id.endsWith('.ep_2'))
    expect(idsOf(await list(engine, { limit: 5, endpointId: 'ep_2' }))).toEqual(wanted)
  })

  it('shows each event once with its counts', async () => {
    const { engine, ids } = await filled(options)
    const found = await pages((before) => engine.deliveries.listEvents('w1', { limit: 7, before }))
    expect(idsOf(found)).toEqual(ids.map((id) => id.split('.')[0]))
    expect(
      found.flatMap(({ rows }) => rows).every((one) => one.pending + one.held + one.completed + one.failed === 1),
    ).toBe(true)
  })

  it('reads no payload', async () => {
    const { engine, ids } = await filled(options)
    const [first] = (await engine.deliveries.list('w1', { limit: 1 })).rows
    expect(first).not.toHaveProperty('payload')
    const event = await engine.deliveries.listByEvent('w1', ids[0]?.split('.')[0] ?? '')
    expect([event.payload, event.deliveries.some((one) => 'payload' in one)]).toEqual(['{}', false])
  })
})

describe('a search that does not fill a page', () => {
  it('ends after 2,000 rows, says so, and continues behind them', async () => {
    const made = await rig()
    const [wanted = ''] = await insert(made, { count: 1, type: 'rare', state: 'failed' })
    await insert(made, { count: 2500, type: 'common', state: 'failed' })
    const found = await list(made.engine, { limit: 10, type: 'rare' })
    expect(found.map(({ rows, complete }) => [rows.map(({ id }) => id), complete])).toEqual([
      [[], false],
      [[wanted], true],
    ])
  })

  it('ends after 2,000 rows of the lanes too', async () => {
    const made = await rig()
    const [wanted = ''] = await insert(made, { count: 1, type: 'rare', state: 'in line' })
    await insert(made, { count: 2500, type: 'common', state: 'in line' })
    await insert(made, { count: 10, type: 'common', endpointId: 'ep_2', state: 'in line' })
    const found = await list(made.engine, { limit: 10, type: 'rare' })
    expect([found.length > 1, found[0]?.complete, idsOf(found)]).toEqual([true, false, [wanted]])
  })

  it('ends after 2,000 keys of other workspaces if rows are dispatched, unless the index by workspace exists', async () => {
    const made = await rig(dispatching)
    const [wanted = ''] = await insert(made, { count: 1 })
    await insert(made, { count: 2500, workspaceId: 'w2' })
    const found = await list(made.engine, { limit: 10 })
    expect(found.map(({ rows, complete }) => [rows.length, complete])).toEqual([
      [0, false],
      [1, true],
    ])
    expect((await made.engine.deliveries.listEvents('w1', { limit: 10 })).complete).toBe(false)

    await made.exec('create index pending_events_workspace on pending_events (workspace_id, id)')
    const { engine } = await rig({ ...dispatching, on: { db: made.db, select: made.select, readOnly: made.readOnly } })
    const indexed = await list(engine, { limit: 10 })
    expect([idsOf(indexed), indexed.map(({ complete }) => complete)]).toEqual([[wanted], [true]])

    await made.exec('drop index pending_events_workspace')
    expect(idsOf(await list(engine, { limit: 10 }))).toEqual([wanted])
  })

  it('says so if more rows are due first than it reads to find those in flight', async () => {
    const made = await rig()
    const [wanted = ''] = await insert(made, { count: 1, state: 'held' })
    expect((await made.engine.deliveries.list('w1', { limit: 10 })).complete).toBe(true)
    await insert(made, { count: 2000, workspaceId: 'w2', state: 'waits' })
    const page = await made.engine.deliveries.list('w1', { limit: 10 })
    expect(page).toMatchObject({ rows: [{ id: wanted }], next: undefined, complete: false })
  })

  it('continues within an event of which another workspace has rows', async () => {
    const { engine, db } = await rig(dispatching)
    const eventId = newEventId()
    const event = (workspaceId: string, endpointId: string) => ({
      eventId,
      workspaceId,
      endpointId,
      type: 'a',
      payload: '{}',
    })
    const theirs = Array.from({ length: 2500 }, (_, n) => event('w2', `ep_2${String(n).padStart(4, '0')}`))
    await enqueueEvents(db, [event('w1', 'ep_1'), event('w1', 'ep_3'), ...theirs])
    const found = await pages((before) => engine.deliveries.listEvents('w1', { limit: 10, before }))
    expect(found.flatMap(({ rows }) => rows)).toMatchObject([{ id: eventId, pending: 2 }])
  })
})

describe('an event', () => {
  it('is shown with its first 1,000 deliveries, and says if there are more', async () => {
    const { engine, db } = await rig()
    const [eventId, key] = [newEventId(), (await engine.apiKeys.create({ workspaceId: 'w1' })).key]
    const ask = async () => {
      const answer = await engine.routes.request(`/events/${eventId}`, { headers: { authorization: `Bearer ${key}` } })
      const { deliveries, complete } = (await answer.json()) as { deliveries: unknown[]; complete?: false }
      return [deliveries.length, complete]
    }
    const row = (n: number) => ({ eventId, endpointId: `ep_${n}`, workspaceId: 'w1', type: 'a', payload: '{}' })
    await enqueueEvents(
      db,
      Array.from({ length: 1000 }, (_, n) => row(n)),
    )
    expect(await ask()).toEqual([1000, undefined])
    await enqueueEvents(db, [row(1000)])
    expect(await ask()).toEqual([1000, false])
    expect(idsOf(await list(engine, { limit: 1000, eventId }))).toHaveLength(1001)
  })
})

describe('a limit', () => {
  it('of a list in code is 1 to 1,000', async () => {
    const { engine } = await rig()
    for (const limit of [0, 1001, NaN]) {
      await expect(engine.deliveries.list('w1', { limit })).rejects.toMatchObject({ code: 'invalid_option' })
      await expect(engine.deliveries.listEvents('w1', { limit })).rejects.toMatchObject({ code: 'invalid_option' })
      await expect(engine.endpoints.list('w1', { limit })).rejects.toMatchObject({ code: 'invalid_option' })
    }
  })
})
