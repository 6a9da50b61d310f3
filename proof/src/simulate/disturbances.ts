import type { Choice, Fault } from './story.ts'
import { START_MS, WORKSPACES, endpoints } from './template.ts'
import type { Process, World } from './world.ts'

// The largest error of the machine's clock.
const MAX_DRIFT_MS = 600_000

/** Faults that any process may have. */
export function disturbAnybody(world: World, process: Process, fault: Fault, choice: Choice): void {
  const { time } = world
  const store = world.operator.engine.endpoints
  if (fault === 'process pauses') {
    process.pausedUntil = time.monotonic + 500 * (1 + choice.below(20))
    world.say(`${process.name} is stopped until ${process.pausedUntil} ms`)
  } else if (fault === 'clock jumps') {
    const drift = time.timeOfDay - time.monotonic - START_MS
    const jump = 1000 * (choice.below(241) - 120)
    if (Math.abs(drift + jump) > MAX_DRIFT_MS) return
    time.jump(jump)
    world.say(`the clock jumps by ${jump} ms`)
  } else if (fault === 'row is replayed') world.replay(choice.of(WORKSPACES) ?? 'w')
  else if (fault === 'event is published again') world.publishAgain(process, choice)
  else if (fault === 'endpoint is disabled') {
    const { workspaceId, id } = choice.of(endpoints) ?? NOBODY
    const status = choice.below(2) === 0 ? 'enabled' : 'disabled'
    world.say(`an endpoint of ${workspaceId} is ${status}`)
    world.order(() => store.setStatus(workspaceId, id, status))
  } else if (fault === 'endpoint is paused') {
    const { workspaceId, id } = choice.of(endpoints) ?? NOBODY
    const forMs = 1000 * choice.below(MAX_PAUSE_SECONDS + 1)
    world.say(forMs === 0 ? `an endpoint of ${workspaceId} is resumed` : `${forMs} ms of pause in ${workspaceId}`)
    world.order(() => (forMs === 0 ? store.resume(workspaceId, id) : store.pause(workspaceId, id, { forMs })))
  }
}

const NOBODY = { workspaceId: '', id: '' }
const MAX_PAUSE_SECONDS = 20

/** Enables disabled endpoints, or fails. A pause ends by itself. */
export function enableEndpoints(world: World): void {
  const store = world.operator.engine.endpoints
  for (const { workspaceId, id } of endpoints) {
    world.order(async () => {
      const { status, circuit } = await store.get(workspaceId, id)
      if (status === 'disabled' || circuit === 'open') await store.setStatus(workspaceId, id, 'enabled')
    })
  }
}
