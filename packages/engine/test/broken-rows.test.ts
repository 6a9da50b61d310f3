// A person changes a row by hand, without any check, and damages a column: only that row is affected.
import { describe, expect, it } from 'vitest'
import { openDatabase, openFile, temporaryFile } from './database.ts'
import { api, read } from './routes.ts'
import { bearer, rig } from './rig.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'

/** A database without constraints, so that rows can be damaged by hand. */
async function unchecked() {
  if (onPostgres) {
    const on = await openDatabase()
    const uncheck = async (): Promise<void> => {
      for (const column of ['status', 'circuit', 'rate_period']) {
        const name = `keepsend_endpoints_${column}_check`
        await on.db.run({ sql: `alter table keepsend_endpoints drop constraint ${name}`, params: [] })
      }
    }
    return { on, uncheck }
  }
  const { database: on, connection } = openFile(temporaryFile())
  return { on, uncheck: async () => void connection.pragma('ignore_check_constraints = on') }
}

describe('an endpoint with a column that was damaged by hand', () => {
  it('is listed and shown with the names of the unreadable columns, beside other endpoints', async () => {
    const { on, uncheck } = await unchecked()
    const { addEndpoint, exec, call } = await api({ on })
    await uncheck()
    const [first, broken, last] = [await addEndpoint(), await addEndpoint(), await addEndpoint()]
    await exec(
      `update keepsend_endpoints set event_types = '["a', channels = '5', headers = 'null', retry_schedule = '{}',
        retry_statuses = '["x"]', signatures = '["v2"]', disabled_reason = 'mood', status = 'on', circuit = 'half', rate_period = 'day' where id = ?`,
      broken.id,
    )
    const { status, body } = await read(call('GET', '/endpoints'))
    const shown = body['data'] as Record<string, unknown>[]
    expect([status, shown.map(({ id }) => id)]).toEqual([200, [first.id, broken.id, last.id]])
    expect(shown.map((one) => 'unreadable' in one)).toEqual([false, true, false])
    const instead = {
      status: 'disabled',
      disabledReason: null,
      circuit: 'closed',
      ratePeriod: 'second',
      eventTypes: [],
      channels: [],
      headerNames: [],
      retrySchedule: null,
      retryStatuses: [],
      signatures: [],
    }
    expect(shown[1]).toMatchObject(instead)
    expect(shown[1]?.['unreadable']).toEqual(
      expect.arrayContaining([
        'status',
        'disabledReason',
        'signatures',
        'circuit',
        'ratePeriod',
        'eventTypes',
        'channels',
        'headers',
        'retrySchedule',
      ]),
    )
    expect(await read(call('GET', `/endpoints/${broken.id}`))).toMatchObject({ status: 200, body: instead })
  })

  it('is repaired by a change, and can be deleted', async () => {
    const { addEndpoint, exec, call } = await api()
    const [one, other] = [await addEndpoint(), await addEndpoint()]
    await exec(`update keepsend_endpoints set event_types = '[', retry_schedule = 'soon'`)
    const mended = await read(call('PATCH', `/endpoints/${one.id}`, { eventTypes: ['a'], retrySchedule: [5] }))
    expect(mended).toMatchObject({ status: 200, body: { eventTypes: ['a'], retrySchedule: [5] } })
    expect(mended.body).not.toHaveProperty('unreadable')
    expect((await call('DELETE', `/endpoints/${other.id}`)).status).toBe(204)
    expect(await read(call('GET', '/endpoints'))).toMatchObject({ body: { data: [{ id: one.id }] } })
  })

  it('of an unknown status is treated as disabled: its rows are held, and not claimed in a loop', async () => {
    const { on, uncheck } = await unchecked()
    const made = await rig({ on })
    await uncheck()
    const { id } = await made.addEndpoint()
    await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await made.exec("update keepsend_endpoints set status = 'on' where id = ?", id)
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    expect((await made.work()).map(({ kind }) => kind).sort()).toEqual(['complete', 'complete', 'hold'])
    const held = { endpointId: id, status: 'held', holdReason: 'endpoint_disabled' }
    expect(await made.rows()).toMatchObject([held, held])
    expect(await made.work()).toEqual([])
    await made.engine.endpoints.setStatus('w1', id, 'enabled')
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete', 'complete'])
  })

  it('of an unknown circuit or rate period resumes as if its circuit were closed, and delays no other endpoint', async () => {
    const { on, uncheck } = await unchecked()
    const made = await rig({ on })
    await uncheck()
    const [broken, well] = [await made.addEndpoint({ rateLimit: 10 }), await made.addEndpoint()]
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await made.exec("update pending_events set status = 'held', hold_reason = 'rate_limited', ready = 0, due_at = null")
    await made.exec('update keepsend_endpoints set resume_at = 1 where id = ?', well.id)
    await made.exec(
      "update keepsend_endpoints set resume_at = 0, circuit = 'half', rate_period = 'day' where id = ?",
      broken.id,
    )
    const { resumed } = await made.engine.worker.resumeHeld({})
    expect(new Set(resumed.map(({ id }) => id.split('.')[1]))).toEqual(new Set([broken.id, well.id]))
    expect((await made.engine.worker.resumeHeld({})).resumed).toEqual([])
  })
})

describe('a row that was damaged by hand', () => {
  it('of an API key with unreadable scopes gives no permission, and the other keys are listed', async () => {
    const { engine, exec } = await rig()
    const broken = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['events:read'] })
    const well = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['events:read'] })
    await exec("update keepsend_api_keys set scopes = '[' where id = ?", broken.id)
    const listed = await engine.apiKeys.list('w1')
    expect(listed.map(({ id, scopes }) => [id, scopes])).toEqual([
      [broken.id, []],
      [well.id, ['events:read']],
    ])
    expect(await engine.apiKeys.authenticate(bearer(broken.key))).toMatchObject({ workspaceId: 'w1', scopes: [] })
    await exec(`update keepsend_api_keys set scopes = '["events:read","root"]' where id = ?`, broken.id)
    expect(await engine.apiKeys.authenticate(bearer(broken.key))).toMatchObject({ scopes: ['events:read'] })
  })

  it('of a delivery with a payload that is no JSON, or an invalid time, is shown as far as it can be read', async () => {
    const { engine, exec, addEndpoint, call } = await api()
    await addEndpoint()
    const { eventId } = await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const next = await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await exec(`update pending_events set payload = '{', created_at = 9000000000000000 where id like ?`, `${eventId}.%`)
    await exec(
      "update pending_events set status = 'held', ready = 0, due_at = null, hold_reason = 'mood' where id like ?",
      `${next.eventId}.%`,
    )
    expect(await read(call('GET', `/events/${eventId}`))).toMatchObject({ status: 200, body: { payload: '{' } })
    for (const list of ['/events', '/deliveries']) {
      const { status, body } = await read(call('GET', list))
      expect([status, (body['data'] as unknown[]).length]).toEqual([200, 2])
    }
    expect(await read(call('GET', `/events/${eventId}`))).toMatchObject({
      body: { createdAt: '9999-12-31T23:59:59.999Z' },
    })
    expect(await read(call('GET', `/events/${next.eventId}`))).toMatchObject({
      status: 200,
      body: { deliveries: [{ status: 'held', holdReason: null }] },
    })
  })
})
