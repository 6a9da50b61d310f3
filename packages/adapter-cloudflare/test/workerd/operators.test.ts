// Own ids, API keys, the list of workspaces and tests, on D1 and with the sender of Workers.
import { describe, expect, it } from 'vitest'
import { OPERATOR_SCOPES, SCOPES } from '@keepsend/engine'
import { rig } from './rig.ts'

const url = 'https://hooks.example.com/'

describe('on D1', () => {
  it('one of several concurrent upserts creates the endpoint, and the others change it', async () => {
    const { engine, newIsolate } = await rig({ engine: { urlPolicy: {} } })
    const engines = [engine, newIsolate().engine]
    const results = await Promise.all(
      Array.from({ length: 6 }, (_, n) => (engines[n % 2] ?? engine).endpoints.upsert('w', 'crm-1', { url })),
    )
    expect(results.filter(({ isNew }) => isNew)).toHaveLength(1)
    expect(await engine.endpoints.getByUid('w', 'crm-1')).toMatchObject({ version: 6, metadata: {} })
    await expect(engine.endpoints.create('w', { url, uid: 'crm-1' })).rejects.toMatchObject({ code: 'conflict' })
    const other = await engine.endpoints.upsert('w', 'crm-2', { url, metadata: { plan: 'pro' } })
    await expect(engine.endpoints.update('w', other.endpoint.id, { uid: 'crm-1' })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('"crm-1"'),
    })
    expect(await engine.workspaces.list({ limit: 5 })).toEqual([{ id: 'w', endpoints: { enabled: 2, disabled: 0 } }])
  })

  it('an operator lists workspaces and manages keys over HTTP', async () => {
    const { engine } = await rig()
    const { key } = await engine.apiKeys.create({ workspaceId: 'ops', scopes: [...SCOPES, ...OPERATOR_SCOPES] })
    const call = async (method: string, path: string, body?: object): Promise<Record<string, unknown>> => {
      const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json', 'idempotency-key': path }
      const request = { method, headers, ...(body && { body: JSON.stringify(body) }) }
      const answer = await engine.routes.request(path, request)
      return answer.status === 204 ? {} : answer.json<Record<string, unknown>>()
    }
    const made = await call('POST', '/api-keys', { name: 'ci' })
    expect(made).toMatchObject({ name: 'ci', key: expect.stringMatching(/^ks_/) })
    expect(await call('POST', '/api-keys', { name: 'ci' })).toEqual({ ...made, key: null })
    const rotated = await call('POST', `/api-keys/${String(made['id'])}/rotate`, { overlapMs: 0 })
    expect(rotated).toMatchObject({ scopes: made['scopes'] })
    await call('DELETE', `/api-keys/${String(rotated['id'])}`)
    expect((await engine.apiKeys.list('ops')).map(({ name }) => name)).toEqual(['', 'ci'])
    expect(await call('GET', '/workspaces')).toEqual({ data: [{ id: 'ops', endpoints: { enabled: 0, disabled: 0 } }] })
  })

  it('a test is sent to a disabled endpoint, answered and recorded', async () => {
    const { engine, addEndpoint, db } = await rig({ engine: { history: true } })
    const hook = await addEndpoint({ status: 400, body: 'no' })
    await engine.endpoints.setStatus('w', hook.endpointId, 'disabled')
    const sent = await engine.sendTest('w', hook.endpointId, { type: 'order.paid', data: { id: 'o1' } })
    expect(sent).toMatchObject({
      outcome: 'failed',
      httpStatus: 400,
      errorClass: 'http_4xx',
      body: 'no',
      reason: 'test',
    })
    expect(await hook.arrivals()).toMatchObject([{ verified: true, headers: { 'webhook-test': 'true' } }])
    const { rows } = await db.run({ sql: 'select reason, outcome, body from keepsend_attempts', params: [] })
    expect(rows).toEqual([{ reason: 'test', outcome: 'failed', body: 'no' }])
    expect((await engine.problems.list('w', { limit: 1 })).rows).toEqual([])
  })
})
