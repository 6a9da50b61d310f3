import { describe, expect, it } from 'vitest'
import type { SendResult } from '../sender.ts'
import { type ResponseContext, classifyResponse, pushbackOf, rescheduleOrFail } from './classify-response.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')

function context(event: Partial<ResponseContext['event']> = {}): ResponseContext {
  return {
    event: { attempts: 1, maxAttempts: 10, claimedAt: NOW, ...event },
    endpoint: { id: 'ep_1', version: 7, retrySchedule: [5, 300, 1800], retryStatuses: [] },
    now: NOW,
    maxPauseMs: 3_600_000,
    random: () => 0,
  }
}

function answer(status: number, headers: Record<string, string> = {}, body = ''): SendResult {
  return { kind: 'response', status, header: (name) => headers[name], body: new TextEncoder().encode(body) }
}

/** The whole table in five lines; every other status is a failure that is retried. */
function expectedKind(status: number): string {
  if (status >= 200 && status <= 299) return 'complete'
  if (status === 410) return 'disable_endpoint'
  if (status === 429) return 'hold'
  if (status >= 400 && status <= 499 && ![408, 421, 425].includes(status)) return 'fail'
  return 'reschedule'
}

describe('the classification of a status', () => {
  const statuses = Array.from({ length: 900 }, (_, index) => index + 100)

  it.each([...new Set(statuses.map(expectedKind))])('of 100 to 999, exactly those of the table are %s', (kind) => {
    const classified = statuses.filter((status) => classifyResponse(answer(status), context()).kind === kind)
    expect(classified).toEqual(statuses.filter((status) => expectedKind(status) === kind))
  })

  it('is a success only from 200 to 299', () => {
    const delivered = statuses.filter((status) => classifyResponse(answer(status), context()).kind === 'complete')
    expect([delivered.length, delivered[0], delivered.at(-1)]).toEqual([100, 200, 299])
    expect(classifyResponse(answer(204), context())).toEqual({ kind: 'complete', httpStatus: 204 })
  })

  it('is a retried failure for a redirect, which is not followed, wherever it points (trap 29)', () => {
    for (const status of [300, 301, 302, 303, 304, 307, 308]) {
      const outcome = classifyResponse(answer(status, { location: 'https://elsewhere.example.com/' }), context())
      expect(outcome).toEqual({
        kind: 'reschedule',
        delayMs: 5000,
        deferral: false,
        error: `HTTP ${status}`,
        httpStatus: status,
      })
    }
  })

  it('is a retried failure for an informational or invalid status', () => {
    for (const status of [100, 101, 103, 199, 600, 999])
      expect(classifyResponse(answer(status), context()).kind).toBe('reschedule')
  })

  it('names the endpoint and the version that the attempt read for 410', () => {
    expect(classifyResponse(answer(410, {}, 'gone'), context())).toEqual({
      kind: 'disable_endpoint',
      reason: 'gone',
      endpointId: 'ep_1',
      endpointVersion: 7,
      error: 'HTTP 410: gone',
      httpStatus: 410,
    })
  })

  it('fails the delivery for any other 4xx, however many attempts are left', () => {
    expect(classifyResponse(answer(404), context())).toEqual({ kind: 'fail', error: 'HTTP 404', httpStatus: 404 })
  })

  it('retries a 4xx that the endpoint names, within its attempts, and no other', () => {
    const named = context()
    named.endpoint.retryStatuses = [404, 409]
    expect(classifyResponse(answer(404), named)).toMatchObject({ kind: 'reschedule', delayMs: 5000, deferral: false })
    expect(classifyResponse(answer(400), named).kind).toBe('fail')
    const last = { ...named, event: context({ attempts: 10 }).event }
    expect(classifyResponse(answer(404), last).kind).toBe('fail')
  })

  it('lets a receiver abort the delivery, or disable its endpoint', () => {
    const abort = { 'webhook-delivery': ' Abort-Message ' }
    expect(classifyResponse(answer(503, abort), context())).toEqual({
      kind: 'fail',
      error: 'HTTP 503',
      httpStatus: 503,
    })
    expect(classifyResponse(answer(200, abort), context())).toEqual({ kind: 'complete', httpStatus: 200 })
    for (const status of [200, 302, 404, 500]) {
      expect(classifyResponse(answer(status, { 'webhook-delivery': 'disable' }), context())).toMatchObject({
        kind: 'disable_endpoint',
        reason: 'receiver_requested',
        endpointId: 'ep_1',
        endpointVersion: 7,
        httpStatus: status,
      })
    }
    expect(classifyResponse(answer(500, { 'webhook-delivery': 'explode' }), context()).kind).toBe('reschedule')
  })

  it('shows the first 300 bytes of an answer', () => {
    const outcome = classifyResponse(answer(500, {}, 'x'.repeat(5000)), context())
    expect(outcome).toMatchObject({ error: `HTTP 500: ${'x'.repeat(300)}` })
  })
})

