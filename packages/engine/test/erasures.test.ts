// Erasures: what each kind deletes, what stays, and that nothing comes back.
import { claimDueEvents, newEventId } from '@keepsend/outbox'
import { eventIdTime } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { type ErasureInput, insertQueuedEvent } from '../src/index.ts'
import { catalog, created } from './catalog-versions.ts'
import { erasureRig } from './erasures.ts'

const CANARY = 'canary-5d1f'
const OTHER = 'other-77aa'

/** Deliveries of w1 in each state and what belongs to them, each with the canary; and as many of w2, with another text. */
async function world() {
  let answer = 200
  const made = await erasureRig({
    answer: ({ url }) => ({ status: answer, body: `seen at ${url}` }),
    // Not while a slow test runs.
    retrySchedule: [3600],
  })
  const { engine } = made
  const fill = async (workspaceId: string, note: string) => {
    const { id } = await made.addEndpoint({ workspaceId, url: `https://${note}.example.com/`, description: note })
    const eventIds: string[] = []
    const publish = async (length = 10) => {
      const data = { note, long: `${note}${'x'.repeat(length)}` }
      eventIds.push((await engine.publish({ type: 'a', workspaceId, data })).eventId)
    }
    for (const length of [200, 2000, 60_000]) await publish(length)
    await made.work()
    answer = 400
    await publish()
    await made.work()
    answer = 500
    await publish()
    await made.work()
    answer = 200
    await engine.endpoints.setStatus(workspaceId, id, 'disabled', { by: note })
    await publish(2000)
    await engine.endpoints.setStatus(workspaceId, id, 'enabled')
    await publish()
    const response = { status: 200, body: { note, events: eventIds } }
    const idempotencyKey = { key: note, workspaceId, method: 'POST', route: '/x', body: '{}' }
    const commit = () =>
      engine.commit({ writes: [], events: [{ type: 'a', workspaceId, data: { note } }], response, idempotencyKey })
    eventIds.push(...(await commit()).eventIds)
    await engine.apiKeys.create({ workspaceId, name: note })
    await engine.workspaces.setRetention(workspaceId, { attemptsMs: 60_000_000 })
    await engine.replays.create(workspaceId, { what: 'ids', ids: [`${eventIds[3]}.${id}`] })
    return { endpointId: id, eventIds, commit }
  }
  const others = await fill('w2', OTHER)
  const mine = await fill('w1', CANARY)
  await engine.worker.maintain()
  return { ...made, mine, others }
}

type World = Awaited<ReturnType<typeof world>>

/** The rows of w2 in each table. */
const neighbours = (made: World) => made.matching((value) => value === 'w2' || String(value).includes(OTHER))

/** Erases, and expects that no row of the other workspace has changed. */
async function erase(made: World, input: ErasureInput) {
  const before = await neighbours(made)
  const plan = await made.engine.erase({ ...input, dryRun: true })
  expect(await made.count('keepsend_erasures')).toBe(0)
  const erased = await made.erase(input)
  expect(await neighbours(made)).toEqual(before)
  expect(erased).toMatchObject({ ...plan, dropped: plan.unsettled, deliveries: plan.planned, state: 'completed' })
  return erased
}

// Each looks at every table, several times.
const SLOW = { timeout: 180_000 }

