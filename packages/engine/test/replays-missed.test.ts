// Replay jobs of what an endpoint missed, and of the deliveries of a list.
import { describe, expect, it } from 'vitest'
import type { EndpointInput } from '../src/index.ts'
import { drain, idAgo, replayRig } from './replays.ts'

const AGO_MS = 300_000

/** Publishes an event five minutes ago, by its id, and delivers it. */
async function publishAgo(made: Awaited<ReturnType<typeof replayRig>>, type = 'a', channels: string[] = []) {
  const id = idAgo(AGO_MS)
  await made.engine.publish({ id, type, workspaceId: 'w1', data: {}, channels })
  await made.work({ limit: 1000 })
  return id
}
async function missed(parts: Partial<EndpointInput> = {}) {
  const made = await replayRig()
  const before = [await publishAgo(made), await publishAgo(made, 'b'), await publishAgo(made, 'a', ['room'])]
  const { id } = await made.addEndpoint(parts)
  return { ...made, before, id }
}

const sent = (made: Awaited<ReturnType<typeof replayRig>>) =>
  made.sender.requests.map(({ headers }) => String(headers['webhook-id']))

describe('a replay of what an endpoint missed', () => {
  it('takes what matches its filter now, and nothing that was cancelled', async () => {
    const made = await missed({ filter: { type: 'b' } })
    const cancelled = await made.engine.publish({ id: idAgo(AGO_MS), type: 'b', workspaceId: 'w1', data: {} })
    await made.engine.cancelEvent('w1', cancelled.eventId)
    await made.age(AGO_MS)
    made.accept()
    made.sender.requests.length = 0
    const plan = await made.engine.replays.create('w1', { what: 'missed', endpointId: made.id, dryRun: true })
    expect(plan).toMatchObject({ planned: 1 })
    await made.create({ what: 'missed', endpointId: made.id })
    await made.step()
    await drain(made)
    expect(sent(made)).toEqual([made.before[1]])
    expect(await made.create({ what: 'failed', endpointId: made.id })).toMatchObject({ planned: 0 })
  })

  it('sends events from before it was there, failed ones, and deleted ones, and none that arrived', async () => {
    const made = await missed()
    const failed = await publishAgo(made)
    const gone = await publishAgo(made)
    made.accept()
    const arrived = await publishAgo(made)
    await made.age(AGO_MS)
    await made.exec('delete from pending_events where id like ?', `${gone}%`)
    made.sender.requests.length = 0
    const job = await made.create({ what: 'missed', endpointId: made.id })
    expect(job).toMatchObject({ planned: 5, endpointId: made.id })
    await made.step()
    expect(await made.engine.replays.get('w1', job.id)).toMatchObject({ state: 'completed', sent: 5, planned: 5 })
    await drain(made)
    expect(sent(made).toSorted()).toEqual([...made.before, failed, gone].toSorted())
    expect(sent(made)).not.toContain(arrived)
    // Nothing is left to send.
    expect(await made.create({ what: 'missed', endpointId: made.id })).toMatchObject({ planned: 0, state: 'completed' })
  })

  it.each<[Partial<EndpointInput>, number[]]>([
    [{ eventTypes: ['a'] }, [0, 2]],
    [{ eventTypes: ['b', 'c.*'] }, [1]],
    [{ channels: ['room'] }, [2]],
    [{ channels: ['*'] }, [0, 1, 2]],
    [{ eventTypes: ['a.*'] }, []],
  ])('takes what its subscriptions match now: %j', async (parts, indexes) => {
    const made = await missed(parts)
    made.accept()
    await made.create({ what: 'missed', endpointId: made.id })
    await made.step()
    await drain(made)
    expect(sent(made).toSorted()).toEqual(indexes.map((index) => String(made.before[index])).toSorted())
  })

  it('goes on by what its endpoint matches after a change', async () => {
    const made = await missed()
    const { id } = await made.create({ what: 'missed', endpointId: made.id })
    await made.engine.endpoints.update('w1', made.id, { filter: { type: 'b' } })
    made.accept()
    await made.step()
    await drain(made)
    expect(sent(made)).toEqual([made.before[1]])
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      state: 'completed',
      planned: 3,
      sent: 1,
      skipped: { changed: 2 },
    })
  })

  it('does not send again what is published meanwhile under an id behind its position', async () => {
    const early = idAgo(AGO_MS)
    const made = await missed()
    made.accept()
    const { id } = await made.create({ what: 'missed', endpointId: made.id, rate: 1 })
    const position = async () => String((await made.select('select position from keepsend_replays'))[0]?.['position'])
    await made.step()
    expect(await position()).toContain(made.before[0])
    expect(early < String(made.before[0])).toBe(true)
    await made.engine.publish({ id: early, type: 'a', workspaceId: 'w1', data: {} })
    for (let steps = 0; steps < 3; steps++) {
      await made.step()
      await drain(made)
    }
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', planned: 3, sent: 3 })
    expect(sent(made).toSorted()).toEqual([early, ...made.before].toSorted())
  })

  it('ends a minute before it was made, and reaches back to the first recorded event', async () => {
    const made = await missed()
    await made.publish(2)
    await made.age()
    const plan = await made.engine.replays.create('w1', { what: 'missed', endpointId: made.id, dryRun: true })
    const [{ ms } = { ms: 0 }] = (await made.select('select ms from keepsend_clock')) as { ms: number }[]
    expect(plan).toMatchObject({ planned: 3, plannedMore: false })
    expect(ms - plan.until).toBeGreaterThanOrEqual(60_000)
    expect(ms - (plan.reachesBackTo ?? 0)).toBeLessThan(AGO_MS + 60_000)
    expect(ms - (plan.reachesBackTo ?? 0)).toBeGreaterThan(AGO_MS - 60_000)
  })

  it('skips what is on its way, and what has no payload any more', async () => {
    const made = await missed()
    const { id } = await made.create({ what: 'missed', endpointId: made.id })
    await made.exec('delete from keepsend_payloads where event_id = ?', made.before[0] ?? '')
    await made.step()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({
      planned: 3,
      sent: 2,
      skipped: { noLongerStored: 1, onItsWay: 0 },
    })
    expect(await made.create({ what: 'missed', endpointId: made.id })).toMatchObject({ planned: 1 })
  })

  it.each([[false], [{ events: false }], [{ attempts: 'failed' as const, statistics: false }]])(
    'is refused with the history %j, by which it could not know what arrived',
    async (history) => {
      const made = await replayRig({ history })
      const { id } = await made.addEndpoint()
      await expect(made.create({ what: 'missed', endpointId: id })).rejects.toMatchObject({ code: 'not_retained' })
    },
  )
})

