// Erasures as clients of the API and callers of the engine see them: plans, limits, idempotency keys, bad input.
import { newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type ErasureInput, allWorkspaces } from '../src/index.ts'
import { api, problem, read } from './routes.ts'

async function world() {
  const made = await api({ history: { events: true } })
  const { id: endpointId } = await made.addEndpoint()
  const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
  const post = async (body: unknown, idempotencyKey?: string, key = made.keys.w1) =>
    read(
      made.engine.routes.request('/erasures', {
        method: 'POST',
        headers: {
          authorization: `Bearer ${key}`,
          'content-type': 'application/json',
          ...(idempotencyKey !== undefined && { 'idempotency-key': idempotencyKey }),
        },
        body: JSON.stringify(body),
      }),
    )
  return { ...made, endpointId, eventId, post }
}

describe('an erasure over HTTP', () => {
  it('is counted by a dry run, which writes nothing, under a key too', async () => {
    const made = await world()
    for (const body of [
      { what: 'event', eventId: made.eventId },
      { what: 'endpoint', endpointId: made.endpointId },
      { what: 'range', until: new Date(Date.now() + 1000).toISOString() },
      { what: 'workspace' },
    ])
      expect(await made.post({ ...body, dryRun: true }, 'k1'), body.what).toEqual({
        status: 200,
        body: { planned: 1, unsettled: 1, plannedMore: false },
      })
    expect(await made.count('keepsend_erasures')).toBe(0)
    expect(await made.count('keepsend_idempotency_records')).toBe(0)
  })

  it('is made, shown and listed, is an action of its key, and is a line in the log', async () => {
    const made = await world()
    const created = await made.post({ what: 'event', eventId: made.eventId })
    expect(created).toMatchObject({
      status: 201,
      body: { what: 'event', eventId: made.eventId, unsettled: 1, dropped: 1, state: 'running', reason: null },
    })
    const id = String(created.body['id'])
    expect(await read(made.call('GET', `/erasures/${id}`))).toEqual({ status: 200, body: created.body })
    expect(await read(made.call('GET', '/erasures'))).toMatchObject({ status: 200, body: { data: [created.body] } })
    const { rows } = await made.engine.audit.list('w1', { limit: 10, verb: 'erasure.create' })
    expect(rows).toMatchObject([{ erasureId: id, by: expect.stringMatching(/^key_/) as string, deliveryId: null }])
    expect(made.log.entries).toContainEqual({
      level: 'warn',
      message: 'erasure began; its unsettled deliveries are dropped',
      fields: { erasureId: id, workspaceId: 'w1', what: 'event', planned: 1, unsettled: 1, plannedMore: false },
    })
    await made.exec('update keepsend_erasures set due_at = 0')
    await made.engine.worker.stepErasures()
    await made.exec('update keepsend_erasures set due_at = 0')
    expect(await made.engine.worker.stepErasures()).toEqual({ completed: [id], nextMs: null })
    expect(made.log.entries.at(-1)).toMatchObject({
      level: 'info',
      message: 'erasure completed',
      fields: { erasureId: id, workspaceId: 'w1', dropped: 1, deliveries: 1, events: 1 },
    })
  })

  it('is made once under an idempotency key, whose answer stays when it names what was erased', async () => {
    const made = await world()
    const body = { what: 'event', eventId: made.eventId }
    const first = await made.post(body, 'k1')
    expect(first.status).toBe(201)
    for (let steps = 0; steps < 3; steps++) {
      await made.exec('update keepsend_erasures set due_at = 0')
      await made.engine.worker.stepErasures()
    }
    expect(await made.post(body, 'k1')).toEqual(first)
    expect(await made.count('keepsend_erasures')).toBe(1)
  })

  it('needs a scope that a key has only by name, and erases the workspace of the key alone', async () => {
    const made = await world()
    const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
    expect(await made.post({ what: 'workspace' }, undefined, key)).toEqual(problem(403, 'forbidden'))
    for (const body of [
      { what: 'event', eventId: made.eventId },
      { what: 'endpoint', endpointId: made.endpointId },
      { what: 'workspace' },
    ])
      expect(await made.post(body, undefined, made.keys.w2)).toMatchObject({
        status: 201,
        body: { planned: 0, deliveries: 0, events: 0 },
      })
    expect(await made.rows()).toHaveLength(1)
    expect(await made.engine.endpoints.get('w1', made.endpointId)).toMatchObject({ id: made.endpointId })
    // The key went with its workspace.
    expect(await made.post({ what: 'workspace' }, undefined, made.keys.w2)).toEqual(problem(401, 'unauthenticated'))
  })

  it('is shown to its workspace alone, and to operators', async () => {
    const made = await world()
    const { id } = await made.engine.erase({ workspaceId: 'w1', what: 'event', eventId: made.eventId })
    expect(await made.engine.erasures.list('w2', { limit: 10 })).toEqual({ rows: [], next: undefined, complete: true })
    await expect(made.engine.erasures.get('w2', id)).rejects.toMatchObject({ code: 'not_retained' })
    expect(await made.engine.erasures.get(allWorkspaces, id)).toMatchObject({ id, workspaceId: 'w1' })
    expect((await made.engine.erasures.list(allWorkspaces, { limit: 10 })).rows).toMatchObject([{ id }])
  })

  it.each<[unknown]>([
    [{}],
    [{ what: 'other' }],
    [{ what: 'event' }],
    [{ what: 'event', eventId: 'evt_1' }],
    [{ what: 'event', eventId: null }],
    [{ what: 'endpoint' }],
    [{ what: 'endpoint', endpointId: '' }],
    [{ what: 'endpoint', endpointId: 'ep_\0' }],
    [{ what: 'range' }],
    [{ what: 'range', since: '2026-01-01T00:00:00Z' }],
    [{ what: 'range', until: 'yesterday' }],
    [{ what: 'workspace', eventId: newEventId() }],
  ])('is refused before anything is written: %j', async (body) => {
    const made = await world()
    expect(await made.post(body)).toEqual(problem(400, 'invalid_request'))
    expect(await made.count('keepsend_erasures')).toBe(0)
  })
})

