import type { Choice, Fault } from './story.ts'
import { START_MS, WORKSPACE, endpointIds } from './template.ts'
import type { Process, World } from './world.ts'

// As far as the machine's clock may be wrong.
const MAX_DRIFT_MS = 600_000

/** What may befall any process, whatever it runs. */
export function disturbAnybody(world: World, process: Process, fault: Fault, choice: Choice): void {
  const { time } = world
  if (fault === 'process pauses') {
    process.pausedUntil = time.monotonic + 500 * (1 + choice.below(20))
    world.say(`${process.name} is stopped until ${process.pausedUntil} ms`)
  } else if (fault === 'clock jumps') {
    const drift = time.timeOfDay - time.monotonic - START_MS
    const jump = 1000 * (choice.below(241) - 120)
    if (Math.abs(drift + jump) > MAX_DRIFT_MS) return
    time.timeOfDay += jump
    world.say(`the clock jumps by ${jump} ms`)
  } else if (fault === 'row is replayed') world.replay()
  else if (fault === 'event is published again') world.publishAgain(process, choice)
  else if (fault === 'endpoint is disabled') {
    const id = choice.of(endpointIds) ?? ''
    const status = choice.below(2) === 0 ? 'enabled' : 'disabled'
    world.say(`an endpoint is ${status}`)
    void world.operator.engine.endpoints.setStatus(WORKSPACE, id, status)
  }
}

/** What the last disabling kept aside is let out again. */
export function enableEndpoints({ operator }: World): void {
  for (const id of endpointIds) void operator.engine.endpoints.setStatus(WORKSPACE, id, 'enabled')
}
