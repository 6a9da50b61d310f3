// `engine.cancelEvent`, and its route: the deliveries of an event without an attempt end, exactly once. On each database.
import { beginEvents, claimDueEvents, enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { newEventId as newId } from '../src/index.ts'
import { LATER, settled } from './rig.ts'
import { api, problem, read } from './routes.ts'
import { event, inDays, ready } from './schedule-rig.ts'

describe('cancelling an event', () => {
  it('ends deliveries that wait: in line, scheduled or held, without a POST, and answers a repeat the same', async () => {
    const { engine, addEndpoint, rows, work, sender, log } = await ready()
    const { id: off } = await addEndpoint()
    await engine.endpoints.setStatus('w1', off, 'disabled')
    for (const times of [{}, { deliverAt: inDays(1) }]) {
      const { eventId } = await engine.publish({ ...event, ...times })
      const answers = [await engine.cancelEvent('w1', eventId), await engine.cancelEvent('w1', eventId)]
      expect(answers).toEqual([
        { cancelled: 2, tooLate: 0 },
        { cancelled: 2, tooLate: 0 },
      ])
    }
    expect(await rows()).toMatchObject(
      Array.from({ length: 4 }, () => ({ status: 'failed', lastError: 'cancelled', dueAt: null, attempts: 0 })),
    )
    expect(await work({ now: LATER })).toEqual([])
    expect(sender.requests).toEqual([])
    const lines = log.entries.filter(({ message }) => message.startsWith('event cancelled'))
    expect(lines).toMatchObject([{ level: 'info', fields: { cancelled: 2, workspaceId: 'w1' } }, { level: 'info' }])
  })

  it('leaves what was attempted, and says how many; when all were, it is a conflict and changes nothing', async () => {
    const { engine, addEndpoint, endpointId, rows, work } = await ready({ answer: () => 500 })
    const { eventId } = await engine.publish(event)
    await work()
    const attempted = await rows()
    await expect(engine.cancelEvent('w1', eventId)).rejects.toMatchObject({ code: 'conflict' })
    expect(await rows()).toEqual(attempted)

    const other = await addEndpoint({ eventTypes: ['b'] })
    await engine.endpoints.setStatus('w1', other.id, 'disabled')
    await engine.endpoints.update('w1', endpointId, { eventTypes: ['b'] })
    const { eventId: both } = await engine.publish({ ...event, type: 'b' })
    await work()
    expect(await engine.cancelEvent('w1', both)).toEqual({ cancelled: 1, tooLate: 1 })
  })

  it.each([true, { events: false }])('counts what was delivered as too late, with history: %j', async (history) => {
    const { engine, addEndpoint, endpointId, work } = await ready({ history })
    const { id: off } = await addEndpoint()
    await engine.endpoints.setStatus('w1', off, 'disabled')
    const { eventId } = await engine.publish(event)
    await work()
    expect(await engine.cancelEvent('w1', eventId)).toEqual({ cancelled: 1, tooLate: 1 })
    await engine.endpoints.delete('w1', off)
    const { eventId: delivered } = await engine.publish(event)
    await work()
    await expect(engine.cancelEvent('w1', delivered)).rejects.toMatchObject({ code: 'conflict' })
    expect((await engine.endpoints.get('w1', endpointId)).failingSince).toBeNull()
  })

  it("of an unknown event, another workspace's, or none is not_retained; one without receivers has nothing to cancel", async () => {
    const { engine, rows } = await ready({ history: true })
    const { eventId } = await engine.publish(event)
    const before = await rows()
    const unknown = [
      ['w1', newId()],
      ['w2', eventId],
      ['w1', 'evt_1'],
      ['w1', `${eventId}' or 1=1`],
      ['w1', ''],
    ] as const
    for (const [workspaceId, id] of unknown)
      await expect(engine.cancelEvent(workspaceId, id)).rejects.toMatchObject({ code: 'not_retained' })
    await expect(engine.cancelEvent('', eventId)).rejects.toMatchObject({ code: 'invalid_request' })
    expect(await rows()).toEqual(before)
    const { eventId: unheard } = await engine.publish({ ...event, workspaceId: 'w2' })
    expect(await engine.cancelEvent('w2', unheard)).toEqual({ cancelled: 0, tooLate: 0 })
  })

  it('tells neither the operator nor the health of the endpoint, and counts in no problem', async () => {
    const { engine, addEndpoint, endpointId, rows, row } = await ready({
      history: true,
      operatorWorkspaceId: 'operator',
    })
    await addEndpoint({ workspaceId: 'operator', eventTypes: ['keepsend.delivery.failed'] })
    const endpoint = await engine.endpoints.get('w1', endpointId)
    const { eventId } = await engine.publish(event)
    await engine.cancelEvent('w1', eventId)
    await engine.worker.maintain()
    expect(await rows()).toHaveLength(1)
    expect(await engine.endpoints.get('w1', endpointId)).toEqual(endpoint)
    expect((await engine.problems.list('w1', { limit: 10 })).rows).toEqual([])
    expect((await engine.attempts.list('w1', { limit: 10 })).rows).toEqual([])
    expect((await engine.deliveries.list('w1', { limit: 10, errorClass: 'cancelled' })).rows).toMatchObject([
      { id: (await row()).id },
    ])
  })

  it('is exactly one of cancelled and sent when it races with a worker', async () => {
    const { engine, db, row, sender } = await ready()
    for (let round = 0; round < 5; round++) {
      const { eventId } = await engine.publish(event)
      const [{ claims }, answer] = await Promise.all([
        claimDueEvents(db, { limit: 10 }),
        engine.cancelEvent('w1', eventId).catch(({ code }: { code: string }) => code),
      ])
      for (const claim of claims)
        await engine.worker.settle([{ claim, outcome: await engine.worker.deliver(claim, claim.claimedAt) }])
      expect([claims.length, answer]).toEqual(claims.length === 1 ? [1, 'conflict'] : [0, { cancelled: 1, tooLate: 0 }])
      expect(sender.requests.splice(0)).toHaveLength(claims.length)
    }
    expect(await row()).not.toMatchObject({ status: 'pending' })
  })

  it('makes the message of a dispatched row stale', async () => {
    const messages: { outboxId?: string | undefined; gen?: number | undefined }[] = []
    const queue = {
      rowsStart: 'dispatched' as const,
      send: async (message: (typeof messages)[0]) => void messages.push(message),
    }
    const { engine, db } = await ready({ queue })
    const { eventId } = await engine.publish(event)
    await settled()
    const [{ outboxId: id = '', gen = 0 } = {}] = messages
    expect((await beginEvents(db, [{ id, gen }])).current).toHaveLength(1)
    expect(await engine.cancelEvent('w1', eventId)).toEqual({ cancelled: 1, tooLate: 0 })
    expect(await beginEvents(db, [{ id, gen }])).toMatchObject({ current: [], swept: [], stale: [id] })
  })

  it('goes on in batches, whatever the number of deliveries, and after a crash between two', async () => {
    let left = Infinity
    const { engine, db, rows } = await ready({
      wrap: (direct) => ({
        ...direct,
        run: (statement) => (left-- > 0 ? direct.run(statement) : Promise.reject(new Error('killed'))),
      }),
    })
    const eventId = newEventId()
    const ids = Array.from({ length: 501 }, (_, n) => `ep_${n}`)
    await enqueueEvents(
      db,
      ids.map((endpointId) => ({ eventId, endpointId, workspaceId: 'w1', type: event.type, payload: '{}' })),
    )
    left = 1
    await expect(engine.cancelEvent('w1', eventId)).rejects.toThrow('killed')
    left = Infinity
    const count = async (wanted: string) => (await rows()).filter(({ status }) => status === wanted).length
    expect([await count('failed'), await count('pending')]).toEqual([500, 1])
    expect(await engine.cancelEvent('w1', eventId)).toEqual({ cancelled: 501, tooLate: 0 })
  })

  it('is not undone by a replay of its endpoint, and a replay of the delivery sends it', async () => {
    const { engine, endpointId, row, work, sender } = await ready()
    const { eventId } = await engine.publish(event)
    await engine.cancelEvent('w1', eventId)
    expect(await engine.replays.create('w1', { what: 'failed', endpointId })).toMatchObject({ planned: 0 })
    await engine.deliveries.replay('w1', (await row()).id)
    await expect(engine.cancelEvent('w1', eventId)).rejects.toMatchObject({ code: 'conflict' })
    expect(await work()).toMatchObject([{ kind: 'complete' }])
    expect(sender.requests).toHaveLength(1)
  })
})

describe('POST /events/{id}/cancel', () => {
  it('answers the counts, 409 when all is too late, 404 for another workspace, and 403 without events:write', async () => {
    const { engine, addEndpoint, call, keys, work } = await api()
    await addEndpoint()
    const { eventId } = await engine.publish(event)
    const path = `/events/${eventId}/cancel`
    expect(await read(call('POST', path, undefined, keys.w2))).toEqual(problem(404, 'not_retained'))
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['events:read'] })
    expect(await read(call('POST', path, undefined, key))).toEqual(problem(403, 'forbidden'))
    for (let n = 0; n < 2; n++)
      expect(await read(call('POST', path))).toEqual({ status: 200, body: { cancelled: 1, tooLate: 0 } })
    const { eventId: sent } = await engine.publish(event)
    await claimDueEvents(engine.db, { limit: 1 })
    expect(await read(call('POST', `/events/${sent}/cancel`))).toEqual(problem(409, 'conflict'))
    expect(await work()).toEqual([])
  })

  it('under an Idempotency-Key stores its answer, but no refusal', async () => {
    const { engine, addEndpoint, keys, db } = await api()
    const { id: endpointId } = await addEndpoint()
    const ask = async (eventId: string, key: string) => {
      const headers = { authorization: `Bearer ${keys.w1}`, 'idempotency-key': key }
      const response = await engine.routes.request(`/events/${eventId}/cancel`, { method: 'POST', headers })
      return { ...(await read(response)), replayed: response.headers.get('idempotency-replayed') }
    }
    const { eventId } = await engine.publish(event)
    const answer = { status: 200, body: { cancelled: 1, tooLate: 0 } }
    expect(await ask(eventId, 'k1')).toEqual({ ...answer, replayed: null })
    await engine.deliveries.replay('w1', `${eventId}.${endpointId}`)
    expect(await ask(eventId, 'k1')).toEqual({ ...answer, replayed: 'true' })
    await claimDueEvents(db, { limit: 5 })
    for (const refused of [await ask(eventId, 'k2'), await ask(eventId, 'k2')])
      expect(refused).toMatchObject({ ...problem(409, 'conflict'), replayed: null })
  })
})
