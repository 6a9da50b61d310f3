import { describe, expect, it, vi } from 'vitest'
import { eventIdTime, firstEventIdAt, isEventId, newEventId, utf8Bytes } from './event.ts'

describe('event ids', () => {
  it('contain the time of their creation', () => {
    const before = Date.now()
    const time = eventIdTime(newEventId())
    expect(time).toBeGreaterThanOrEqual(before)
    expect(time).toBeLessThanOrEqual(Date.now())
  })

  it('sort by the time of their creation, after the bound of that time', () => {
    const ids = Array.from({ length: 2000 }, newEventId)
    expect(ids.toSorted()).toEqual(ids)
    // The random part, after the time and the counter, never repeats.
    expect(new Set(ids.map((id) => id.slice(-12))).size).toBe(2000)
    for (const id of ids) {
      expect(firstEventIdAt(eventIdTime(id)) < id).toBe(true)
      expect(firstEventIdAt(eventIdTime(id) + 1) > id).toBe(true)
    }
    expect(firstEventIdAt(-5)).toBe('evt_00000000-0000')
  })

  it('sort in the order of their creation, even if the clock steps back', () => {
    const ids = [newEventId()]
    const time = eventIdTime(ids[0] ?? '')
    const clock = vi.spyOn(Date, 'now')
    for (const stepMs of [5, -60_000, 0, 1, -1, 10]) {
      clock.mockReturnValue(time + stepMs)
      ids.push(newEventId(), newEventId())
    }
    clock.mockRestore()
    expect(ids.toSorted()).toEqual(ids)
    expect(new Set(ids).size).toBe(13)
  })

  it('are evt_ and a lower-case UUIDv7, and nothing else', () => {
    const id = newEventId()
    expect(isEventId(id)).toBe(true)
    const uuid4 = 'evt_9b2f1c3e-8d4a-4f6b-9c1d-2e3f4a5b6c7d'
    for (const other of [id.toUpperCase(), id.slice(4), `${id}.ep`, `${id} `, ` ${id}`, `${id}\n`, uuid4, '']) {
      expect([other, isEventId(other)]).toEqual([other, false])
    }
    expect(() => eventIdTime(uuid4)).toThrow(/lower-case UUIDv7; found "evt_9b2f/)
  })
})

it('utf8Bytes returns the length that an encoder produces', () => {
  const encoder = new TextEncoder()
  for (const text of ['', 'plain', 'żółć', '你好', '\u{1f469}\u200d\u{1f680}', '\u07ff\u0800\uffff', 'a\u0080']) {
    expect([text, utf8Bytes(text)]).toEqual([text, encoder.encode(text).length])
  }
})
