import { describe, expect, it } from 'vitest'
import { type Entry, type Part, joinPositions, keyTime, mergeParts, splitPositions } from './merged-page.ts'

/** A part whose positions count down, and that finds at most `read` entries of which every third is wanted. */
function source(keys: readonly number[]) {
  const entries = keys
    .toSorted((one, other) => other - one)
    .map((key, index) => ({ row: `${key}#${index}`, key, position: String(1000 - index) }))
  const isWanted = ({ position }: Entry<string, number>): boolean => Number(position) % 3 !== 0
  return {
    wanted: entries.filter(isWanted),
    part(before: string | undefined, limit: number, read: number): Part<string, number> {
      const left = entries.filter(({ position }) => before === undefined || Number(position) < Number(before))
      const seen = left.slice(0, read)
      const found = seen.filter(isWanted)
      const shown = found.slice(0, limit)
      const end = found.length > limit ? shown.at(-1) : seen.length < left.length ? seen.at(-1) : undefined
      return { entries: shown, next: end, start: String(Number(left[0]?.position ?? 0) + 1) }
    },
  }
}

describe('a walk over two parts', () => {
  it('has every entry once, in one order whatever the size of its pages and the bound of its searches', () => {
    // Many equal keys, in both parts.
    const keys = (count: number, seed: number) => Array.from({ length: count }, (_, n) => ((n * seed) % 17) + 1)
    for (const [counts, seeds] of [
      [
        [40, 40],
        [3, 5],
      ],
      [
        [0, 30],
        [3, 5],
      ],
      [
        [30, 0],
        [3, 5],
      ],
      [
        [5, 60],
        [7, 2],
      ],
    ] as const) {
      const sources = [source(keys(counts[0], seeds[0])), source(keys(counts[1], seeds[1]))] as const
      const wanted = [...sources[0].wanted, ...sources[1].wanted].toSorted((one, other) => other.key - one.key)
      for (const limit of [1, 2, 7, 100]) {
        for (const read of [1, 4, 1000]) {
          const rows: string[] = []
          let at: readonly [string | undefined, string | undefined] = [undefined, undefined]
          let pages = 0
          do {
            const merged = mergeParts([sources[0].part(at[0], limit, read), sources[1].part(at[1], limit, read)], limit)
            expect(merged.rows.length).toBeLessThanOrEqual(limit)
            rows.push(...merged.rows)
            const joined = joinPositions(merged.rests)
            if (joined === undefined) break
            // A part that has ended stays at its end.
            const [first, second] = splitPositions(joined)
            at = [first === 'evt_' ? '0' : first, second]
          } while (++pages < 500)
          expect(rows, `pages of ${limit}, reading ${read}`).toEqual(wanted.map(({ row }) => row))
        }
      }
    }
  })
})

describe('a position in two parts', () => {
  it('is read as it was written, in characters of an id', () => {
    for (const key of ['evt_01910000-0000-7000-8000-000000000250.ep_1', 'evt_01910000-0000.', 'evt_1-', undefined]) {
      for (const attemptId of ['7352116838400000', undefined]) {
        const text = joinPositions([key, attemptId])
        if (text === undefined) continue
        expect(text).toMatch(/^[\w.-]{1,140}$/)
        expect(splitPositions(text)).toEqual([key ?? 'evt_', attemptId ?? '0'])
      }
    }
    expect(joinPositions([undefined, undefined])).toBeUndefined()
    expect(splitPositions('evt_01910000-0000.')).toEqual(['evt_01910000-0000.', undefined])
  })
})

describe('the time in a key', () => {
  it('is that of its event, also in the beginning of a key, and 0 where there is none', () => {
    expect(keyTime('evt_01910000-0001-7000-8000-000000000250.ep_1')).toBe(0x01910000_0001)
    expect(keyTime('evt_01910000-0001.')).toBe(0x01910000_0001)
    expect(keyTime('evt_')).toBe(0)
  })
})
