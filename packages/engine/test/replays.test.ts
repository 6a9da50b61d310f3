// Replay jobs: which deliveries they take, each once, and what else happens meanwhile.
import { claimDueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { drain, replayRig } from './replays.ts'

const FAILED = { what: 'failed' } as const
const NOBODYS = 'evt_01890000-0000-7000-8000-000000000000.ep_01890000-0000-7000-8000-000000000000'

/** An endpoint with this many failed deliveries. */
async function failed(count: number, options: Parameters<typeof replayRig>[0] = {}) {
  const made = await replayRig(options)
  const { id } = await made.addEndpoint()
  const eventIds = await made.publish(count)
  await made.age()
  return { ...made, id, eventIds, deliveryIds: eventIds.map((eventId) => `${eventId}.${id}`) }
}

/** An endpoint with this many delivered deliveries, which have no row. */
async function delivered(count: number) {
  const made = await replayRig()
  made.accept()
  const { id } = await made.addEndpoint()
  const eventIds = await made.publish(count)
  expect(await made.rows()).toEqual([])
  await made.age()
  made.sender.requests.length = 0
  return { ...made, id, eventIds, deliveryIds: eventIds.map((eventId) => `${eventId}.${id}`) }
}

const sentIds = (made: Awaited<ReturnType<typeof replayRig>>) =>
  made.sender.requests.map(({ headers }) => String(headers['webhook-id'])).toSorted()

describe('a replay of failed deliveries', () => {
  it('takes what was given up, and nothing that was cancelled', async () => {
    const made = await replayRig()
    const { id } = await made.addEndpoint()
    const [given, cancelled] = [newEventId(), newEventId()]
    for (const eventId of [given, cancelled])
      await made.engine.publish({ id: eventId, type: 'a', workspaceId: 'w1', data: {} })
    await made.engine.deliveries.giveUp('w1', `${given}.${id}`)
    await made.engine.cancelEvent('w1', cancelled)
    await made.age()
    made.accept()
    expect(await made.create({ ...FAILED, endpointId: id })).toMatchObject({ planned: 1 })
    await made.step()
    await drain(made)
    expect(sentIds(made)).toEqual([given])
    expect(await made.rows()).toMatchObject([{ id: `${cancelled}.${id}`, lastError: 'cancelled' }])
  })

  it('sends each again under its webhook-id, and is completed with its last step', async () => {
    const made = await failed(3)
    const before = sentIds(made)
    made.accept()
    const job = await made.create({ ...FAILED, endpointId: made.id })
    expect(job).toMatchObject({
      state: 'running',
      endpointId: made.id,
      planned: 3,
      plannedMore: false,
      sent: 0,
      endedAt: null,
    })
    expect(await made.step()).toMatchObject({ steps: [{ replayId: job.id, endpointId: made.id }], nextMs: null })
    expect(await made.states()).toEqual({ replay: 3 })
    await drain(made)
    expect(await made.rows()).toEqual([])
    expect(sentIds(made)).toEqual([...before, ...before].toSorted())
    expect(await made.engine.replays.get('w1', job.id)).toMatchObject({
      state: 'completed',
      planned: 3,
      sent: 3,
      skipped: { onItsWay: 0, noLongerStored: 0, changed: 0 },
      endedAt: expect.any(Number) as number,
    })
  })

  it('takes nothing twice: what fails again stays failed', async () => {
    const made = await failed(3)
    const { id } = await made.create({ ...FAILED, endpointId: made.id, rate: 1 })
    for (let steps = 0; steps < 5; steps++) {
      await made.step()
      await drain(made)
    }
    expect(made.sender.requests).toHaveLength(6)
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', sent: 3, planned: 3 })
  })

  it('takes those of its range alone, by the time of their settle', async () => {
    const made = await failed(4)
    const [first, second, third, fourth] = made.deliveryIds
    for (const [index, id] of [first, second, third, fourth].entries())
      await made.exec('update pending_events set completed_at = ? where id = ?', 1000 * (index + 1), id ?? '')
    // What is retained is a matter of clean-up, not of a job: here all of 1970 would be too old.
    const job = await made.create({ ...FAILED, since: 2000, until: 4000 })
    expect(job).toMatchObject({ planned: 0, state: 'completed' })
    const now = Date.now()
    for (const [index, id] of [first, second, third, fourth].entries())
      await made.exec('update pending_events set completed_at = ? where id = ?', now - 10_000 + index, id ?? '')
    await made.create({ ...FAILED, since: now - 9999, until: now - 9997 })
    await made.step()
    const replayed = (await made.rows()).filter(({ status }) => status === 'held').map(({ id }) => id)
    expect(replayed).toEqual([String(second), String(third)].toSorted())
  })

  it('of a workspace goes on with other endpoints while one takes nothing, and then waits and says so', async () => {
    const made = await replayRig()
    const ids = [(await made.addEndpoint()).id, (await made.addEndpoint()).id, (await made.addEndpoint()).id]
    await made.publish(2)
    await made.age()
    await made.engine.endpoints.setStatus('w1', ids[1]!, 'disabled')
    const { id } = await made.create(FAILED)
    for (let steps = 0; steps < 4; steps++) await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'running',
      endpointId: null,
      sent: 4,
      reason: 'endpoint_disabled',
    })
    await made.engine.endpoints.setStatus('w1', ids[1]!, 'enabled')
    await made.step()
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', sent: 6, reason: null })
    expect(await made.states()).toEqual({ replay: 6 })
  })

  it('makes due at most what its endpoint drains', async () => {
    const made = await failed(30)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    const step = async () => {
      await made.exec('update keepsend_replays set due_at = 0')
      await made.engine.worker.stepReplays({ batch: 8 })
    }
    for (let steps = 0; steps < 5; steps++) await step()
    expect(await made.states()).toEqual({ replay: 8, failed: 22 })
    await made.engine.replays.cancel('w1', id)
    await step()
    await drain(made)
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'cancelled', sent: 8, reason: null })
    expect(await made.states()).toEqual({ failed: 30 })
  })

  it('begins at most as many a second as its rate', async () => {
    const made = await failed(10)
    await made.create({ ...FAILED, endpointId: made.id, rate: 4 })
    await made.engine.worker.stepReplays()
    expect(await made.states()).toEqual({ replay: 1, failed: 9 })
    // Half a second later, by the job's own time.
    await made.exec('update keepsend_replays set due_at = 0, paced_to = (select ms from keepsend_clock) - 500')
    await made.engine.worker.stepReplays()
    expect(await made.states()).toEqual({ replay: 3, failed: 7 })
    // An hour that was not used is not made up for.
    await made.exec('update keepsend_replays set due_at = 0, paced_to = 0')
    await made.engine.worker.stepReplays()
    expect(await made.states()).toEqual({ replay: 7, failed: 3 })
  })

  it('says what was deleted or sent by others before it came to it', async () => {
    const made = await failed(4)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    await made.exec('delete from pending_events where id = ?', made.deliveryIds[0] ?? '')
    await made.engine.deliveries.replay('w1', made.deliveryIds[1] ?? '')
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'completed',
      planned: 4,
      sent: 2,
      skipped: { onItsWay: 0, noLongerStored: 0, changed: 2 },
    })
  })

  it('of a workspace takes nothing of an endpoint that is made meanwhile', async () => {
    const made = await failed(2)
    const { id } = await made.create(FAILED)
    const other = await made.addEndpoint()
    await made.publish(2)
    for (let steps = 0; steps < 3; steps++) await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', planned: 2, sent: 2 })
    const held = (await made.rows()).filter(({ status }) => status === 'held')
    expect(held.map(({ endpointId }) => endpointId)).toEqual([made.id, made.id])
    expect(held.map(({ endpointId }) => endpointId)).not.toContain(other.id)
  })

  it('does not take events that are published and fail meanwhile', async () => {
    const made = await failed(2)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    await made.publish(3)
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ sent: 2, state: 'completed' })
    expect(await made.states()).toEqual({ replay: 2, failed: 3 })
  })

  it('loses the late settle of the life before it', async () => {
    const made = await replayRig({ retrySchedule: [] })
    const { id } = await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const [stale] = (await claimDueEvents(made.db, { limit: 1 })).claims
    const outcome = await made.engine.worker.deliver(stale!, stale!.claimedAt)
    await made.work({ now: Date.now() + 3_600_000 })
    await made.exec(`update pending_events set completed_at = (select ms from keepsend_clock) - 1000`)
    await made.create({ ...FAILED, endpointId: id })
    await made.step()
    const held = await made.rows()
    for (let late = stale!.gen; late < held[0]!.gen; late++) {
      const { lost } = await made.engine.worker.settle([{ claim: { ...stale!, gen: late }, outcome }])
      expect(lost).toMatchObject([{ id: stale!.id, gen: late }])
    }
    expect(await made.rows()).toEqual(held)
  })
})

