import { CloudflareCast } from './cloudflare-cast.ts'
import type { Cast } from './cast.ts'
import { NodeCast } from './node-cast.ts'
import type { Counts } from './counts.ts'
import { Choice, type Fault, type Story } from './story.ts'
import { WORKSPACES } from './template.ts'
import { type Control, World } from './world.ts'

export interface Told {
  /** The rule that was broken, if any. */
  broken: string | undefined
  steps: number
  counts: Counts
  /** The last things that happened. */
  log: readonly string[]
  mutated: readonly number[]
}

const MAX_EVENTS = 10
const AGAIN: Fault = 'event is published again'
// Far more than happens at one moment of any story. How long the calm may last is said in time, not in steps.
const MAX_STEPS_OF_A_MOMENT = 20_000

// Node's own, taken before any clock is put in place.
const { setImmediate: nextTurn } = globalThis

/** Everything that only waits for promises has happened when this resolves. */
function turn(): Promise<void> {
  return new Promise((resolve) => {
    nextTurn(resolve)
  })
}

/** Tells one story to its end: its steps, then the calm after it, in which everything must settle. */
export async function tell(story: Story, control?: Control): Promise<Told> {
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

  /** One step, as the choice says. */
  step(choice: Choice): void {
    const kind = choice.below(100)
    if (kind < 65) this.#goOn(choice)
    else if (kind < 82) this.#pass(choice)
    else if (kind < 90 && this.#events < MAX_EVENTS) this.#publish(choice)
    else if (kind < 90 && this.#world.has(AGAIN)) this.#cast.disturb(AGAIN, choice)
    else this.#disturb(choice)
  }

  /** Faults stop, time goes on, and everything settles. Returns the steps it took. */
  async calmDown(): Promise<number> {
    const { time, ledger, pausedUntil } = this.#world
    this.#world.say('the faults stop')
    this.#world.calm = true
    this.#cast.calmDown()
    const lastDue = Math.max(time.timeOfDay, pausedUntil, ...ledger.rows.map(({ dueAt }) => dueAt ?? 0))
    const end = time.monotonic + (lastDue - time.timeOfDay) + this.#cast.patienceMs
    let moment = { at: time.monotonic, began: 0 }
    let asked = false
    let stopped = false as boolean
    for (let steps = 0; ; steps++) {
      await turn()
      if (ledger.broken || stopped) return steps
      if (time.monotonic > moment.at) moment = { at: time.monotonic, began: steps }
      const ready = this.#ready()
      const settled = ledger.rows.every(({ status }) => status === 'completed' || status === 'failed')
      if (settled && !asked && ready.length === 0 && this.#cast.atRest()) {
        ledger.settleUp()
        asked = true
        void this.#cast.stop().then(() => {
          stopped = true
        })
      } else if (time.monotonic > end || steps - moment.began > MAX_STEPS_OF_A_MOMENT) {
        ledger.settleUp()
        ledger.break(`everything comes to rest: not after ${steps} steps and ${time.monotonic} ms`)
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

  /** Until something is due; or, if something is, a while in which nobody comes to it. */
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
