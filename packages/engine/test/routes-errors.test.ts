import { describe, expect, it } from 'vitest'
import type { SendResult } from '../src/index.ts'
import { api, read } from './routes.ts'

const failed = (reason: Extract<SendResult, { kind: 'error' }>['reason']) =>
  ({ kind: 'error', reason, message: 'what the sender says' }) as const

describe('a failed delivery has its class and its explanation', () => {
  it.each([
    [302, 'http_3xx', /redirects are not followed.*to the target of the redirect/],
    [401, 'http_4xx', /\(401\).*signing secret/],
    [404, 'http_4xx', /\(404\).*path in the URL/],
    [500, 'http_5xx', /log of the receiver/],
    [failed('timeout'), 'timeout', /within the deadline/],
    [failed('dns'), 'dns', /DNS records/],
    [failed('tls'), 'tls', /certificate/],
    [failed('blocked_address'), 'blocked_address', /public address/],
  ] as const)('%j: %s, in its list, by itself and with its event', async (answer, errorClass, explanation) => {
    const { call, addEndpoint, work } = await api({ answer: () => answer })
    await addEndpoint()
    const { body: event } = await read(call('POST', '/events', { type: 'a', data: {} }))
    const fresh = await read(call('GET', '/deliveries'))
    expect(fresh.body).toMatchObject({ data: [{ lastError: null, errorClass: null, explanation: null }] })
    await work()
    const shown = { errorClass, explanation: expect.stringMatching(explanation) }
    const { body: list } = await read(call('GET', '/deliveries'))
    expect(list).toMatchObject({ data: [shown] })
    const [{ id } = { id: '' }] = list['data'] as { id: string }[]
    expect((await read(call('GET', `/deliveries/${id}`))).body).toMatchObject(shown)
    expect((await read(call('GET', `/events/${String(event['id'])}`))).body).toMatchObject({ deliveries: [shown] })
  })

  it('none, once it is delivered', async () => {
    const { call, addEndpoint, work } = await api({ history: true })
    await addEndpoint()
    await call('POST', '/events', { type: 'a', data: {} })
    await work()
    expect((await read(call('GET', '/deliveries'))).body).toMatchObject({
      data: [{ status: 'completed', lastStatus: 200, errorClass: null, explanation: null }],
    })
  })

  it('for a URL that the policy no longer allows', async () => {
    const { call, addEndpoint, work, exec } = await api()
    await addEndpoint()
    await exec(`update keepsend_endpoints set url = 'ftp://hooks.example.com/'`)
    await call('POST', '/events', { type: 'a', data: {} })
    await work()
    expect((await read(call('GET', '/deliveries'))).body).toMatchObject({
      data: [{ errorClass: 'scheme', explanation: expect.stringMatching(/URL policy/) }],
    })
  })
})
