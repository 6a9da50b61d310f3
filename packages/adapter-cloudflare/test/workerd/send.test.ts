import type { SendRequest, SendResult } from '@keepsend/engine'
import { describe, expect, inject, it } from 'vitest'
import { createFetchSender } from '../../src/index.ts'

const KEPT = 65_536

function send(behaviour: string, parts: Partial<SendRequest> = {}): Promise<SendResult> {
  return createFetchSender().send({
    url: `${inject('hostile')}/${behaviour}`,
    headers: { 'content-type': 'application/json' },
    body: '{"n":1}',
    deadlineMs: 30_000,
    maxResponseBytes: KEPT,
    ...parts,
  })
}

async function seen(behaviour: string): Promise<{ requests: number; bytes: number }> {
  return (await fetch(`${inject('hostile')}/seen/${behaviour}`)).json()
}

describe('a body (trap 30)', () => {
  it('without an end is read up to 64 KiB, and cancelled', async () => {
    const result = await send('endless')
    expect(result).toMatchObject({ kind: 'response', status: 200 })
    expect(result.kind === 'response' && result.body.length).toBe(KEPT)
    // Only the buffers between the two.
    expect((await seen('endless')).bytes).toBeLessThan(32 * 1024 * 1024)
  })

  it('of exactly 64 KiB is complete', async () => {
    const result = await send('exact')
    expect(result.kind === 'response' && new TextDecoder().decode(result.body)).toBe('x'.repeat(KEPT))
  })

  it('that is a gzip bomb is never decompressed past 64 KiB', async () => {
    const result = await send('bomb')
    expect(result).toMatchObject({ kind: 'response', status: 200 })
    expect(result.kind === 'response' && result.body.length).toBeLessThanOrEqual(KEPT)
  })
})

describe('the deadline bounds the whole exchange (trap 30)', () => {
  it.each(['never', 'drip-headers', 'drip-1xx'])('%s ends as a time-out', async (behaviour) => {
    expect(await send(behaviour, { deadlineMs: 300 })).toEqual({
      kind: 'error',
      reason: 'timeout',
      message: 'no complete answer within 300 ms',
    })
    expect((await seen(behaviour)).requests).toBe(1)
  })
})

describe('malformed responses', () => {
  it.each([
    'continue',
    'hints',
    'two-lengths',
    'length-and-chunks',
    'line-feeds',
    'headers-of-17-kb',
    'headers-of-60-kb',
    'broken-chunk',
    'no-body',
  ])('%s counts by its status', async (behaviour) => {
    expect(await send(behaviour)).toMatchObject({ kind: 'response', status: 200 })
  })

  it('a 204 with a body counts by its status', async () => {
    expect(await send('body-of-204')).toMatchObject({ kind: 'response', status: 204 })
  })

  it.each(['drip-body', 'last-byte'])('%s is classified by its status when the deadline ends it', async (behaviour) => {
    // Below the second for which a body is waited for; a busy machine needs most of it for the head.
    expect(await send(behaviour, { deadlineMs: 950 })).toMatchObject({ kind: 'response', status: 200 })
  })

  it('a body that breaks off counts by its status', async () => {
    expect(await send('reset-within')).toMatchObject({ kind: 'response', status: 200 })
  })

  it('a redirect is a response like any other: its target is not requested (trap 29)', async () => {
    expect(await send('redirect')).toMatchObject({ kind: 'response', status: 307 })
    expect((await seen('ok')).requests).toBe(0)
  })

  it.each(['status-000', 'status-600', 'status-999', 'switch-protocols', 'no-http', 'reset-before'])(
    '%s is no success',
    async (behaviour) => {
      expect(await send(behaviour, { deadlineMs: 2000 })).toMatchObject({ kind: 'error' })
    },
  )

  it('a header of a megabyte is a network error', async () => {
    expect(await send('huge-header', { deadlineMs: 10_000 })).toMatchObject({ kind: 'error', reason: 'network' })
  })

  it('a URL that cannot be fetched is a network error, not a throw', async () => {
    expect(await send('', { url: 'not a url' })).toMatchObject({ kind: 'error', reason: 'network' })
    expect(await send('', { url: 'http://127.0.0.1:1/' })).toMatchObject({ kind: 'error', reason: 'network' })
  })

  it.each([
    ['reset-before', /^the receiver could not be reached, or closed the connection: /],
    ['no-http', /^the (receiver could not be reached|exchange with the receiver failed)/],
  ])('%s is described in a sentence of ours', async (behaviour, sentence) => {
    const result = await send(behaviour, { deadlineMs: 2000 })
    expect(result.kind === 'error' && result.message).toMatch(sentence)
  })

  it('an unknown failure of the platform shows nothing of its message', async () => {
    for (const url of ['http://127.0.0.1:1/', 'http://no-such-name.invalid/', 'not a url']) {
      const result = await send('', { url })
      expect(result.kind === 'error' && result.message).toMatch(/^(the|no such|nothing|its|this) [a-z ,:]+/)
      expect(JSON.stringify(result)).not.toMatch(/reference =|127\.0\.0|kj::|workerd/)
    }
  })

  it('a response has its status and headers, and undefined for a missing header', async () => {
    const result = (await send('ok')) as Extract<SendResult, { kind: 'response' }>
    expect([result.status, result.header('content-length'), result.header('x-none')]).toEqual([200, '2', undefined])
  })
})
