import { describe, expect, it, vi } from 'vitest'
import { limitLines } from './log-limit.ts'
import { type Logger, silentLogger } from './logger.ts'
import { redactingLogger } from './redacting-logger.ts'

/** A limited logger, the lines that it passed on, and a clock that the test moves. */
function limited({ debug = true } = {}) {
  const lines: { level: string; message: string; fields: Record<string, unknown> }[] = []
  const at = (level: string) => (fields: Record<string, unknown>, message: string) =>
    void lines.push({ level, message, fields })
  const given: Logger = { info: at('info'), warn: at('warn'), error: at('error'), ...(debug && { debug: at('debug') }) }
  const clock = { now: 0 }
  return { log: limitLines(given, () => clock.now), lines, clock }
}

describe('one kind of line', () => {
  it('is written 20 times in a period, and one line says how many were left out', () => {
    const { log, lines, clock } = limited()
    for (let n = 0; n < 113; n++) log.warn({ deliveryId: n }, 'attempt failed')
    expect(lines.length).toBe(20)
    clock.now = 9999
    log.info({}, 'another kind')
    expect(lines.length).toBe(21)
    clock.now = 10_000
    log.info({}, 'another kind')
    expect(lines.slice(21)).toEqual([
      { level: 'warn', message: '… and 93 more in 10 s: attempt failed', fields: { leftOut: 93 } },
      { level: 'info', message: 'another kind', fields: {} },
    ])
    log.warn({}, 'attempt failed')
    expect(lines.at(-1)).toEqual({ level: 'warn', message: 'attempt failed', fields: {} })
  })

  it('is written 5 times about one endpoint, so that lines about others are not hidden', () => {
    const { log, lines, clock } = limited()
    for (let n = 0; n < 1000; n++) log.warn({ endpointId: 'ep_noisy' }, 'attempt failed')
    log.warn({ endpointId: 'ep_other' }, 'attempt failed')
    const of = (id: string) => lines.filter(({ fields }) => fields['endpointId'] === id).length
    expect([of('ep_noisy'), of('ep_other')]).toEqual([5, 1])
    clock.now = 10_000
    log.warn({ endpointId: 'ep_noisy' }, 'attempt failed')
    expect([of('ep_noisy'), lines[6]?.fields]).toEqual([6, { leftOut: 995 }])
  })

  it('is a message at one level: another level is another kind', () => {
    const { log, lines } = limited()
    for (let n = 0; n < 30; n++) for (const level of ['info', 'warn', 'error', 'debug'] as const) log[level]?.({}, 'm')
    expect(lines.length).toBe(80)
  })

  it('has its count at the end of its own period, even if nothing else is logged', () => {
    vi.useFakeTimers()
    try {
      const { log, lines, clock } = limited()
      const pass = (ms: number): void => {
        clock.now += ms
        vi.advanceTimersByTime(ms)
      }
      for (let n = 0; n < 30; n++) log.warn({}, 'one')
      pass(1000)
      for (let n = 0; n < 500; n++) log.error({}, 'other')
      pass(9000)
      expect(lines.at(-1)).toMatchObject({ message: '… and 10 more in 10 s: one' })
      pass(1000)
      expect(lines.at(-1)).toMatchObject({ message: '… and 480 more in 10 s: other' })
      expect(vi.getTimerCount()).toBe(0)
    } finally {
      vi.useRealTimers()
    }
  })

  it('has its count at the end of the period, and its timer does not keep the process alive', () => {
    vi.useFakeTimers()
    try {
      const { log, lines, clock } = limited()
      for (let n = 0; n < 21; n++) log.error({}, 'm')
      clock.now = 10_000
      vi.advanceTimersByTime(10_000)
      expect(lines.at(-1)).toMatchObject({ level: 'error', fields: { leftOut: 1 } })
      expect(vi.getTimerCount()).toBe(0)
      // On a platform that ends timers with the request, the next line brings the count, and the one after it starts a timer.
      for (let n = 0; n < 21; n++) log.error({}, 'm')
      vi.clearAllTimers()
      clock.now = 20_000
      log.info({}, 'other')
      expect(lines.at(-2)).toMatchObject({ level: 'error', fields: { leftOut: 1 } })
      for (let n = 0; n < 21; n++) log.error({}, 'm')
      expect(vi.getTimerCount()).toBe(1)
    } finally {
      vi.useRealTimers()
    }
  })
})

describe('memory', () => {
  it('is bounded for any number of messages and endpoints: the oldest kind ends early, with its count', () => {
    const { log, lines } = limited()
    for (let n = 0; n < 21; n++) log.warn({}, 'oldest')
    for (let n = 0; n < 201; n++) log.warn({ endpointId: `ep_${n}` }, `kind ${n}`)
    expect(lines.filter(({ fields }) => 'leftOut' in fields)).toEqual([
      { level: 'warn', message: '… and 1 more in 10 s: oldest', fields: { leftOut: 1 } },
    ])
  })
})

describe('debug', () => {
  it('is missing if the logger has none, so that its lines cost nothing', () => {
    expect(limited({ debug: false }).log).not.toHaveProperty('debug')
    expect(redactingLogger({ ...silentLogger })).not.toHaveProperty('debug')
    const { log, lines } = limited()
    log.debug?.({}, 'm')
    expect(lines).toEqual([{ level: 'debug', message: 'm', fields: {} }])
  })
})

describe('a logger', () => {
  it('that throws loses its line and nothing else', () => {
    const broken = (): never => {
      throw new Error('disk full')
    }
    expect(() => redactingLogger({ info: broken, warn: broken, error: broken }).warn({}, 'm')).not.toThrow()
  })

  it('that is silent is not wrapped', () => {
    expect(redactingLogger(silentLogger)).toBe(silentLogger)
  })
})