describe('a replay of the deliveries of a list', () => {
  it('takes those that match its filters, of every endpoint', async () => {
    const made = await replayRig()
    const ids = [(await made.addEndpoint()).id, (await made.addEndpoint()).id]
    await made.publish(3, 'a')
    await made.publish(2, 'b')
    await made.age(AGO_MS)
    const job = await made.create({ what: 'matching', type: 'a', status: 'failed', errorClass: 'http_4xx' })
    expect(job).toMatchObject({ planned: 6, selection: { type: 'a', status: 'failed', errorClass: 'http_4xx' } })
    await made.step()
    await made.step()
    expect(await made.engine.replays.get('w1', job.id)).toMatchObject({ state: 'completed', sent: 6 })
    const held = (await made.rows()).filter(({ status }) => status === 'held')
    expect(held.map(({ type }) => type)).toEqual(Array(6).fill('a'))
    expect(new Set(held.map(({ endpointId }) => endpointId))).toEqual(new Set(ids))
  })

  it('counts pending ones as on their way, and sends delivered ones again', async () => {
    const made = await replayRig()
    const { id: endpointId } = await made.addEndpoint()
    await made.publish(1)
    made.accept()
    const [arrived] = await made.publish(1)
    await made.age(AGO_MS)
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const before = Date.now() + 10
    await made.exec('update pending_events set due_at = due_at + 3600000, ready = 0 where due_at is not null')
    const { id } = await made.create({ what: 'matching', endpointId, until: before })
    for (let steps = 0; steps < 3; steps++) await made.step()
    const { state, planned, sent: count, skipped } = await made.engine.replays.get('w1', id)
    expect({ state, count, gone: skipped.noLongerStored }).toEqual({ state: 'completed', count: 2, gone: 0 })
    expect(planned).toBe(count + skipped.onItsWay)
    expect((await made.rows()).find(({ id: row }) => row.startsWith(arrived ?? '-'))).toMatchObject({ status: 'held' })
  })
})
