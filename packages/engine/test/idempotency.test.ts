import { describe, expect, it } from 'vitest'
import { apps, gated, replayed } from './idempotency-rig.ts'

const EVENT = '{"type":"message.created","data":{"text":"hi"}}'

describe.each([
  ["the engine's own route", '/webhooks/events', EVENT, 202],
  ["a host's route", '/rooms/w1/general', '{"text":"hi"}', 201],
])('a repeated request to %s', (_, path, body, status) => {
  it('gets the first answer, byte for byte, marked as replayed; nothing is written again', async () => {
    const { post, count } = await apps()
    const [first, second] = [await post(path, body, 'k1'), await post(path, body, 'k1')]
    expect([first.status, replayed(first), second.status, replayed(second)]).toEqual([status, null, status, 'true'])
    expect(await second.arrayBuffer()).toEqual(await first.arrayBuffer())
    expect(second.headers.get('content-type')).toBe(first.headers.get('content-type'))
    expect([await count('pending_events'), await count('keepsend_idempotency_records')]).toEqual([1, 1])
  })

  it('with another body is 422, and writes nothing', async () => {
    const { post, count } = await apps()
    await post(path, body, 'k1')
    const other = await post(path, body.replace('hi', 'ho'), 'k1')
    expect([other.status, await other.json()]).toEqual([422, expect.objectContaining({ code: 'idempotency_mismatch' })])
    expect(await count('pending_events')).toBe(1)
  })

  it('has the same key whether quoted or bare', async () => {
    const { post, count } = await apps()
    await post(path, body, '"k1"')
    expect(replayed(await post(path, body, 'k1'))).toBe('true')
    expect(replayed(await post(path, body, '  "k1" '))).toBe('true')
    expect(await count('pending_events')).toBe(1)
  })

  it.each(['', 'x'.repeat(256), 'k\u0001', '"k1', 'k"1'])(
    'with the malformed key %j is 400, and nothing is written',
    async (key) => {
      const { post, count } = await apps()
      const response = await post(path, body, key)
      expect([response.status, await response.json()]).toEqual([
        400,
        expect.objectContaining({ code: 'invalid_request' }),
      ])
      expect([await count('pending_events'), await count('keepsend_idempotency_marks')]).toEqual([0, 0])
    },
  )

  it('without a key is a new request', async () => {
    const { post, count } = await apps()
    for (const response of [await post(path, body), await post(path, body)]) expect(replayed(response)).toBeNull()
    expect(await count('pending_events')).toBe(2)
  })

  it('while the first is in flight is 409 with Retry-After, and afterwards gets its answer', async () => {
    const { wrap, arm, arrived, open } = gated()
    const { post, count } = await apps({ wrap })
    arm()
    const first = post(path, body, 'k1')
    await arrived[0].promise
    const during = await post(path, body, 'k1')
    expect([during.status, during.headers.get('retry-after')]).toEqual([409, '1'])
    expect(await during.json()).toMatchObject({ code: 'idempotency_in_flight' })
    open.resolve()
    const answered = await first
    const after = await post(path, body, 'k1')
    expect([answered.status, replayed(after), await after.text()]).toEqual([status, 'true', await answered.text()])
    expect([await count('pending_events'), await count('keepsend_idempotency_marks')]).toEqual([1, 0])
  })
})

describe('a request counts as another one', () => {
  it.each([
    ['workspace', '/rooms/w2/general', 'POST'],
    ['method', '/rooms/w1/general', 'PUT'],
    ['path', '/rooms/w1/random', 'POST'],
  ])('another %s, under the same key', async (_, path, method) => {
    const { post, count } = await apps()
    await post('/rooms/w1/general', '{}', 'k1')
    const other = await post(path, '{}', 'k1', method)
    expect([other.status, replayed(other), await count('messages')]).toEqual([201, null, 2])
  })
})
