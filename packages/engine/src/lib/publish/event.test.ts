import { newEventId } from '@keepsend/outbox'
import { utf8Bytes } from '@keepsend/outbox/internal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { CommitOptions } from './commit.ts'
import type { QueuedEvent } from './event-queue.ts'
import { MAX_EVENT_BYTES, type WebhookEvent, isName, isPattern, patternsOf, prepareEvent } from './event.ts'

const event = (parts: Partial<WebhookEvent & { raw?: undefined }> = {}): WebhookEvent => ({
  type: 'message.created',
  workspaceId: 'w1',
  data: { id: 'm1' },
  ...parts,
})
const refused = (code: string) => expect.objectContaining({ code })
/** Any value, as a caller without types may pass it. */
const untyped = (parts: Record<string, unknown>) => event(parts)

describe('types and patterns', () => {
  it.each(['a', 'message.created', 'a.b.c.d', 'A_1.b_2', '0', 'x'.repeat(128), `a${'.a'.repeat(15)}`])(
    '%j is a type',
    (type) => {
      expect(prepareEvent(event({ type })).type).toBe(type)
    },
  )

  it.each([
    '',
    '.',
    'a.',
    '.a',
    'a..b',
    'a b',
    'a-b',
    'a.*',
    '*',
    'ä',
    'a\n',
    'x'.repeat(129),
    `a${'.a'.repeat(16)}`,
    1,
    null,
    undefined,
    {},
  ])('%j is no type', (type) => {
    expect(() => prepareEvent(untyped({ type }))).toThrow(refused('invalid_event'))
  })

  it('types that begin with keepsend. are reserved; keepsend and keepsender.x are not', () => {
    expect(() => prepareEvent(event({ type: 'keepsend.endpoint_disabled' }))).toThrow(refused('invalid_event'))
    for (const type of ['keepsend', 'keepsender.x', 'x.keepsend.y'])
      expect(prepareEvent(event({ type })).type).toBe(type)
  })

  it.each(['*', 'message.*', 'message.created', 'a.b.*', 'a'])('%j is a pattern', (pattern) => {
    expect(isPattern(pattern)).toBe(true)
  })

  it.each(['', '**', '*.created', 'message*', 'message.*.created', '.*', 'a..*', 'message.', 'a.**'])(
    '%j is not a pattern',
    (pattern) => {
      expect(isPattern(pattern)).toBe(false)
    },
  )

  it('a name matches the star, itself and each of its prefixes, and nothing else', () => {
    expect(patternsOf('a.b.c').sort()).toEqual(['*', 'a.*', 'a.b.*', 'a.b.c'])
    expect(patternsOf('a').sort()).toEqual(['*', 'a'])
  })

  it('every pattern of a name is a valid pattern, and matches it by its prefix', () => {
    const part = fc.stringMatching(/^[A-Za-z0-9_]{1,8}$/)
    fc.assert(
      fc.property(fc.array(part, { minLength: 1, maxLength: 6 }), (parts) => {
        const name = parts.join('.')
        expect(isName(name)).toBe(true)
        for (const pattern of patternsOf(name)) {
          expect(isPattern(pattern)).toBe(true)
          expect(name.startsWith(pattern.replace(/\*$/, ''))).toBe(true)
        }
      }),
    )
  })
})