describe('a replay, while retention deletes,', () => {
  it('counts failed deliveries that are gone as changed', async () => {
    const made = await failed(4)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    await made.exec('update pending_events set completed_at = 1 where id in (?, ?)', ...made.deliveryIds.slice(0, 2))
    await made.engine.worker.maintain()
    expect(await made.rows()).toHaveLength(2)
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'completed',
      planned: 4,
      sent: 2,
      skipped: { onItsWay: 0, noLongerStored: 0, changed: 2 },
    })
  })

  it.each([
    ['deleted', true],
    ['not yet deleted', false],
  ])('counts delivered ones whose attempts are past it as no longer stored, %s', async (_, isDeleted) => {
    const made = await delivered(3)
    const { id } = await made.create({ what: 'ids', ids: made.deliveryIds })
    await made.engine.workspaces.setRetention('w1', { attemptsMs: 60_000 })
    await made.age(120_000)
    if (isDeleted) await made.engine.worker.maintain()
    expect(await made.count('keepsend_attempts')).toBe(isDeleted ? 0 : 3)
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'completed',
      sent: 0,
      skipped: { noLongerStored: 3 },
    })
    expect(await made.rows()).toEqual([])
  })
})

describe('a replay of an endpoint that', () => {
  it.each<[string, string, string]>([
    ['is disabled', `status = 'disabled', disabled_at = 1`, 'endpoint_disabled'],
    ['is paused', `paused_until = (select ms from keepsend_clock) + 60000`, 'endpoint_paused'],
    ['has an open circuit', `circuit = 'open'`, 'circuit_open'],
  ])('%s waits, says so, and goes on', async (_name, blocked, reason) => {
    const made = await failed(2)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    await made.exec(`update keepsend_endpoints set ${blocked}`)
    expect(await made.step()).toMatchObject({ steps: [] })
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'running', reason, sent: 0 })
    expect(await made.states()).toEqual({ failed: 2 })
    await made.exec(`update keepsend_endpoints set status = 'enabled', paused_until = null, circuit = 'closed'`)
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', reason: null, sent: 2 })
  })

  it('is deleted meanwhile is cancelled', async () => {
    const made = await failed(2)
    const { id } = await made.create({ ...FAILED, endpointId: made.id })
    await made.engine.endpoints.delete('w1', made.id)
    expect(await made.step()).toMatchObject({ steps: [], nextMs: null })
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'cancelled',
      reason: 'endpoint_deleted',
      sent: 0,
      endedAt: expect.any(Number) as number,
    })
    expect(await made.states()).toEqual({ failed: 2 })
  })
})