describe('an erasure', SLOW, () => {
  it('of a workspace says first how many unsettled deliveries it drops, and leaves no row of it', async () => {
    const made = await world()
    expect(await made.found(CANARY)).toContain('keepsend_payloads')
    const erased = await erase(made, { workspaceId: 'w1', what: 'workspace' })
    // One had failed; one waited for its retry, and three had not been sent.
    expect(erased).toMatchObject({ planned: 5, unsettled: 4, attempts: 5, events: 8, answers: 1 })
    expect(await made.found(CANARY)).toEqual([])
    expect(await made.found(made.mine.endpointId)).toEqual([])
    const isOfEvent = (value: unknown) => made.mine.eventIds.some((eventId) => String(value).includes(eventId))
    expect(await made.matching(isOfEvent)).toEqual({})
    // The action itself, the tombstone, and the record without its answer.
    expect(await made.matching((value) => value === 'w1')).toEqual({
      keepsend_audit: 1,
      keepsend_erasures: 1,
      keepsend_idempotency_records: 1,
    })
    // The same id can be used again.
    await made.addEndpoint()
    expect(await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })).toMatchObject({ deliveries: 1 })
    await made.finish()
    expect(await made.work({ limit: 1000 })).toHaveLength(1)
  })

  it('of an event has deleted its rows when the call returns, and of no other event', async () => {
    const made = await world()
    const [eventId = '', ...rest] = made.mine.eventIds
    const before = await neighbours(made)
    const { id } = await made.engine.erase({ workspaceId: 'w1', what: 'event', eventId })
    expect(await made.found(eventId)).toEqual(['keepsend_erasures', 'keepsend_idempotency_records'])
    await made.finish()
    expect(await made.found(eventId)).toEqual(['keepsend_erasures'])
    expect(await made.engine.erasures.get('w1', id)).toMatchObject({
      attempts: 1,
      events: 1,
      answers: 1,
      deliveries: 0,
    })
    expect(await neighbours(made)).toEqual(before)
    for (const other of rest) expect(await made.engine.events.get('w1', other)).toMatchObject({ id: other })
    // Failed, waiting, held, in line.
    for (const [place, planned] of [
      [3, { planned: 1, unsettled: 0 }],
      [4, { planned: 1, unsettled: 1 }],
      [5, { planned: 1, unsettled: 1 }],
      [6, { planned: 1, unsettled: 1 }],
    ] as const) {
      const one = made.mine.eventIds[place] ?? ''
      const { dropped, deliveries, ...plan } = await made.erase({ workspaceId: 'w1', what: 'event', eventId: one })
      expect({ dropped, deliveries, ...plan }).toMatchObject({ ...planned, dropped: planned.unsettled, deliveries: 1 })
      // A replay that names it; the step finds nothing.
      expect((await made.found(one)).filter((table) => table !== 'keepsend_replays')).toEqual(['keepsend_erasures'])
    }
  })

  it('of an event in a transaction of the host commits or rolls back with it', async () => {
    const made = await world()
    const eventId = made.mine.eventIds[6] ?? ''
    const statements = made.engine.eraseStatements({ workspaceId: 'w1', eventId, by: 'dana' })
    const before = await made.matching((value) => String(value).includes(eventId))
    const taken = { sql: 'insert into messages (id, text) values (?, ?), (?, ?)', params: ['1', 'a', '1', 'b'] }
    await expect(made.engine.commit({ writes: [...statements, taken], events: [] })).rejects.toThrow()
    expect(await made.matching((value) => String(value).includes(eventId))).toEqual(before)
    const row = { sql: 'insert into messages (id, text) values (?, ?)', params: ['1', 'erased'] }
    await made.engine.commit({ writes: [...statements, row], events: [] })
    await made.finish()
    expect(await made.found(eventId)).toEqual(['keepsend_erasures'])
    const { rows } = await made.engine.erasures.list('w1', { limit: 10 })
    expect(rows).toMatchObject([{ eventId, planned: 1, unsettled: 1, dropped: 1, deliveries: 1, events: 1 }])
    const audit = await made.engine.audit.list('w1', { limit: 10, verb: 'erasure.create' })
    expect(audit.rows).toMatchObject([{ by: 'dana', erasureId: rows[0]?.id }])
  })

  it('of an endpoint deletes it with what it got; events and other endpoints of the workspace keep theirs', async () => {
    const made = await world()
    const { id } = await made.addEndpoint({ url: 'https://kept.example.com/' })
    const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: { note: CANARY, to: 'both' } })
    const erased = await erase(made, { workspaceId: 'w1', what: 'endpoint', endpointId: made.mine.endpointId })
    expect(erased).toMatchObject({ endpointId: made.mine.endpointId, planned: 6, unsettled: 5, attempts: 5, events: 0 })
    expect(await made.found(made.mine.endpointId)).toEqual(['keepsend_audit', 'keepsend_erasures'])
    expect(await made.engine.events.list('w1', { limit: 100 })).toMatchObject({ rows: { length: 9 } })
    expect((await made.rows()).filter(({ workspaceId }) => workspaceId === 'w1')).toMatchObject([
      { id: `${eventId}.${id}` },
    ])
    made.sender.requests.length = 0
    await made.work()
    const sent = made.sender.requests.filter(({ url }) => url === 'https://kept.example.com/')
    expect(sent).toMatchObject([{ body: expect.stringContaining(CANARY) as string }])
  })

  it('of a range covers the events of that time, whichever workspace shares an id', async () => {
    const made = await world()
    const [first = ''] = made.mine.eventIds
    const timeOf = (eventId: string) => Number.parseInt(eventId.slice(4, 12) + eventId.slice(13, 17), 16)
    await made.engine.publish({ id: first, type: 'a', workspaceId: 'w2', data: { note: OTHER } })
    const until = Date.now() + 60_000
    const erased = await erase(made, { workspaceId: 'w1', what: 'range', since: timeOf(first), until })
    expect(erased).toMatchObject({ since: timeOf(first), planned: 5, attempts: 5, events: 8, answers: 1 })
    // The future is not erased.
    expect(erased.until).toBe(erased.createdAt)
    // Rows that belong to the workspace, and to no event.
    expect(await made.found(CANARY)).toEqual(['keepsend_api_keys', 'keepsend_audit', 'keepsend_endpoints'])
    const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await made.erase({ workspaceId: 'w1', what: 'range', until: timeOf(eventId) })
    expect(await made.found(eventId)).toEqual(['keepsend_events', 'keepsend_payloads', 'pending_events'])
  })

  it.each<ErasureInput>([
    { workspaceId: 'w1', what: 'event', eventId: '' },
    { workspaceId: 'w1', what: 'endpoint', endpointId: '' },
    { workspaceId: 'w1', what: 'workspace' },
  ])('of a delivery in flight makes its settle lost, which writes no attempt: $what', async (input) => {
    const made = await world()
    const { claims } = await claimDueEvents(made.db, { limit: 1000 })
    const flight = claims.filter(({ workspaceId }) => workspaceId === 'w1')
    expect(flight).toHaveLength(3)
    const finished = await Promise.all(
      flight.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, Date.now()) })),
    )
    for (const { id } of flight)
      await made.erase({
        ...input,
        ...('eventId' in input && { eventId: id.slice(0, 40) }),
        ...('endpointId' in input && { endpointId: made.mine.endpointId }),
      })
    const { lost } = await made.engine.worker.settle(finished)
    expect(lost.map(({ id }) => id).toSorted()).toEqual(flight.map(({ id }) => id).toSorted())
    for (const { id } of flight) expect(await made.found(id)).toEqual([])
  })

  it('deletes in its second pass what a transaction commits that began before it', async () => {
    const made = await world()
    const id = newEventId()
    const { id: erasureId } = await made.engine.erase({ workspaceId: 'w1', what: 'range', until: Date.now() + 1 })
    for (let steps = 0; steps < 20; steps++) await made.engine.worker.stepErasures()
    expect(await made.engine.erasures.get('w1', erasureId)).toMatchObject({
      state: 'running',
      reason: 'late_transactions',
      deliveries: 5,
    })
    // Under an id that no message or caller names: as a statement of a host's transaction that took its time.
    await made.exec(
      `insert into pending_events (id, workspace_id, event_type, endpoint_id, created_at, payload) values (?, 'w1', 'a', 'ep_1', 1, '${CANARY}')`,
      `${id.slice(0, 4)}00000000${id.slice(12)}.ep_1`,
    )
    await made.finish()
    expect(await made.engine.erasures.get('w1', erasureId)).toMatchObject({
      state: 'completed',
      deliveries: 6,
      dropped: 5,
    })
  })
})

