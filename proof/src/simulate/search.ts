import fc from 'fast-check'
import { type Told, tell } from './run.ts'
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

// Stories of a round of fast-check; the next goes on with the next seed.
const STORIES = 20
// What shrinking may take, in stories: a find is worth more of them than a control.
const MAX_SHRINKS = 400
const MAX_SHRINKS_OF_CONTROL = 40

// Where much goes wrong, little is delivered while the story lasts. A third of the stories have few faults: those that
// leave a worker or a message behind its row, whose event is published again meanwhile.
const LEAVE_BEHIND: readonly Fault[] = [
  'process pauses',
  'commit is ambiguous',
  'answer is lost',
  'message comes twice',
]
const secondLives = fc
  .subarray([...LEAVE_BEHIND], { minLength: 1 })
  .map((faults): Fault[] => ['event is published again', ...faults])

// More than the waits between attempts may take, and less than many a story lasts.
const SHORT_AGE_MS = 8000

function storiesOf({ world, keepCompleted, faults }: Partial<Story> = {}): fc.Arbitrary<Story> {
  return fc.record({
    world: world ? fc.constant(world) : fc.constantFrom<Story['world'][]>('node', 'cloudflare'),
    keepCompleted: keepCompleted === undefined ? fc.boolean() : fc.constant(keepCompleted),
    maxAgeMs: fc.constantFrom(undefined, undefined, undefined, SHORT_AGE_MS),
    faults: faults
      ? fc.constant(faults)
      : fc.oneof({ weight: 2, arbitrary: fc.subarray([...FAULTS]) }, { weight: 1, arbitrary: secondLives }),
    choices: fc.array(fc.noBias(fc.nat()), { minLength: 1, maxLength: 400, size: 'max' }),
  })
}

/** Tells stories until they have taken that many steps, or one breaks a rule. The same seed, the same stories. */
export async function search({
  seed,
  steps,
  control,
  onRound = () => {},
}: {
  seed: number
  steps: number
  control?: Control
  /** Called with the steps so far, now and then. */
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
    let shortest: { story: Story; told: Told } | undefined
    const property = fc.asyncProperty(stories, async (story) => {
      if (failed > (control ? MAX_SHRINKS_OF_CONTROL : MAX_SHRINKS)) return true
      const told = await tell(story, control)
      if (told.broken !== undefined) shortest = { story, told }
      if (shortest) failed++
      found.steps += told.steps
      found.stories[story.world]++
      add(found.counts, told.counts)
      found.mutated = told.mutated.map((count, index) => count + (found.mutated[index] ?? 0))
      return told.broken === undefined
    })
    await fc.check(property, { seed: seed + round, numRuns: STORIES })
    onRound(found.steps)
    if (!shortest) continue
    const { story, told } = shortest
    found.failure = { story, broken: told.broken ?? '', log: told.log }
    break
  }
  return found
}