describe('an erasure in code', () => {
  it.each<[unknown, string]>([
    [{ workspaceId: 'w1' }, 'what must be one of event, endpoint, range, workspace; found undefined'],
    [{ workspaceId: 'w1', what: 'event', eventId: undefined }, 'eventId must be the id of an event; found undefined'],
    [{ workspaceId: 'w1', what: 'endpoint', endpointId: '' }, 'endpointId must be the id of an endpoint; found ""'],
    [{ workspaceId: 'w1', what: 'range' }, 'an erasure of a range needs until, the time that it ends before'],
    [{ workspaceId: '', what: 'workspace' }, 'workspaceId must be 1 to 255 characters'],
    [{ workspaceId: 'w1', what: 'workspace', endpointId: 'ep_1' }, 'an erasure of workspace has no option endpointId'],
  ])('says what is wrong, and writes nothing: %j', async (input, message) => {
    const made = await world()
    await expect(made.engine.erase(input as ErasureInput)).rejects.toThrow(message)
    expect(await made.count('keepsend_erasures')).toBe(0)
  })

  it('is one of at most ten of a workspace that have not ended; single events are not counted', async () => {
    const made = await world()
    const range = { workspaceId: 'w1', what: 'range', until: 1 } as const
    for (let n = 0; n < 10; n++) await made.engine.erase(range)
    await expect(made.engine.erase({ workspaceId: 'w1', what: 'workspace' })).rejects.toMatchObject({
      code: 'conflict',
    })
    // Nothing of it was committed.
    expect(await made.engine.endpoints.get('w1', made.endpointId)).toMatchObject({ id: made.endpointId })
    expect(await made.engine.erase({ workspaceId: 'w1', what: 'event', eventId: made.eventId })).toMatchObject({
      dropped: 1,
    })
    expect(await made.engine.erase({ ...range, workspaceId: 'w2' })).toMatchObject({ state: 'running' })
  })
})

it('a range that ends before it begins is refused by what acts on it, before anything is written', async () => {
  const { engine, count } = await world()
  const range = { since: 20, until: 10 }
  const refused = { code: 'invalid_request', message: 'until must be after since; found 10 and 20' }
  await expect(engine.erase({ workspaceId: 'w1', what: 'range', ...range })).rejects.toMatchObject(refused)
  await expect(engine.replays.create('w1', { what: 'failed', ...range })).rejects.toMatchObject(refused)
  expect(() => engine.export('w1', range)).toThrow(refused.message)
  expect([await count('keepsend_erasures'), await count('keepsend_replays')]).toEqual([0, 0])
})
