import { CloudflareCast } from './cloudflare-cast.ts'
import type { Cast } from './cast.ts'
import { NodeCast } from './node-cast.ts'
import type { Counts } from './counts.ts'
import { Choice, type Fault, type Story } from './story.ts'
import { WORKSPACES } from './template.ts'
import { type Control, World } from './world.ts'

export interface StoryResult {
  /** The rule that was broken, if any. */
  broken: string | undefined
  steps: number
  counts: Counts
  /** The last log entries. */
  log: readonly string[]
  mutated: readonly number[]
}

const MAX_EVENTS = 10
const AGAIN: Fault = 'event is published again'
// Far more than happens at one time in any story. The calm is limited by time, not by steps.
const MAX_STEPS_AT_ONE_TIME = 20_000

// Node's own function, saved before the virtual clock is installed.
const { setImmediate: nextTurn } = globalThis

/** Resolves when everything that only waits for promises has happened. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve)
  })
}

/** Runs one story to its end: its steps, then the calm after it, in which everything must settle. */
export async function runStory(story: Story, control?: Control): Promise<StoryResult> {
  const world = await World.create(story, control)
  let steps = 0
  try {
    const cast = story.world === 'node' ? new NodeCast(world) : new CloudflareCast(world)
    const teller = new Teller(world, cast)
    await turn()
    for (const choice of story.choices) {
      teller.step(new Choice(choice))
      await turn()
      steps++
      if (world.ledger.broken) break
    }
    if (!world.ledger.broken) steps += await teller.calmDown()
    const { broken, counts } = world.ledger
    return { broken, steps, counts, log: world.log, mutated: world.mutated }
  } finally {
    world.close()
  }
}

class Teller {
  readonly #world: World
  readonly #cast: Cast
  #events = 0

  constructor(world: World, cast: Cast) {
    this.#world = world
    this.#cast = cast
  }

  /** Makes the step that the choice selects. */
  step(choice: Choice): void {
    const kind = choice.below(100)
    if (kind < 65) this.#goOn(choice)
    else if (kind < 82) this.#pass(choice)
    else if (kind < 90 && this.#events < MAX_EVENTS) this.#publish(choice)
    else if (kind < 90 && this.#world.has(AGAIN)) this.#cast.disturb(AGAIN, choice)
    else this.#disturb(choice)
  }

  /** Stops all faults and advances the time until everything settles. Returns the steps it took. */
  async calmDown(): Promise<number> {
    const { time, ledger, pausedUntil } = this.#world
    this.#world.say('the faults stop')
    this.#world.calm = true
    this.#cast.calmDown()
    const lastDue = Math.max(time.timeOfDay, pausedUntil, ...ledger.rows.map(({ dueAt }) => dueAt ?? 0))
    const end = time.monotonic + (lastDue - time.timeOfDay) + this.#cast.patienceMs
    let instant = { at: time.monotonic, began: 0 }
    let asked = false
    let stopped = false as boolean
    for (let steps = 0; ; steps++) {
      await turn()
      if (ledger.broken || stopped) return steps
      if (time.monotonic > instant.at) instant = { at: time.monotonic, began: steps }
      const ready = this.#ready()
      const settled = ledger.rows.every(({ status }) => status === 'failed')
      if (settled && !asked && ready.length === 0 && this.#cast.atRest()) {
        ledger.settleUp()
        asked = true
        void this.#cast.stop().then(() => {
          stopped = true
        })
      } else if (time.monotonic > end || steps - instant.began > MAX_STEPS_AT_ONE_TIME) {
        ledger.settleUp()
        ledger.break(`everything settles: not after ${steps} steps and ${time.monotonic} ms`)
      } else if (ready[0]) ready[0].run(new Choice(0))
      else this.#pass(new Choice(0))
    }
  }

  #ready(): { run(choice: Choice): void }[] {
    const tasks = this.#world.ready().map((task) => ({ run: (choice: Choice) => this.#world.run(task, choice) }))
    return [...tasks, ...this.#cast.happenings()]
  }

  #goOn(choice: Choice): void {
    const next = choice.of(this.#ready())
    if (next) next.run(choice)
    else this.#pass(choice)
  }

  /** Passes the time until something is due; if something is due already, passes a while without running it. */
  #pass(choice: Choice): void {
    const { time } = this.#world
    const next = Math.min(time.next() ?? Infinity, this.#cast.next() ?? Infinity)
    if (next > time.monotonic && next !== Infinity) time.pass(next - time.monotonic)
    else time.pass(choice.of([1, 30, 400, 1500]) ?? 1)
  }

  #publish(choice: Choice): void {
    const process = choice.of(this.#cast.publishers.filter((one) => this.#world.time.mayRun(one)))
    if (!process) return
    this.#events++
    this.#world.publish(process, 1 + choice.below(2), choice.of(WORKSPACES) ?? 'w')
  }

  #disturb(choice: Choice): void {
    const fault: Fault | undefined = choice.of(this.#world.story.faults)
    if (fault) this.#cast.disturb(fault, choice)
    else this.#goOn(choice)
  }
}
