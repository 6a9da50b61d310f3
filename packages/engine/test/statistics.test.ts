// Attempts are counted once, by endpoint and time, wherever a process dies and however many roll up. On each database.
import { describe, expect, it } from 'vitest'
import type { Span, StatisticsCounts, StatisticsSeries } from '../src/index.ts'
import { type Made, NOON, bucketsOf, counted, countsOf, exactMs, seeded } from './statistics-rig.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

/** The buckets that have attempts, without their percentiles. */
function filled({ buckets }: StatisticsSeries): [at: number, StatisticsCounts][] {
  return buckets
    .map(({ at, p50Ms: _, p95Ms: _95, p99Ms: _99, ...counts }) => [at, counts] as [number, StatisticsCounts])
    .filter(([, counts]) => Object.values(counts).some((count) => count > 0))
}

const OUTCOMES = ['delivered', 'delivered', 'delivered', 'retry', 'deferred', 'failed', 'superseded'] as const
const REASONS = ['publish', 'publish', 'publish', 'retry', 'replay', 'test'] as const

/** Attempts of four endpoints of two workspaces, spread over some time before noon. */
function spread(count: number, overMs: number, seed = 1): Partial<Made>[] {
  const random = seeded(seed)
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  return Array.from({ length: count }, () => {
    const place = one([1, 2, 3, 4])
    return {
      at: NOON - 1 - Math.floor(random() * overMs),
      workspaceId: place === 4 ? 'w2' : 'w1',
      endpointId: `ep_${place}`,
      outcome: one(OUTCOMES),
      reason: one(REASONS),
      totalUs: Math.floor(1000 * 10 ** (random() * 4)),
    }
  }).sort((a, b) => a.at - b.at)
}

const RANGES: [by: Span, ms: number][] = [
  ['minute', DAY],
  ['hour', 4 * DAY],
  ['day', 4 * DAY],
]

describe('a series', () => {
  it('has every attempt once, before, between and after the roll-ups of minutes, hours and days', async () => {
    const made = await counted()
    const all = await made.add(spread(3000, 3 * DAY))
    // Minutes, the first hours, the first days, and half of a minute.
    for (const clock of [
      NOON - 3 * DAY,
      NOON - 3 * DAY + 90_000,
      NOON - 70 * HOUR,
      NOON - 30 * HOUR,
      NOON - 30_000,
      NOON + HOUR,
    ]) {
      await made.setClock(clock)
      await made.rollUp()
      await made.setClock(NOON + HOUR)
      for (const [by, ms] of RANGES) {
        const since = NOON - ms
        for (const [workspaceId, endpointId] of [
          ['w1'],
          ['w2'],
          ['w1', 'ep_2'],
          ['w2', 'ep_4'],
          ['w2', 'ep_1'],
          ['w3'],
        ] as const) {
          const own = all.filter(
            (one) =>
              one.workspaceId === workspaceId &&
              (endpointId === undefined || one.endpointId === endpointId) &&
              one.at >= Math.floor(since / MINUTE) * MINUTE &&
              (by !== 'day' || one.at >= Math.floor(since / DAY) * DAY),
          )
          const series = await made.engine.statistics.series(workspaceId, { by, since, endpointId, until: NOON })
          expect(series.complete).toBe(true)
          expect(filled(series), `${by} of ${workspaceId} ${endpointId} at ${clock - NOON}`).toEqual(bucketsOf(own, by))
        }
      }
    }
    const passes = await made.select('select source, done_to from keepsend_statistics_passes order by source')
    expect(passes.every((row) => Number(row['done_to']) > 0)).toBe(true)
  })
})
void countsOf
void exactMs