describe('what was erased', SLOW, () => {
  it('does not come back by a message without rows, or by a publish under its id', async () => {
    const made = await world()
    const target = { db: made.db, rowsStart: 'now', recordsEvents: true } as const
    const ids = Array.from({ length: 4 }, () => newEventId())
    const [ofEvent = '', ofRange = '', ofWorkspace = '', fresh = ''] = ids
    const message = (eventId: string, workspaceId = 'w1') => ({
      eventId,
      type: 'a',
      workspaceId,
      data: { note: CANARY },
    })
    const at = Number.parseInt(ofRange.slice(4, 12) + ofRange.slice(13, 17), 16)
    await made.erase({ workspaceId: 'w1', what: 'event', eventId: ofEvent })
    expect(await insertQueuedEvent(target, message(ofEvent))).toEqual([])
    expect(await made.engine.publish({ id: ofEvent, type: 'a', workspaceId: 'w1', data: {} })).toMatchObject({
      deliveries: 0,
    })
    await made.erase({ workspaceId: 'w1', what: 'range', since: at, until: at + 10_000 })
    expect(await insertQueuedEvent(target, message(ofRange))).toEqual([])
    await made.erase({ workspaceId: 'w1', what: 'workspace' })
    // An endpoint of the same workspace, made after it.
    await made.addEndpoint()
    expect(await insertQueuedEvent(target, message(ofWorkspace))).toEqual([])
    expect(await made.found(CANARY)).toEqual([])
    expect(await insertQueuedEvent(target, message(ofEvent, 'w2'))).toHaveLength(1)
    const later = `evt_ffff${fresh.slice(8)}`
    expect(await insertQueuedEvent(target, message(later))).toHaveLength(1)
  })

  it('does not come back by a replay, though its records are still there', async () => {
    const made = await world()
    const delivered = `${made.mine.eventIds[0]}.${made.mine.endpointId}`
    await made.exec('update keepsend_replays set ended_at = 1, state = ?', 'completed')
    const replay = await made.engine.replays.create('w1', { what: 'ids', ids: [delivered] })
    // The tombstone alone.
    await made.exec(
      `insert into keepsend_erasures (id, workspace_id, what, target, from_id, to_id, since_at, until_at, position, due_at, created_at, guards_until)
       values ('era_1', 'w1', 'range', '', '', 'evt_g', 0, 0, '{"pass":1,"walk":0,"after":""}', 9000000000000, 0, 9000000000000)`,
    )
    await made.engine.worker.stepReplays()
    expect(await made.engine.replays.get('w1', replay.id)).toMatchObject({
      state: 'completed',
      sent: 0,
      skipped: { noLongerStored: 1 },
    })
    await expect(made.engine.deliveries.replay('w1', delivered)).rejects.toMatchObject({ code: 'not_retained' })
    await made.exec('delete from keepsend_erasures')
    expect(await made.engine.deliveries.replay('w1', delivered)).toMatchObject({ id: delivered })
  })

  it('does not come back by a late repeat of its request, which is refused', async () => {
    const made = await world()
    const events = await made.count('keepsend_events')
    await made.erase({ workspaceId: 'w1', what: 'workspace' })
    await expect(made.mine.commit()).rejects.toMatchObject({ code: 'erased', status: 410 })
    expect(await made.count('keepsend_events')).toBe(events - 8)
    expect(await made.others.commit()).toMatchObject({ replayed: true })
  })

  it('is guarded for 30 days', async () => {
    const made = await world()
    const eventId = newEventId()
    const erased = await made.erase({ workspaceId: 'w1', what: 'event', eventId })
    expect(erased.guardsUntil - erased.createdAt).toBe(30 * 86_400_000)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedErasures: 0 })
    await made.exec('update keepsend_erasures set guards_until = 1')
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedErasures: 1 })
    const target = { db: made.db, rowsStart: 'now' } as const
    expect(await insertQueuedEvent(target, { eventId, type: 'a', workspaceId: 'w1', data: {} })).toHaveLength(1)
  })
})

