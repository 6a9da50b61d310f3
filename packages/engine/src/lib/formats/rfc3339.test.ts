import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readTime } from './rfc3339.ts'

const noon = Date.UTC(2026, 10, 23, 12)

describe('a time of RFC 3339', () => {
  it.each([
    ['2026-11-23T12:00:00Z', noon],
    ['2026-11-23t12:00:00z', noon],
    ['2026-11-23 12:00:00Z', noon],
    ['2026-11-23T12:00:00+00:00', noon],
    // UTC with an unknown local offset (RFC 3339, 4.3).
    ['2026-11-23T12:00:00-00:00', noon],
    ['2026-11-23T13:30:00+01:30', noon],
    ['2026-11-22T23:00:00-13:00', noon],
    ['2026-11-23T12:00:00.5Z', noon + 500],
    ['2026-11-23T12:00:00.0019Z', noon + 1],
    [`2026-11-23T12:00:00.${'1'.repeat(200)}+00:00`, noon + 111],
    ['2024-02-29T00:00:00Z', Date.UTC(2024, 1, 29)],
    ['2000-02-29T00:00:00Z', Date.UTC(2000, 1, 29)],
    ['0099-01-01T00:00:00Z', -59_042_995_200_000],
    ['9999-12-31T23:59:59.999Z', 253_402_300_799_999],
    // Leap seconds, two of them with another local time.
    ['1990-12-31T23:59:60Z', Date.UTC(1991, 0, 1) - 1],
    ['1990-12-31T15:59:60-08:00', Date.UTC(1991, 0, 1) - 1],
    ['2017-01-01T01:59:60.25+02:00', Date.UTC(2017, 0, 1) - 1],
  ])('%s is read', (text, ms) => {
    expect(readTime(text)).toEqual({ ms })
  })

  it.each<[text: string, problem: string]>([
    ['2026-02-29T00:00:00Z', 'has the day 29, and February 2026 has the days 1 to 28'],
    ['1900-02-29T00:00:00Z', 'has the day 29, and February 1900 has the days 1 to 28'],
    ['2026-11-31T00:00:00Z', 'has the day 31, and November 2026 has the days 1 to 30'],
    ['2026-11-00T00:00:00Z', 'has the day 0, and November 2026 has the days 1 to 30'],
    ['2026-13-01T00:00:00Z', 'has the month 13, which must be 1 to 12'],
    ['2026-00-01T00:00:00Z', 'has the month 0, which must be 1 to 12'],
    ['2026-11-23T24:00:00Z', 'has the hour 24, which must be 0 to 23'],
    ['2026-11-23T12:60:00Z', 'has the minute 60, which must be 0 to 59'],
    ['2026-11-23T12:00:61Z', 'has the second 61, which must be 0 to 60'],
    ['2026-11-23T12:00:00+24:00', 'has the hour of the offset 24, which must be 0 to 23'],
    ['2026-11-23T12:00:00+01:60', 'has the minute of the offset 60, which must be 0 to 59'],
    ['2026-11-23T12:00:60Z', 'has a second 60, which only the end of a month in UTC can have'],
    ['2026-11-30T23:59:60+01:00', 'has a second 60, which only the end of a month in UTC can have'],
    ['0000-01-01T00:00:00+00:01', 'must be of the years 0000 to 9999 in UTC'],
    ['9999-12-31T23:59:59-00:01', 'must be of the years 0000 to 9999 in UTC'],
    ...[
      '',
      'today',
      '2026-11-23',
      '2026-11-23T12:00:00',
      '2026-11-23T12:00Z',
      '2026-11-23T12:00:00.Z',
      '2026-11-23T12:00:00+0100',
      '2026-11-23T12:00:00,5Z',
      '2026-11-23T12:00:00Z ',
      '2026-11-23T12:00:00Z\n',
      '+002026-11-23T12:00:00Z',
      '٢٠٢٦-11-23T12:00:00Z',
      `2026-11-23T12:00:00.${'1'.repeat(300)}Z`,
    ].map((text): [string, string] => [text, 'must be an RFC 3339 time such as 2026-11-23T12:00:00Z']),
  ])('%j is not one: it %s', (text, problem) => {
    expect(readTime(text)).toEqual({ problem })
  })

  it('is any time that a Date writes', () => {
    const times = fc.integer({ min: -62_135_596_800_000, max: Date.UTC(9999, 11, 31) })
    fc.assert(
      fc.property(times, (ms) => {
        expect(readTime(new Date(ms).toISOString())).toEqual({ ms })
      }),
    )
  })
})