describe('an event', () => {
  it('gets a new id, or keeps the one it is given', () => {
    const id = newEventId()
    expect(prepareEvent(event({ id })).id).toBe(id)
    expect(prepareEvent(event()).id).toMatch(/^evt_[0-9a-f-]{36}$/)
    expect(prepareEvent(event()).id).not.toBe(prepareEvent(event()).id)
  })

  it.each(['', 'evt_1', 'evt_0198', newEventId().toUpperCase(), `${newEventId()}.`, `x${newEventId()}`])(
    'is refused with the id %j',
    (id) => {
      expect(() => prepareEvent(event({ id }))).toThrow(refused('invalid_event'))
    },
  )

  it.each(['', 'w'.repeat(256), 7, undefined])('is refused with the workspace %j', (workspaceId) => {
    expect(() => prepareEvent(untyped({ workspaceId }))).toThrow(refused('invalid_event'))
  })

  it('has at most 10 channels, in the form of a type', () => {
    const ten = Array.from({ length: 10 }, (_, index) => `channel.${index}`)
    expect(prepareEvent(event({ channels: ten })).channels).toEqual(ten)
    expect(() => prepareEvent(event({ channels: [...ten, 'one_more'] }))).toThrow(refused('invalid_event'))
    for (const channel of ['', 'a b', '*', 'a.*']) {
      expect(() => prepareEvent(event({ channels: [channel] }))).toThrow(refused('invalid_event'))
    }
  })

  it('has the timestamp of the caller, a text unchanged, or else the current time', () => {
    const text = '2026-11-23T12:00:00+01:00'
    expect(prepareEvent(event({ timestamp: text })).timestamp).toBe(text)
    expect(prepareEvent(event({ timestamp: new Date(0) })).timestamp).toBe('1970-01-01T00:00:00.000Z')
    expect(prepareEvent(event(), () => 1000).timestamp).toBe('1970-01-01T00:00:01.000Z')
    for (const timestamp of ['yesterday', new Date(Number.NaN)]) {
      expect(() => prepareEvent(event({ timestamp }))).toThrow(refused('invalid_event'))
    }
  })

  const [traceId, spanId] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7']

  it('has the trace context of the caller unchanged, or none', () => {
    const traceparent = `00-${traceId}-${spanId}-01`
    expect(prepareEvent(event({ traceparent })).traceparent).toBe(traceparent)
    expect(prepareEvent(event()).traceparent).toBe(undefined)
  })

  it.each([
    '',
    traceId,
    `01-${traceId}-${spanId}-01`,
    `ff-${traceId}-${spanId}-01`,
    `00-${traceId}-${spanId}`,
    `00-${traceId}-${spanId}-01-`,
    `00-${traceId}-${spanId}-01\n`,
    ` 00-${traceId}-${spanId}-01`,
    `00-${traceId.toUpperCase()}-${spanId}-01`,
    `00-${traceId}0-${spanId}-01`,
    `00-${traceId}-${spanId}-0g`,
    `00-${'0'.repeat(32)}-${spanId}-01`,
    `00-${traceId}-${'0'.repeat(16)}-01`,
    'x'.repeat(10_000),
  ])('is refused with the trace context %j', (traceparent) => {
    expect(() => prepareEvent(event({ traceparent }))).toThrow(
      expect.objectContaining({
        code: 'invalid_event',
        message: expect.stringMatching(/^traceparent must be 00-.*; found ".{0,100}$/) as string,
      }),
    )
  })
})

describe('the envelope', () => {
  it('is type, timestamp and data, built once', () => {
    const { payload } = prepareEvent(event({ timestamp: '2026-11-23T12:00:00Z' }))
    expect(payload).toBe('{"type":"message.created","timestamp":"2026-11-23T12:00:00Z","data":{"id":"m1"}}')
  })

  it('does not change when its data is changed afterwards', () => {
    const data = { n: 1 }
    const prepared = prepareEvent(event({ data }))
    data.n = 2
    expect(JSON.parse(prepared.payload)).toMatchObject({ data: { n: 1 } })
  })

  it.each([
    ['a letter of one byte', 'x', 1],
    ['of two', 'ä', 2],
    ['of three', '語', 3],
    ['of four', '🙂', 4],
  ])('is measured in bytes: 262,144 fit and one more does not (%s)', (_, letter, size) => {
    const empty = prepareEvent(event({ data: { text: '' } })).payload.length
    const fill = (bytes: number) => letter.repeat(Math.floor(bytes / size)) + 'x'.repeat(bytes % size)
    const fits = prepareEvent(event({ data: { text: fill(MAX_EVENT_BYTES - empty) } }))
    expect(new TextEncoder().encode(fits.payload)).toHaveLength(MAX_EVENT_BYTES)
    const tooLarge = event({ data: { text: fill(MAX_EVENT_BYTES - empty + 1) } })
    expect(() => prepareEvent(tooLarge)).toThrow(refused('payload_too_large'))
  })

  it.each([null, undefined, 'text', 1, [1], true, () => 1, new Map([[1, 1]]), new Set([1]), new Date(0)])(
    'refuses %s as data',
    (data) => {
      expect(() => prepareEvent(untyped({ data }))).toThrow(refused('invalid_event'))
    },
  )

  it('accepts data of an interface or a class, without an index signature', () => {
    interface Message {
      id: string
    }
    class Order {
      readonly id: string
      constructor(id: string) {
        this.id = id
      }
      toJSON() {
        return { order: this.id }
      }
    }
    const message: Message = { id: 'm1' }
    const queued: QueuedEvent = { type: 'message.created', workspaceId: 'w1', data: message }
    const commit: CommitOptions = { writes: [], events: [event({ data: message })] }
    expect([queued.data, commit.events[0]?.data]).toEqual([message, message])
    expect(JSON.parse(prepareEvent(event({ data: message })).payload)).toMatchObject({ data: { id: 'm1' } })
    expect(JSON.parse(prepareEvent(event({ data: new Order('o1') })).payload)).toMatchObject({ data: { order: 'o1' } })
  })

  it('names the reason when data cannot be written as JSON: a BigInt, a cycle, a toJSON that throws', () => {
    const cycle: Record<string, unknown> = {}
    cycle['self'] = cycle
    const broken = {
      toJSON() {
        throw new Error('no JSON of this')
      },
    }
    for (const data of [{ n: 1n }, cycle, { broken }]) {
      expect(() => prepareEvent(event({ data }))).toThrow(refused('invalid_event'))
    }
  })

  it('is nested at most 64 levels deep, not counting brackets in strings', () => {
    const nest = (levels: number, inner: unknown = 1): Record<string, unknown> => {
      let value = inner
      for (let level = 1; level < levels; level++) value = level % 2 === 0 ? [value] : { a: value }
      return { a: value }
    }
    expect(prepareEvent(event({ data: nest(64) })).payload).toContain('[{"a":')
    expect(() => prepareEvent(event({ data: nest(65) }))).toThrow('data of message.created is nested more than 64 deep')
    const brackets = '[{'.repeat(500)
    expect(prepareEvent(event({ data: { text: `${brackets}"\\"${brackets}\\`, [brackets]: brackets } })).id).toBeTypeOf(
      'string',
    )
    expect(() => prepareEvent(event({ data: nest(65, '"]}') }))).toThrow(refused('invalid_event'))
    expect(prepareEvent(event({ data: { rows: Array.from({ length: 5000 }, () => ({ a: [] })) } })).id).toBeTypeOf(
      'string',
    )
  })

  it('is refused when nested a hundred thousand levels deep, without a stack overflow', () => {
    const deep = JSON.parse(`{"a":${'['.repeat(100_000)}${']'.repeat(100_000)}}`) as Record<string, unknown>
    expect(() => prepareEvent(event({ data: deep }))).toThrow(refused('invalid_event'))
  })

  it('is well-formed Unicode without a NUL, whatever strings the data contains', () => {
    fc.assert(
      fc.property(fc.dictionary(fc.string({ unit: 'binary' }), fc.string({ unit: 'binary' })), (strings) => {
        const data = { ...strings, nul: '\0', lone: '\ud800' }
        const { payload } = prepareEvent(event({ data }))
        expect([payload.isWellFormed(), payload.includes('\0')]).toEqual([true, false])
        expect(utf8Bytes(payload)).toBe(new TextEncoder().encode(payload).length)
      }),
    )
  })
})
