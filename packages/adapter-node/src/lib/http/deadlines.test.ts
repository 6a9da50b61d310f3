import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Deadlines } from './deadlines.ts'

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'setImmediate', 'performance'] })
})

afterEach(() => {
  vi.useRealTimers()
})

describe('Deadlines', () => {
  it('uses one timer for a thousand deadlines, and none without deadlines', () => {
    const deadlines = new Deadlines()
    const waiting = Array.from({ length: 1000 }, () => deadlines.add(10_000, () => undefined))
    expect(vi.getTimerCount()).toBe(1)
    waiting.forEach((deadline) => deadlines.cancel(deadline))
    expect(vi.getTimerCount()).toBe(0)
  })

  it('expires each once, at its time and not before', () => {
    const deadlines = new Deadlines()
    const ended: string[] = []
    deadlines.add(300, () => ended.push('first'))
    deadlines.add(900, () => ended.push('second'))
    vi.advanceTimersByTime(299)
    expect(ended).toEqual([])
    vi.advanceTimersByTime(200)
    expect(ended).toEqual(['first'])
    vi.advanceTimersByTime(5000)
    expect(ended).toEqual(['first', 'second'])
    expect(vi.getTimerCount()).toBe(0)
  })

  it('never expires a cancelled one, even during the ticks that read a last response', () => {
    const deadlines = new Deadlines()
    const ended: string[] = []
    const early = deadlines.add(100, () => ended.push('early'))
    deadlines.cancel(early)
    const late = deadlines.add(100, () => ended.push('late'))
    // The response is read in the tick that the deadline allows for it.
    setInterval(() => {
      if (performance.now() >= late.at) setImmediate(() => deadlines.cancel(late))
    }, 50)
    vi.advanceTimersByTime(1000)
    expect(ended).toEqual([])
  })
})
