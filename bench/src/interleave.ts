import { hasRedis } from './redis.ts'
import type { Store } from './stores.ts'

/** A participant in every round of a workload. */
export interface Entrant<Round> {
  name: string
  store: Store
  /** Receives the number of the round, from 1. */
  round: (number: number) => Promise<Round>
}

export interface Interleaved<Round> {
  /** By name, in order; without those that failed or were left out. */
  rounds: Map<string, Round[]>
  /** By name: why there are no rounds. */
  missing: Record<string, string>
}

/**
 * Runs all of them in turn, round after round, so that a machine that slows down slows all. One that fails is named and
 * left out of later rounds.
 */
export async function interleave<Round>(
  entrants: readonly Entrant<Round>[],
  rounds: number,
  say: (line: string) => void,
  inWords: (round: Round) => string,
): Promise<Interleaved<Round>> {
  const missing: Record<string, string> = {}
  const taken = new Map<string, Round[]>()
  for (const { name, store } of entrants) {
    if (hasRedis || !store.startsWith('redis')) taken.set(name, [])
    else missing[name] = 'skipped: no redis-server on the PATH (Debian: apt install redis-server)'
  }
  for (const [name, why] of Object.entries(missing)) say(`${name}: ${why}`)
  for (let number = 1; number <= rounds; number++) {
    for (const { name, round } of entrants) {
      if (!taken.has(name)) continue
      try {
        const result = await round(number)
        taken.get(name)?.push(result)
        say(`  round ${number}/${rounds}  ${name}: ${inWords(result)}`)
      } catch (error) {
        taken.delete(name)
        missing[name] = `failed in round ${number}: ${error instanceof Error ? error.message : String(error)}`
        say(`  round ${number}/${rounds}  ${name}: ${missing[name]}`)
      }
    }
  }
  return { rounds: taken, missing }
}