describe('the copies of an event in other versions', () => {
  it.each(['event', 'range', 'workspace'] as const)(
    'are deleted by the erasure of the %s, and those of others are not',
    async (what) => {
      const made = await erasureRig({ catalog })
      for (const workspaceId of ['w1', 'w2'])
        for (const eventVersion of ['2026-01', '2026-11']) await made.addEndpoint({ workspaceId, eventVersion })
      const publish = async (workspaceId: string, id: string): Promise<string> =>
        (await made.engine.publish({ ...created(id), workspaceId })).eventId
      const eventId = await publish('w1', CANARY)
      await publish('w2', OTHER)
      // Delivered, so only the records of the events refer to their payloads.
      expect(await made.work()).toHaveLength(4)
      const others = await made.count('keepsend_payloads')
      expect(await made.found(CANARY)).toEqual(['keepsend_payloads'])
      const until = eventIdTime(eventId) + 1
      const inputs: ErasureInput[] = [
        { what: 'event', workspaceId: 'w1', eventId },
        { what: 'range', workspaceId: 'w1', until },
        { what: 'workspace', workspaceId: 'w1' },
      ]
      for (const input of inputs) if (input.what === what) await made.erase(input)
      expect(await made.found(CANARY)).toEqual([])
      expect(await made.count('keepsend_payloads')).toBe(others / 2)
    },
  )
})
