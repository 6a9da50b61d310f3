// Replay jobs as clients of the API and callers of the engine see them: plans, limits, states, idempotency keys, bad input.
import { newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type ReplayInput, allWorkspaces } from '../src/index.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const NOBODYS = 'evt_01890000-0000-7000-8000-000000000000.ep_01890000-0000-7000-8000-000000000000'
const FAILED = { what: 'failed' } as const

/** An API, and endpoints with two failed deliveries each. */
async function world(endpoints = 1) {
  const made = await api({ history: true, answer: () => 400 })
  const ids: string[] = []
  for (let n = 0; n < endpoints; n++) ids.push((await made.addEndpoint()).id)
  for (let n = 0; n < 2; n++) await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
  await made.work({ limit: 1000 })
  await made.exec('update pending_events set completed_at = completed_at - 1000')
  const post = async (body: unknown, key?: string, path = '/replays') =>
    read(
      made.engine.routes.request(path, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${made.keys.w1}`,
          'content-type': 'application/json',
          ...(key !== undefined && { 'idempotency-key': key }),
        },
        ...(body !== undefined && { body: JSON.stringify(body) }),
      }),
    )
  return { ...made, endpointId: ids[0] ?? '', ids, post }
}

describe('a dry run', () => {
  it('counts what the job of the same moment plans, and writes nothing', async () => {
    const made = await world(3)
    const inputs: ReplayInput[] = [
      FAILED,
      { what: 'failed', endpointId: made.endpointId },
      { what: 'delivered' },
      { what: 'matching', status: 'failed' },
      { what: 'ids', ids: [NOBODYS, `${newEventId()}.${made.endpointId}`] },
    ]
    const planned = []
    for (const input of inputs) {
      const plan = await made.engine.replays.create('w1', { ...input, dryRun: true })
      expect(await made.count('keepsend_replays')).toBe(0)
      const job = await made.engine.replays.create('w1', input)
      expect({ planned: job.planned, plannedMore: job.plannedMore }).toEqual({
        planned: plan.planned,
        plannedMore: plan.plannedMore,
      })
      planned.push(plan.planned)
      await made.exec('delete from keepsend_replays')
    }
    expect(planned).toEqual([6, 2, 0, 6, 2])
  })

  it('over HTTP is answered with 200, under a key too', async () => {
    const made = await world()
    const body = { ...FAILED, dryRun: true }
    const first = await made.post(body, 'k1')
    expect(first).toMatchObject({
      status: 200,
      body: { planned: 2, plannedMore: false, reachesBackTo: expect.any(String) as string },
    })
    expect((await made.post(body, 'k1')).body['planned']).toBe(2)
    expect([await made.count('keepsend_replays'), await made.count('keepsend_idempotency_records')]).toEqual([0, 0])
  })

  it('is bounded: of many it says that there are more', async () => {
    const made = await world()
    await made.exec(
      made.db.dialect.name === 'postgres'
        ? `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, completed_at, created_at, payload)
           select 'evt_' || n || '.' || endpoint.id, 'w1', 'a', endpoint.id, 'failed', ms - 1000, 1, '{}'
           from generate_series(1, 10001) as many (n), keepsend_clock, keepsend_endpoints as endpoint`
        : `insert into pending_events (id, workspace_id, event_type, endpoint_id, status, completed_at, created_at, payload)
           with recursive many (n) as (select 1 union all select n + 1 from many where n < 10001)
           select 'evt_' || n || '.' || endpoint.id, 'w1', 'a', endpoint.id, 'failed', ms - 1000, 1, '{}' from many, keepsend_clock, keepsend_endpoints as endpoint`,
    )
    expect(await made.engine.replays.create('w1', { ...FAILED, dryRun: true })).toMatchObject({
      planned: 10_000,
      plannedMore: true,
    })
  })
})

describe('a replay over HTTP', () => {
  it('is made, shown, listed, paused, resumed and cancelled', async () => {
    const made = await world()
    const created = await made.post({ ...FAILED, endpointId: made.endpointId, since: '2026-01-01T00:00:00Z', rate: 5 })
    expect(created).toMatchObject({
      status: 201,
      body: {
        what: 'failed',
        endpointId: made.endpointId,
        filter: { since: '2026-01-01T00:00:00.000Z' },
        rate: 5,
        state: 'running',
        planned: 2,
      },
    })
    const path = `/replays/${String(created.body['id'])}`
    expect(await read(made.call('GET', path))).toEqual({ status: 200, body: created.body })
    expect(await read(made.call('GET', '/replays'))).toMatchObject({ status: 200, body: { data: [created.body] } })
    for (const [verb, state] of [
      ['pause', 'paused'],
      ['pause', 'paused'],
      ['resume', 'running'],
      ['resume', 'running'],
      ['cancel', 'cancelled'],
      ['cancel', 'cancelled'],
    ])
      expect(await made.post(undefined, undefined, `${path}/${verb}`)).toMatchObject({ status: 200, body: { state } })
    for (const verb of ['pause', 'resume'])
      expect(await made.post(undefined, undefined, `${path}/${verb}`)).toEqual(problem(409, 'conflict'))
    expect(await made.engine.worker.stepReplays()).toEqual({ steps: [], nextMs: null })
    expect((await made.rows()).map(({ status }) => status)).toEqual(['failed', 'failed'])
  })

  it('of an endpoint is the same job by the route of the endpoint', async () => {
    const made = await world(2)
    const path = `/endpoints/${made.endpointId}/replay`
    const first = await made.post({ since: '2026-01-01T00:00:00Z', rate: 5 }, 'k1', path)
    expect(first).toMatchObject({
      status: 201,
      body: { what: 'failed', endpointId: made.endpointId, planned: 2, rate: 5, state: 'running' },
    })
    expect(await made.post({ since: '2026-01-01T00:00:00Z', rate: 5 }, 'k1', path)).toEqual(first)
    expect(await made.post({}, undefined, path)).toEqual(problem(409, 'conflict'))
    for (const id of ['ep_none', (await made.addEndpoint({ workspaceId: 'w2' })).id])
      expect(await made.post({}, undefined, `/endpoints/${id}/replay`)).toEqual(problem(404, 'not_found'))
    expect(await made.count('keepsend_replays')).toBe(1)
  })

  it('is made once under an idempotency key, and its changes too', async () => {
    const made = await world()
    const first = await made.post(FAILED, 'k1')
    expect(first.status).toBe(201)
    await made.engine.worker.stepReplays()
    expect(await made.post(FAILED, 'k1')).toEqual(first)
    expect(await made.count('keepsend_replays')).toBe(1)
    const { body } = await made.post({ what: 'ids', ids: [NOBODYS] }, 'k2')
    const path = `/replays/${String(body['id'])}`
    const paused = await made.post(undefined, 'p', `${path}/pause`)
    expect(paused).toMatchObject({ status: 200, body: { state: 'paused' } })
    await made.engine.replays.resume('w1', String(body['id']))
    expect(await made.post(undefined, 'p', `${path}/pause`)).toEqual(paused)
    expect(await made.engine.replays.get('w1', String(body['id']))).toMatchObject({ state: 'running' })
  })

  it('that is refused stores nothing under its key, which can be used again', async () => {
    const made = await world()
    const { body } = await made.post(FAILED)
    expect(await made.post(FAILED, 'k1')).toEqual(problem(409, 'conflict'))
    expect(await made.count('keepsend_idempotency_records')).toBe(0)
    await made.engine.replays.cancel('w1', String(body['id']))
    expect((await made.post(FAILED, 'k1')).status).toBe(201)
  })

  it('is shown to its workspace alone, and to operators', async () => {
    const made = await world()
    const { id } = await made.engine.replays.create('w1', FAILED)
    expect(await made.engine.replays.list('w2', { limit: 10 })).toEqual({ rows: [], next: undefined, complete: true })
    await expect(made.engine.replays.get('w2', id)).rejects.toMatchObject({ code: 'not_retained' })
    expect(await made.engine.replays.get(allWorkspaces, id)).toMatchObject({ id, workspaceId: 'w1' })
    expect((await made.engine.replays.list(allWorkspaces, { limit: 10 })).rows).toMatchObject([{ id }])
  })

  it.each<[unknown]>([
    [{}],
    [{ what: 'other' }],
    [{ what: 'failed', rate: 0 }],
    [{ what: 'failed', rate: 1.5 }],
    [{ what: 'failed', surprise: 1 }],
    [{ what: 'failed', ids: [NOBODYS] }],
    [{ what: 'failed', since: 'yesterday' }],
    [{ what: 'missed' }],
    [{ what: 'matching', status: 'lost' }],
    [{ what: 'matching', type: 'a\0b' }],
    [{ what: 'failed', endpointId: 'ep_\0' }],
    [{ what: 'failed', endpointId: '\ud800' }],
    [{ what: 'ids', ids: [] }],
    [{ what: 'ids', ids: [`${newEventId()}.ep_\0`] }],
    [{ what: 'ids', ids: ['evt_1'] }],
    [{ what: 'ids', ids: ['👍.👍'] }],
    [{ what: 'ids', ids: Array.from({ length: 1001 }, (_, n) => `evt_${n}.ep_1`) }],
  ])('is refused before anything is written: %j', async (body) => {
    const made = await world()
    expect(await made.post(body)).toEqual(problem(400, 'invalid_request'))
    expect(await made.count('keepsend_replays')).toBe(0)
  })
})

it('an empty endpoint id is no endpoint, and never all of them', async () => {
  const made = await world()
  for (const what of ['failed', 'delivered', 'missed', 'matching'])
    expect(await made.post({ what, endpointId: '' })).toEqual(problem(404, 'not_found'))
  expect(await made.count('keepsend_replays')).toBe(0)
})

it('a job that was broken by hand is logged, and stops no other', async () => {
  const made = await world(2)
  const [broken, other] = [
    await made.engine.replays.create('w1', { ...FAILED, endpointId: made.ids[0] }),
    await made.engine.replays.create('w1', { ...FAILED, endpointId: made.ids[1] }),
  ]
  await made.exec(`update keepsend_replays set position = '{' where id = ?`, broken.id)
  expect(await made.engine.worker.stepReplays()).toMatchObject({ steps: [{ replayId: other.id }] })
  expect(made.log.entries.filter(({ level }) => level === 'error')).toMatchObject([
    { message: 'a step of a replay failed; retrying', fields: { replayId: broken.id } },
  ])
})

describe('the limits of replays', () => {
  it('one of an endpoint, one of several endpoints together, ten of a workspace', async () => {
    const made = await world(12)
    const create = (endpointId?: string) => made.engine.replays.create('w1', { ...FAILED, endpointId })
    for (const endpointId of [undefined, made.ids[0]]) {
      const { id } = await create(endpointId)
      await expect(create(endpointId)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringContaining(id) as string,
      })
    }
    for (const endpointId of made.ids.slice(1, 9)) await create(endpointId)
    const refused = { code: 'too_many_replays', status: 429, retryAfterSeconds: 10 }
    await expect(create(made.ids[9])).rejects.toMatchObject(refused)
    expect(await made.post({ ...FAILED, endpointId: made.ids[9] }, 'k1')).toEqual(problem(429, 'too_many_replays'))
    // Another workspace has its own.
    await made.engine.replays.create('w2', { what: 'ids', ids: [NOBODYS] })
    const [last] = (await made.engine.replays.list('w1', { limit: 1 })).rows
    await made.engine.replays.cancel('w1', last?.id ?? '')
    expect(await create(made.ids[9])).toMatchObject({ state: 'running' })
  })

  it('hold when many are made concurrently', async () => {
    const made = await world(14)
    const all = await Promise.allSettled(
      [...made.ids, made.ids[0]].map((endpointId) => made.engine.replays.create('w1', { ...FAILED, endpointId })),
    )
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(10)
    expect(await made.select('select count(*) as n, count(distinct endpoint_id) as d from keepsend_replays')).toEqual([
      { n: 10, d: 10 },
    ])
  })
})

describe('a replay that may be made once in a time', () => {
  const HOUR = { oncePerMs: 3_600_000 }
  const hourLater = `update keepsend_replays set id = 'rep_00000000-0000' || substr(id, 18), created_at = created_at - 3600000`

  it('is refused until then, with the time of the next, for its endpoint alone', async () => {
    const made = await world(2)
    const create = (endpointId: string | undefined) => made.engine.replays.create('w1', { ...FAILED, endpointId }, HOUR)
    const { id, createdAt } = await create(made.endpointId)
    await made.engine.worker.stepReplays()
    expect(await made.engine.replays.get('w1', id)).toMatchObject({ state: 'completed', sent: 2 })
    const refused = await create(made.endpointId).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      code: 'too_many_replays',
      status: 429,
      message: expect.stringContaining(
        `the next may begin at ${new Date(createdAt + 3_600_000).toISOString()}`,
      ) as string,
    })
    const { retryAfterSeconds } = refused as { retryAfterSeconds: number }
    expect(retryAfterSeconds).toBeGreaterThan(3500)
    expect(retryAfterSeconds).toBeLessThanOrEqual(3600)
    // Another endpoint, several endpoints, another workspace, and a caller without the option.
    await create(made.ids[1])
    await create(undefined)
    await made.engine.replays.create('w2', FAILED, HOUR)
    await made.engine.replays.create('w1', { ...FAILED, endpointId: made.endpointId })
    await made.exec(hourLater)
    expect(await create(made.endpointId)).toMatchObject({ endpointId: made.endpointId })
  })

  it('is not hindered by a replay of one delivery, nor by one that sent nothing', async () => {
    const made = await world()
    const [row] = await made.rows()
    await made.engine.deliveries.replay('w1', row?.id ?? '')
    const create = () => made.engine.replays.create('w1', { ...FAILED, endpointId: made.endpointId }, HOUR)
    const { id } = await create()
    await made.engine.replays.cancel('w1', id)
    expect(await create()).toMatchObject({ state: 'running' })
  })

  it('is made once by many creators, and a dry run is free', async () => {
    const made = await world()
    const input = { ...FAILED, endpointId: made.endpointId } as const
    const all = await Promise.allSettled(Array.from({ length: 4 }, () => made.engine.replays.create('w1', input, HOUR)))
    expect(all.filter(({ status }) => status === 'fulfilled')).toHaveLength(1)
    const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []))
    expect(refused).toEqual(Array(3).fill(expect.objectContaining({ code: 'too_many_replays' })))
    expect(await made.count('keepsend_replays')).toBe(1)
    const dry = { ...input, dryRun: true } as typeof input
    expect(await made.engine.replays.create('w1', dry, HOUR)).toMatchObject({ planned: 2 })
    expect(await made.count('keepsend_replays')).toBe(1)
  })

  it('is decided in its transaction: another was made and has ended since it looked', async () => {
    const made = await world()
    const input = { ...FAILED, endpointId: made.endpointId } as const
    let meanwhile: (() => Promise<void>) | undefined = async () => {
      await made.engine.replays.create('w1', input, HOUR)
      await made.engine.worker.stepReplays()
    }
    const other = await rig({
      on: made,
      wrap: (db) => ({
        ...db,
        async atomic(statements) {
          const first = meanwhile
          meanwhile = undefined
          await first?.()
          return db.atomic(statements)
        },
      }),
    })
    await expect(other.engine.replays.create('w1', input, HOUR)).rejects.toMatchObject({ code: 'too_many_replays' })
    expect(await made.select('select state from keepsend_replays')).toEqual([{ state: 'completed' }])
  })

  it.each([0, 1.5, 30 * 86_400_000 + 1])('refuses %d ms', async (oncePerMs) => {
    const made = await world()
    await expect(made.engine.replays.create('w1', FAILED, { oncePerMs })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('oncePerMs') as string,
    })
  })
})

it('a job is deleted 30 days after its end, by maintenance, and a running one stays', async () => {
  const made = await world(2)
  const [done, running] = [
    await made.engine.replays.create('w1', { ...FAILED, endpointId: made.ids[0] }),
    await made.engine.replays.create('w1', { ...FAILED, endpointId: made.ids[1] }),
  ]
  await made.engine.replays.cancel('w1', done.id)
  await made.exec('update keepsend_replays set created_at = 1')
  expect(await made.engine.worker.maintain()).toMatchObject({ deletedReplays: 0 })
  await made.exec('update keepsend_replays set ended_at = ended_at - 2592001000')
  expect(await made.engine.worker.maintain()).toMatchObject({ deletedReplays: 1, more: false })
  expect((await made.engine.replays.list('w1', { limit: 9 })).rows.map(({ id }) => id)).toEqual([running.id])
})