describe('an exchange without an answer', () => {
  it.each(['timeout', 'dns', 'connect', 'tls', 'network', 'blocked_address', 'invalid_response'] as const)(
    'that ends with %s is retried',
    (reason) => {
      const outcome = classifyResponse({ kind: 'error', reason, message: 'what happened' }, context({ attempts: 2 }))
      expect(outcome).toEqual({
        kind: 'reschedule',
        delayMs: 300_000,
        deferral: false,
        error: `${reason}: what happened`,
      })
    },
  )

  it('fails the delivery on the last attempt', () => {
    const outcome = classifyResponse({ kind: 'error', reason: 'timeout', message: 'slow' }, context({ attempts: 10 }))
    expect(outcome).toEqual({ kind: 'fail', error: 'timeout: slow' })
  })
})

describe('a wait that the receiver asked for', () => {
  const retryAfter = { 'retry-after': '60' }
  const pauseMs = (result: SendResult, given = context()) => {
    const outcome = classifyResponse(result, given)
    return outcome.kind === 'hold' ? outcome.requestedPause?.pauseMs : undefined
  }

  it.each([429, 503])('of %i with Retry-After pauses the endpoint, on the last attempt too (trap 22)', (status) => {
    expect(classifyResponse(answer(status, retryAfter), context({ attempts: 10 }))).toEqual({
      kind: 'hold',
      reason: 'endpoint_paused',
      requestedPause: { pauseMs: 60_000, error: `HTTP ${status}`, httpStatus: status },
    })
  })

  it('is never shortened, is lengthened by jitter, and is at least a second and at most an hour', () => {
    expect(pauseMs(answer(429, retryAfter), { ...context(), random: () => 1 })).toBe(66_000)
    expect(pauseMs(answer(429, { 'retry-after': '0' }))).toBe(1000)
    expect(pauseMs(answer(503, { 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }))).toBe(1000)
    expect(pauseMs(answer(503, { 'retry-after': '86400' }), { ...context(), random: () => 1 })).toBe(3_600_000)
    expect(pauseMs(answer(429, retryAfter), { ...context(), maxPauseMs: 5000 })).toBe(5000)
  })

  it('pauses for the first wait of the schedule, at least a second, after a 429 without a readable Retry-After', () => {
    for (const headers of [{}, { 'retry-after': 'later' }]) expect(pauseMs(answer(429, headers))).toBe(5000)
    const short = context()
    short.endpoint.retrySchedule = []
    expect(pauseMs(answer(429), short)).toBe(1000)
  })

  it('is not recognised in a 503 without a readable Retry-After, a failure like any other', () => {
    for (const headers of [{}, { 'retry-after': 'later' }]) {
      expect(classifyResponse(answer(503, headers), context())).toMatchObject({
        kind: 'reschedule',
        deferral: false,
        delayMs: 5000,
      })
    }
  })

  it('is honoured with every other failure except 410, and the attempt counts', () => {
    for (const status of [404, 408, 409, 421, 425, 500, 502, 504]) {
      expect(classifyResponse(answer(status, retryAfter), context())).toMatchObject({
        kind: 'reschedule',
        deferral: false,
        delayMs: 60_000,
      })
    }
    expect(classifyResponse(answer(409, retryAfter), context({ attempts: 10 })).kind).toBe('fail')
    expect(classifyResponse(answer(410, retryAfter), context()).kind).toBe('disable_endpoint')
  })

  it('that is a date is measured by the time of the database', () => {
    expect(pauseMs(answer(503, { 'retry-after': 'Mon, 23 Nov 2026 12:10:00 GMT' }))).toBe(600_000)
  })
})

describe('the pushback of an exchange', () => {
  it.each([
    ['429', answer(429), 'paused'],
    ['503 with Retry-After', answer(503, { 'retry-after': '1' }), 'paused'],
    ['502', answer(502), 'slow'],
    ['503', answer(503), 'slow'],
    ['504', answer(504), 'slow'],
    ['a time-out', { kind: 'error', reason: 'timeout', message: '' }, 'slow'],
    ['a refused connection', { kind: 'error', reason: 'network', message: '' }, 'none'],
    ['500', answer(500), 'none'],
    ['200', answer(200), 'none'],
  ] as const)('%s: %s', (_name, result, pushback) => {
    expect(pushbackOf(result, classifyResponse(result, context()))).toBe(pushback)
  })
})

describe('the number of an attempt', () => {
  it('is the counted attempts for a claimed row, because the claim has counted it', () => {
    expect(rescheduleOrFail(context({ attempts: 1 }), 'network: reset')).toMatchObject({ delayMs: 5000 })
    expect(rescheduleOrFail(context({ attempts: 9 }), 'network: reset').kind).toBe('reschedule')
    expect(rescheduleOrFail(context({ attempts: 10 }), 'network: reset').kind).toBe('fail')
  })

  it('is one more than the counted attempts for a message of a push queue, which counts at its settle', () => {
    expect(rescheduleOrFail(context({ attempts: 0, claimedAt: null }), 'network: reset')).toMatchObject({
      delayMs: 5000,
    })
    expect(rescheduleOrFail(context({ attempts: 8, claimedAt: null }), 'network: reset').kind).toBe('reschedule')
    expect(rescheduleOrFail(context({ attempts: 9, claimedAt: null }), 'network: reset').kind).toBe('fail')
  })

  it('is at most 1 if one attempt is allowed', () => {
    expect(rescheduleOrFail(context({ maxAttempts: 1 }), 'network: reset', 500)).toEqual({
      kind: 'fail',
      error: 'network: reset',
      httpStatus: 500,
    })
  })
})
