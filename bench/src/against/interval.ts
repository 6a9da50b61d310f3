/** The ends of an interval. */
export interface Interval {
  low: number
  high: number
}

/**
 * The interval that contains the median of the distribution of the values, with the given confidence. Undefined for too
 * few values: fewer than 5 at 0.9.
 *
 * It lies between order statistics (the inverted sign test), so it assumes no distribution: ratios of rounds have long
 * tails, when another process takes the core or a checkpoint falls into a round. Two order statistics alone cover only
 * certain shares (of 15 values 88% or 96%), so the ends are interpolated between the two nearest, as Hettmansperger and
 * Sheather (1986) do. A bootstrap of a median would repeat the same few values, and its random draws would return
 * another interval at each call.
 */
export function medianInterval(values: readonly number[], confidence = 0.9): Interval | undefined {
  const sorted = values.toSorted((a, b) => a - b)
  const count = sorted.length
  const coverages = coveragesOf(count)
  const depth = coverages.findLastIndex((coverage) => coverage >= confidence)
  const outer = coverages[depth]
  const inner = coverages[depth + 1]
  if (outer === undefined) return undefined
  const at = (index: number): number => sorted[index] ?? Number.NaN
  const [low, high] = [at(depth), at(count - 1 - depth)]
  if (inner === undefined) return { low, high }
  const share = (outer - confidence) / (outer - inner)
  const rank = depth + 1
  const weight = ((count - rank) * share) / (rank + (count - 2 * rank) * share)
  return {
    low: low + (at(depth + 1) - low) * weight,
    high: high - (high - at(count - 2 - depth)) * weight,
  }
}

/**
 * By depth, from 0: the probability that the median lies between the value at that depth from below and the one from
 * above. A value is below the median with a probability of one half, so this counts the heads of `count` fair coins.
 */
function coveragesOf(count: number): number[] {
  const coverages: number[] = []
  let chance = 0.5 ** count
  let below = chance
  for (let depth = 0; depth < count - 1 - depth; depth++) {
    coverages.push(1 - 2 * below)
    chance = (chance * (count - depth)) / (depth + 1)
    below += chance
  }
  return coverages
}
