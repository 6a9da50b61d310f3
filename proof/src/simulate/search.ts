import fc from 'fast-check'
import { type StoryResult, runStory } from './run.ts'
import { type Counts, add, noCounts } from './counts.ts'
import { FAULTS, type Fault, type Story } from './story.ts'
import type { Control } from './world.ts'

export interface Found {
  steps: number
  stories: Record<Story['world'], number>
  counts: Counts
  /** The shortest story that was found to break a rule. */
  failure?: { story: Story; broken: string; log: readonly string[] }
  mutated: readonly number[]
}

// Stories in a round of fast-check; the next round uses the next seed.
const STORIES = 20
// Stories that shrinking may use: a real failure is worth more of them than a control.
const MAX_SHRINKS = 400
const MAX_SHRINKS_OF_CONTROL = 40

// With many faults, few deliveries succeed during a story. A third of the stories have few faults: those after which a
// worker or a message is behind its row, whose event is published again meanwhile.
const LEAVE_BEHIND: readonly Fault[] = [
  'process pauses',
  'commit is ambiguous',
  'answer is lost',
  'message comes twice',
]
const secondLives = fc
  .subarray([...LEAVE_BEHIND], { minLength: 1 })
  .map((faults): Fault[] => ['event is published again', ...faults])

// Longer than the waits between attempts may take, and shorter than many stories.
const SHORT_AGE_MS = 8000

function storiesOf({ world, faults }: Partial<Story> = {}): fc.Arbitrary<Story> {
  return fc.record({
    world: world ? fc.constant(world) : fc.constantFrom<Story['world'][]>('node', 'cloudflare'),
    maxAgeMs: fc.constantFrom(undefined, undefined, undefined, SHORT_AGE_MS),
    faults: faults
      ? fc.constant(faults)
      : fc.oneof({ weight: 2, arbitrary: fc.subarray([...FAULTS]) }, { weight: 1, arbitrary: secondLives }),
    choices: fc.array(fc.noBias(fc.nat()), { minLength: 1, maxLength: 400, size: 'max' }),
  })
}

/**
 * Runs stories until they have taken the given number of steps, or one breaks a rule. The same seed gives the same
 * stories.
 */
export async function search({
  seed,
  steps,
  control,
  onRound = () => {},
}: {
  seed: number
  steps: number
  control?: Control
  /** Called from time to time with the steps so far. */
  onRound?: (steps: number) => void
}): Promise<Found> {
  const found: Found = {
    steps: 0,
    stories: { node: 0, cloudflare: 0 },
    counts: noCounts(),
    mutated: [],
  }
  const stories = storiesOf(control?.about)
  for (let round = 0; found.steps < steps; round++) {
    let failed = 0
    let shortest: { story: Story; result: StoryResult } | undefined
    const property = fc.asyncProperty(stories, async (story) => {
      if (failed > (control ? MAX_SHRINKS_OF_CONTROL : MAX_SHRINKS)) return true
      const result = await runStory(story, control)
      if (result.broken !== undefined) shortest = { story, result }
      if (shortest) failed++
      found.steps += result.steps
      found.stories[story.world]++
      add(found.counts, result.counts)
      found.mutated = result.mutated.map((count, index) => count + (found.mutated[index] ?? 0))
      return result.broken === undefined
    })
    await fc.check(property, { seed: seed + round, numRuns: STORIES })
    onRound(found.steps)
    if (!shortest) continue
    const { story, result } = shortest
    found.failure = { story, broken: result.broken ?? '', log: result.log }
    break
  }
  return found
}
