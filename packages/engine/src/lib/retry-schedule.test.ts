import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { DEFAULT_RETRY_SCHEDULE, MAX_DELAY_MS, parseRetryAfter, retryDelayMs } from './retry-schedule.ts'

const NOW = Date.parse('2026-11-23T12:00:00Z')
const still = () => 0
const unit = () => fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true })

describe('the schedule', () => {
  it('is 10 attempts over 75 h 35 min and 5 s, as in the Standard Webhooks example', () => {
    const attempts = DEFAULT_RETRY_SCHEDULE.length + 1
    const total = DEFAULT_RETRY_SCHEDULE.reduce((sum, wait) => sum + wait, 0)
    expect([attempts, total]).toEqual([10, 75 * 3600 + 35 * 60 + 5])
  })

  it('has its first wait after the first attempt, and its last one after every attempt beyond its end', () => {
    const waits = [1, 2, 3, 4, 99].map((attempt) => retryDelayMs([5, 60, 300], attempt, { random: still }))
    expect(waits).toEqual([5000, 60_000, 300_000, 300_000, 300_000])
  })

  it('without an entry has no waits', () => {
    expect(retryDelayMs([], 1, { random: still })).toBe(0)
  })

  it('has jitter that only lengthens, by at most a tenth', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 9 }), unit(), (attempt, random) => {
        const planned = (DEFAULT_RETRY_SCHEDULE[attempt - 1] ?? 0) * 1000
        const delay = retryDelayMs(DEFAULT_RETRY_SCHEDULE, attempt, { random: () => random })
        expect(delay).toBeGreaterThanOrEqual(planned)
        expect(delay).toBeLessThanOrEqual(Math.min(MAX_DELAY_MS, planned * 1.1))
      }),
    )
    expect(retryDelayMs([100], 1, { random: () => 0.5 })).toBe(105_000)
  })

  it('never waits less than Retry-After, whatever the jitter, and at most a day (trap 23)', () => {
    fc.assert(
      fc.property(
        fc.array(fc.integer({ min: 0, max: 86_400 }), { maxLength: 20 }),
        fc.integer({ min: 1, max: 100 }),
        fc.integer({ min: 0, max: 10 * MAX_DELAY_MS }),
        unit(),
        (schedule, attempt, retryAfterMs, random) => {
          const delay = retryDelayMs(schedule, attempt, { retryAfterMs, random: () => random })
          expect(delay).toBeGreaterThanOrEqual(Math.min(MAX_DELAY_MS, retryAfterMs))
          expect(delay).toBeLessThanOrEqual(MAX_DELAY_MS)
        },
      ),
    )
  })

  it('has its own wait if the receiver asked for less', () => {
    expect(retryDelayMs([300], 1, { retryAfterMs: 1000, random: still })).toBe(300_000)
  })
})

describe('Retry-After', () => {
  it.each([
    ['0', 0],
    ['120', 120_000],
    [' 120 ', 120_000],
    ['0120', 120_000],
    ['86400', MAX_DELAY_MS],
    ['86401', MAX_DELAY_MS],
    ['9999999999', MAX_DELAY_MS],
    ['1'.repeat(400), MAX_DELAY_MS],
    ['Mon, 23 Nov 2026 12:01:00 GMT', 60_000],
    ['Mon, 23 Nov 2026 11:00:00 GMT', 0],
    ['Fri, 01 Jan 2027 00:00:00 GMT', MAX_DELAY_MS],
    ['Monday, 23-Nov-26 12:01:00 GMT', 60_000],
    ['Mon Nov 23 12:01:00 2026', 60_000],
    ['Mon, 23 Nov 2026 13:01:00 +0100', 60_000],
    ['Mon, 23 Nov 2026 12:01:00', 60_000],
    ['1.5', 2000],
    ['30.0', 30_000],
    ['0.0001', 1000],
    ['120 s', 120_000],
    ['120s', 120_000],
    ['2 seconds', 2000],
    ['2 minutes', 120_000],
    ['1.5m', 90_000],
    ['1 hour', 3_600_000],
    ['500ms', 1000],
    ['"30"', 30_000],
    ['PT1M30S', 90_000],
    ['PT0.5S', 1000],
    ['pt2h', 7_200_000],
    ['23 Nov 2026 12:01:00 GMT', 60_000],
    ['mon, 23 nov 2026 12:01:00 gmt', 60_000],
    ['Mon, 23 Nov 2026 07:01:00 EST', 60_000],
    ['Mon, 23 Nov 2026 12:01:00 UTC', 60_000],
    ['2026-11-23T12:01:00.500Z', 60_500],
    ['120, 60', 120_000],
    ['120,', 120_000],
    ['60s, 120s', 120_000],
    ['60, Mon, 23 Nov 2026 12:02:00 GMT', 120_000],
    ['Monday, 23-Nov-26 12:01:00 GMT, 120', 120_000],
    ['2 days', MAX_DELAY_MS],
    ['P1D', MAX_DELAY_MS],
    ['P0DT2M', 120_000],
    ['60,120.5', 121_000],
    ['Mon, 23 Nov 2026 12:01:00 GMT, Mon, 23 Nov 2026 12:02:00 GMT', 120_000],
    [String(NOW / 1000 + 60), 60_000],
    [String(NOW / 1000 - 60), 0],
    [String(NOW + 60_000), 60_000],
    ['2026-11-23T12:01:00Z', 60_000],
    ['2026-11-23T13:01:00+01:00', 60_000],
    ['2026-11-23T12:01:00', 60_000],
    ['2026-11-23 12:01:00', 60_000],
  ])('%j is a wait of %i ms', (value, wait) => {
    expect(parseRetryAfter(value, NOW)).toBe(wait)
  })

  it.each([
    undefined,
    '',
    '  ',
    '-1',
    '1e3',
    '+5',
    '0x10',
    'soon',
    '2026-11',
    '2026-11-23',
    '1.2.3',
    '5 minutes ago',
    'PT',
    '30 31',
    'Mon',
    'Mon, 99 Nov 2026 12:00:00 GMT',
    'Sunshine',
    '١٢',
  ])('%j is not read as a wait', (value) => {
    expect(parseRetryAfter(value, NOW)).toBeUndefined()
  })

  it('never throws, and is between 0 and a day', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'binary' }), (value) => {
        const wait = parseRetryAfter(value, NOW) ?? 0
        expect(wait >= 0 && wait <= MAX_DELAY_MS).toBe(true)
      }),
    )
  })
})
