import { describe, expect, it } from 'vitest'
import type { SendResult } from './sender.ts'
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

/** The whole table in five lines; every other number is a failure that is tried again. */
function expectedKind(status: number): string {
  if (status >= 200 && status <= 299) return 'complete'
  if (status === 410) return 'disable_endpoint'
  if (status === 429) return 'hold'
  if (status >= 400 && status <= 499 && ![408, 421, 425].includes(status)) return 'fail'
  return 'reschedule'
}

describe('the verdict on a status', () => {
  const statuses = Array.from({ length: 900 }, (_, index) => index + 100)

  it.each([...new Set(statuses.map(expectedKind))])('of 100 to 999, exactly those of the table are %s', (kind) => {
    const judged = statuses.filter((status) => classifyResponse(answer(status), context()).kind === kind)
    expect(judged).toEqual(statuses.filter((status) => expectedKind(status) === kind))
  })

  it('only 200 to 299 is a success', () => {
    const delivered = statuses.filter((status) => classifyResponse(answer(status), context()).kind === 'complete')
    expect([delivered.length, delivered[0], delivered.at(-1)]).toEqual([100, 200, 299])
    expect(classifyResponse(answer(204), context())).toEqual({ kind: 'complete', httpStatus: 204 })
  })

  it('a redirect is a failure, wherever it points, and is tried again at the same URL (trap 29)', () => {
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

  it('an informational or made-up status is a failure that is tried again', () => {
    for (const status of [100, 101, 103, 199, 600, 999])
      expect(classifyResponse(answer(status), context()).kind).toBe('reschedule')
  })

  it('410 names the endpoint and the version that the attempt read', () => {
    expect(classifyResponse(answer(410, {}, 'gone'), context())).toEqual({
      kind: 'disable_endpoint',
      reason: 'gone',
      endpointId: 'ep_1',
      endpointVersion: 7,
      error: 'HTTP 410: gone',
      httpStatus: 410,
    })
  })

  it('any other 4xx ends the delivery, however many attempts are left', () => {
    expect(classifyResponse(answer(404), context())).toEqual({ kind: 'fail', error: 'HTTP 404', httpStatus: 404 })
  })

  it('a 4xx that the endpoint names is tried again, within its attempts; no other becomes it', () => {
    const named = context()
    named.endpoint.retryStatuses = [404, 409]
    expect(classifyResponse(answer(404), named)).toMatchObject({ kind: 'reschedule', delayMs: 5000, deferral: false })
    expect(classifyResponse(answer(400), named).kind).toBe('fail')
    const last = { ...named, event: context({ attempts: 10 }).event }
    expect(classifyResponse(answer(404), last).kind).toBe('fail')
  })

  it('a receiver may ask for the end of the delivery, or of all of them', () => {
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

  it('an answer is shown by its first 300 bytes', () => {
    const outcome = classifyResponse(answer(500, {}, 'x'.repeat(5000)), context())
    expect(outcome).toMatchObject({ error: `HTTP 500: ${'x'.repeat(300)}` })
  })
})

describe('an exchange that came to no answer', () => {
  it.each(['timeout', 'dns', 'connect', 'tls', 'network', 'blocked_address', 'invalid_response'] as const)(
    '%s is tried again',
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

  it('is the end on the last attempt', () => {
    const outcome = classifyResponse({ kind: 'error', reason: 'timeout', message: 'slow' }, context({ attempts: 10 }))
    expect(outcome).toEqual({ kind: 'fail', error: 'timeout: slow' })
  })
})

describe('a wait that the receiver asked for', () => {
  const asked = { 'retry-after': '60' }
  const pauseMs = (result: SendResult, given = context()) => {
    const outcome = classifyResponse(result, given)
    return outcome.kind === 'hold' ? outcome.requestedPause?.pauseMs : undefined
  }

  it.each([429, 503])('%i with Retry-After pauses the endpoint, on the last attempt too (trap 22)', (status) => {
    expect(classifyResponse(answer(status, asked), context({ attempts: 10 }))).toEqual({
      kind: 'hold',
      reason: 'endpoint_paused',
      requestedPause: { pauseMs: 60_000, error: `HTTP ${status}`, httpStatus: status },
    })
  })

  it('is never undercut, has its jitter on top, and is a second at least and an hour at most', () => {
    expect(pauseMs(answer(429, asked), { ...context(), random: () => 1 })).toBe(66_000)
    expect(pauseMs(answer(429, { 'retry-after': '0' }))).toBe(1000)
    expect(pauseMs(answer(503, { 'retry-after': 'Mon, 23 Nov 2026 11:00:00 GMT' }))).toBe(1000)
    expect(pauseMs(answer(503, { 'retry-after': '86400' }), { ...context(), random: () => 1 })).toBe(3_600_000)
    expect(pauseMs(answer(429, asked), { ...context(), maxPauseMs: 5000 })).toBe(5000)
  })

  it('429 pauses without a readable Retry-After too: for the first wait of the schedule, a second at least', () => {
    for (const headers of [{}, { 'retry-after': 'later' }]) expect(pauseMs(answer(429, headers))).toBe(5000)
    const short = context()
    short.endpoint.retrySchedule = []
    expect(pauseMs(answer(429), short)).toBe(1000)
  })

  it('503 without a readable Retry-After is a failure like any other', () => {
    for (const headers of [{}, { 'retry-after': 'later' }]) {
      expect(classifyResponse(answer(503, headers), context())).toMatchObject({
        kind: 'reschedule',
        deferral: false,
        delayMs: 5000,
      })
    }
  })

  it('is honoured with every other failure but 410, final or not, and the attempt counts', () => {
    for (const status of [404, 408, 409, 421, 425, 500, 502, 504]) {
      expect(classifyResponse(answer(status, asked), context())).toMatchObject({
        kind: 'reschedule',
        deferral: false,
        delayMs: 60_000,
      })
    }
    expect(classifyResponse(answer(409, asked), context({ attempts: 10 })).kind).toBe('fail')
    expect(classifyResponse(answer(410, asked), context()).kind).toBe('disable_endpoint')
  })

  it('as a date counts from the time of the database', () => {
    expect(pauseMs(answer(503, { 'retry-after': 'Mon, 23 Nov 2026 12:10:00 GMT' }))).toBe(600_000)
  })
})

describe('what an exchange says of the pace', () => {
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
  it('was charged by a claim: attempt 1 of a claimed row shows 1', () => {
    expect(rescheduleOrFail(context({ attempts: 1 }), 'network: reset')).toMatchObject({ delayMs: 5000 })
    expect(rescheduleOrFail(context({ attempts: 9 }), 'network: reset').kind).toBe('reschedule')
    expect(rescheduleOrFail(context({ attempts: 10 }), 'network: reset').kind).toBe('fail')
  })

  it('is charged at the settle where a message only began it: attempt 1 shows 0', () => {
    expect(rescheduleOrFail(context({ attempts: 0, claimedAt: null }), 'network: reset')).toMatchObject({
      delayMs: 5000,
    })
    expect(rescheduleOrFail(context({ attempts: 8, claimedAt: null }), 'network: reset').kind).toBe('reschedule')
    expect(rescheduleOrFail(context({ attempts: 9, claimedAt: null }), 'network: reset').kind).toBe('fail')
  })

  it('one attempt allowed is one attempt', () => {
    expect(rescheduleOrFail(context({ maxAttempts: 1 }), 'network: reset', 500)).toEqual({
      kind: 'fail',
      error: 'network: reset',
      httpStatus: 500,
    })
  })
})