describe('a replay of delivered deliveries', () => {
  it('inserts each again and sends the same bytes under the same webhook-id', async () => {
    const made = await delivered(3)
    const job = await made.create({ what: 'delivered', endpointId: made.id })
    expect(job).toMatchObject({ planned: 3, reachesBackTo: expect.any(Number) as number })
    await made.step()
    expect(await made.states()).toEqual({ replay: 3 })
    await drain(made)
    expect(await made.rows()).toEqual([])
    expect(sentIds(made)).toEqual(made.eventIds.toSorted())
    const { rows } = await made.engine.attempts.list('w1', { limit: 3 })
    expect(rows.map(({ reason, outcome }) => `${reason} ${outcome}`)).toEqual(Array(3).fill('replay delivered'))
    // A second job takes the same deliveries by their last attempts.
    await made.age()
    expect(await made.create({ what: 'delivered' })).toMatchObject({ planned: 3 })
  })

  it('counts what is on its way and what is no longer stored: planned is sent and skipped', async () => {
    const made = await delivered(4)
    const job = await made.create({ what: 'delivered', endpointId: made.id })
    await made.engine.deliveries.replay('w1', made.deliveryIds[0] ?? '')
    await made.exec('delete from keepsend_payloads where event_id = ?', made.eventIds[1] ?? '')
    await made.exec('delete from keepsend_events where id = ?', made.eventIds[2] ?? '')
    await made.step()
    expect(await made.engine.replays.get('w1', job.id)).toMatchObject({
      state: 'completed',
      planned: 4,
      sent: 1,
      skipped: { onItsWay: 1, noLongerStored: 2, changed: 0 },
    })
    expect(await made.states()).toEqual({ replay: 1, pending: 1 })
  })

  it('loses the late settle of the life before it', async () => {
    const made = await replayRig()
    made.accept()
    const { id } = await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const [stale] = (await claimDueEvents(made.db, { limit: 1 })).claims
    const outcome = await made.engine.worker.deliver(stale!, stale!.claimedAt)
    // The worker stalls before its settle. Its lease expires, and another delivers.
    await made.work({ now: Date.now() + 3_600_000 })
    await made.age()
    await made.create({ what: 'delivered', endpointId: id })
    await made.step()
    const held = await made.rows()
    expect(held).toMatchObject([{ status: 'held', holdReason: 'replay' }])
    for (let late = stale!.gen; late <= stale!.gen + 2; late++) {
      const { lost } = await made.engine.worker.settle([{ claim: { ...stale!, gen: late }, outcome }])
      expect(lost).toMatchObject([{ id: stale!.id, gen: late }])
    }
    expect(await made.rows()).toEqual(held)
  })

  it('begins above every gen of the earlier life', async () => {
    const made = await delivered(1)
    const future = Date.now() + 86_400_000
    await made.exec('update keepsend_attempts set gen = ?', future)
    await made.create({ what: 'delivered', endpointId: made.id })
    await made.step()
    expect(await made.rows()).toMatchObject([{ gen: future + 1, status: 'held', holdReason: 'replay' }])
  })

  it.each([[false], [{ events: false }]])('is refused without events (history: %j)', async (history) => {
    const made = await replayRig({ history })
    await expect(made.create({ what: 'delivered' })).rejects.toMatchObject({ code: 'not_retained' })
    expect(await made.count('keepsend_replays')).toBe(0)
  })
})

