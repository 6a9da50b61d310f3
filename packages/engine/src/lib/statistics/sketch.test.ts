import fc from 'fast-check'
import { expect, it } from 'vitest'
import { addSketch, noDurations, percentilesMs } from './sketch.ts'

const BINS = noDurations().length
const bins = fc.dictionary(fc.nat(BINS - 1).map(String), fc.integer({ min: 1, max: 2 ** 40 }), {
  noNullPrototype: true,
})

it.each([
  ['SQLite', (sketch: object) => JSON.stringify(sketch)],
  ['Postgres', (sketch: object) => JSON.stringify(sketch).replaceAll(/[{:,]/g, ' $& ').replaceAll('}', ' }')],
])('adds the counts of sketches, as %s writes them', (_, write) => {
  fc.assert(
    fc.property(fc.array(bins, { maxLength: 5 }), (sketches) => {
      const found = noDurations()
      for (const sketch of sketches) addSketch(found, write(sketch))
      const expected = noDurations()
      for (const sketch of sketches)
        for (const [bin, count] of Object.entries(sketch)) expected[Number(bin)] = (expected[Number(bin)] ?? 0) + count
      expect(found).toEqual(expected)
    }),
  )
})

it('finds the durations below which shares of all lie', () => {
  const counts = noDurations()
  // Bins 0 to 99 are of one microsecond each.
  addSketch(counts, '{"10":50,"20":45,"30":5}')
  expect(percentilesMs(counts, [0.5, 0.95, 0.99])).toEqual([0.01, 0.02, 0.03])
  expect(percentilesMs(noDurations(), [0.5])).toEqual([null])
})
