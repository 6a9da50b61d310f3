import { describe, expect, it } from 'vitest'
import { openDatabase } from './database.ts'
import type { SendRequest } from '../src/index.ts'
import { type Grant, auth, world } from './oauth2-rig.ts'
import { type Answer, LATER } from './rig.ts'

describe('a token request that fails', () => {
  it.each<[string, Answer, RegExp]>([
    [
      'a refusal',
      { status: 401, body: '{"error":"invalid_client","error_description":"s3cret-of-c"}' },
      /status 401: invalid_client, …$/,
    ],
    ['trouble', 503, /the token server answered with status 503$/],
    ['a redirect', 307, /redirects are not followed$/],
    ['no JSON', { status: 200, body: 'ok s3cret-of-c' }, /answered without a JSON object$/],
    ['a line in its token', { status: 200, body: '{"access_token":"a\\r\\nb: c"}' }, /that no header can carry$/],
    ['a time-out', { kind: 'error', reason: 'timeout', message: 'late' }, /the token request failed: timeout: late$/],
    ['a blocked address', { kind: 'error', reason: 'blocked_address', message: 'no' }, /blocked_address: no$/],
  ])('is a failed attempt of the class auth, and nothing is sent: %s', async (_, grant, error) => {
    const made = await world({ grant: () => ({ answer: grant }) })
    expect(await made.send()).toMatchObject([
      { kind: 'reschedule', deferral: false, error: expect.stringMatching(error), attempt: { endpointId: made.id } },
    ])
    expect(await made.rows()).toMatchObject([
      { status: 'pending', attempts: 1, lastError: expect.stringMatching(/^auth: /), lastStatus: null },
    ])
    expect(made.received).toEqual([])
    expect((await made.engine.endpoints.get('w1', made.id)).failingSince).toEqual(expect.any(Number))
    expect(JSON.stringify([await made.rows(), made.log.entries])).not.toContain('s3cret')
  })

  it('counts for the circuit like any failure, until a token is issued', async () => {
    let isWell = false
    const made = await world({ grant: () => (isWell ? {} : { answer: 500 }), circuit: { failuresInRow: 3 } })
    for (let sent = 0; sent < 3; sent++) await made.send()
    expect(await made.engine.endpoints.get('w1', made.id)).toMatchObject({ circuit: 'open' })
    isWell = true
    await made.engine.endpoints.setStatus('w1', made.id, 'enabled')
    expect((await made.work({ now: LATER })).every(({ kind }) => kind === 'complete')).toBe(true)
    expect(await made.rows()).toEqual([])
  })

  it('counts as an attempt of the schedule', async () => {
    const made = await world({ grant: () => ({ answer: 500 }), endpoint: { retrySchedule: [1] } })
    await made.send()
    await made.work({ now: LATER })
    expect(await made.rows()).toMatchObject([
      { status: 'failed', attempts: 2, lastError: expect.stringMatching(/^auth: /) },
    ])
  })

  it('is not repeated before the Retry-After of the token server', async () => {
    const busy = { answer: { status: 429, headers: { 'retry-after': '120' } } }
    const made = await world({
      grant: (count) => (count === 1 ? busy : {}),
      endpoint: { retrySchedule: [1, 1, 1] },
    })
    const start = LATER - 2 * 86_400_000
    expect(await made.send(start)).toMatchObject([{ kind: 'reschedule', delayMs: 120_000 }])
    const both = [
      { kind: 'reschedule', delayMs: 100_000 },
      { kind: 'reschedule', delayMs: 100_000 },
    ]
    expect(await made.send(start + 20_000)).toMatchObject(both)
    expect(made.asked).toHaveLength(1)
    expect(await made.work({ now: start + 120_000 })).toMatchObject([{ kind: 'complete' }, { kind: 'complete' }])
  })

  it('names a token URL that the policy now refuses, and sends nothing there', async () => {
    const on = await openDatabase()
    await world({ on })
    const made = await world({ on, noEndpoint: true, urlPolicy: { denyHosts: ['login.example.com'] } })
    const error = 'auth: the URL of the token server: address not allowed (blocked_address)'
    expect(await made.send()).toMatchObject([{ kind: 'reschedule', deferral: false, error }])
    expect([made.asked, made.received]).toEqual([[], []])
  })
})

describe('an error', () => {
  it('quotes no credential of the request that the receiver echoes', async () => {
    const respond = ({ headers }: SendRequest) => ({ status: 500, body: JSON.stringify(headers) })
    const headers = { 'x-api-key': 'key-of-the-customer' }
    const made = await world({ respond, endpoint: { headers } })
    await made.send()
    await made.engine.endpoints.update('w1', made.id, { auth: { type: 'basic', username: 'us', password: 'passw0rd' } })
    await made.send()
    const errors = JSON.stringify((await made.rows()).map(({ lastError }) => lastError))
    expect(errors).toMatch(/HTTP 500: .*authorization/)
    for (const secret of ['t1', 'key-of-the-customer', Buffer.from('us:passw0rd').toString('base64')]) {
      expect(errors).not.toContain(`${secret}"`)
      expect(errors).not.toContain(`${secret}\\`)
    }
  })

  it('of a token server that echoes the request contains the secret in none of its forms', async () => {
    const clientSecret = 'p@ss word+1'
    const encoded = new URLSearchParams({ '': clientSecret }).toString().slice(1)
    const basic = Buffer.from(`c:${encoded}`).toString('base64')
    const echo = JSON.stringify({
      error: 'invalid_client',
      error_description: `${clientSecret} ${encoded} Basic ${basic}`,
    })
    const made = await world({
      grant: () => ({ answer: { status: 401, body: echo } }),
      endpoint: { auth: { ...auth, clientSecret } },
    })
    await made.send()
    const [row] = await made.rows()
    expect(row?.lastError).toBe('auth: the token server answered with status 401: invalid_client, … … …')
  })
})

describe('the deadline of an attempt', () => {
  it('covers token request and attempt together', async () => {
    const clock = { ms: 0 }
    const made = await world({
      monotonic: () => clock.ms,
      deadlineMs: 5000,
      grant: () => {
        clock.ms += 1800
        return {}
      },
    })
    expect(await made.send()).toMatchObject([{ kind: 'complete', attempt: { tookMs: 1800 } }])
    expect(made.received).toMatchObject([{ deadlineMs: 3200 }])
    await made.send()
    expect(made.received[1]).toMatchObject({ deadlineMs: 5000 })
  })

  it('ends an attempt whose token does not arrive, as a time-out', async () => {
    const made = await world({ deadlineMs: 500, grant: () => new Promise<Grant>(() => {}) })
    expect(await made.send()).toMatchObject([
      {
        kind: 'reschedule',
        error: 'auth: the token request failed: timeout: no complete answer within 500 ms',
        attempt: { timedOut: true, pushback: 'slow' },
      },
    ])
    expect(made.received).toEqual([])
  })
})