describe('a replay of named deliveries', () => {
  it('takes failed and delivered ones of several endpoints, and counts the others', async () => {
    const made = await failed(2)
    const other = (await made.addEndpoint({ eventTypes: ['b'] })).id
    made.accept()
    const [eventId] = await made.publish(1, 'b')
    await made.age()
    await made.engine.publish({ type: 'b', workspaceId: 'w1', data: {} })
    const waiting = (await made.rows()).find(({ status }) => status === 'pending')?.id ?? ''
    const ids = [...made.deliveryIds, `${eventId}.${other}`, waiting, NOBODYS, NOBODYS]
    const job = await made.create({ what: 'ids', ids })
    expect(job).toMatchObject({ planned: 5, endpointId: null, selection: {} })
    for (let steps = 0; steps < 4; steps++) await made.step()
    expect(await made.engine.replays.get('w1', job.id)).toMatchObject({
      state: 'completed',
      sent: 3,
      skipped: { onItsWay: 1, noLongerStored: 1 },
    })
  })

  it('never touches another workspace, whose ids count like ids of nobody', async () => {
    const made = await failed(2)
    const asked = async (ids: string[]) => {
      const { id } = await made.engine.replays.create('w2', { what: 'ids', ids })
      await made.step()
      const {
        id: _,
        createdAt: _c,
        endedAt: _e,
        until: _u,
        endpointId: _p,
        ...job
      } = await made.engine.replays.get('w2', id)
      return job
    }
    const before = await made.rows()
    const foreign = await asked([made.deliveryIds[0] ?? ''])
    expect(foreign).toEqual(await asked([NOBODYS]))
    expect(foreign).toMatchObject({ state: 'completed', sent: 0, skipped: { noLongerStored: 1 } })
    expect(await made.rows()).toEqual(before)
  })
})
