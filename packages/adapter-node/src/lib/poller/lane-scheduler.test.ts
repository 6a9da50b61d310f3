// Longer than other files: one rig, and a test for each rule of order, slots and loans.
import type { Claim } from '@keepsend/outbox'
import { HostSlots } from './host-slots.ts'
import { describe, expect, it } from 'vitest'
import type { Answer, InFlightClaim } from './lane.ts'
import { LaneScheduler } from './lane-scheduler.ts'

/** Lanes of 32 slots, 16 for a workspace, 8 for an endpoint, on a clock that a test moves. */
function rig() {
  let now = 0
  const options = { concurrency: 32, slotsPerWorkspace: 16, slotsPerEndpoint: 8, hosts: new HostSlots(64) }
  const lanes = new LaneScheduler({ ...options, clock: () => now })
  const of = (name: string) => {
    const [endpointId = '', workspaceId = 'w'] = name.split(' of ')
    return lanes.laneFor({ workspaceId, endpointId })
  }
  const add = (name: string, count: number, limit?: number): void => {
    const lane = of(name)
    lane.limit = limit
    for (let n = 0; n < count; n++) {
      const claim = { id: `${name} ${n}` } as Claim
      lanes.enqueue({
        claim,
        lane,
        notBefore: 0,
        since: now,
        startBy: Infinity,
        beginBy: Infinity,
        isLent: false,
        place: -1,
      })
    }
  }
  /** Starts at most `limit` claims and returns them. */
  const start = (limit = 100): InFlightClaim[] => {
    const started: InFlightClaim[] = []
    for (let next = lanes.next(); next; next = lanes.next()) if (started.push(next) === limit) break
    return started
  }
  const end = (started: readonly InFlightClaim[], tookMs: number, pushback: Answer['pushback'] = 'none'): void => {
    for (const one of started) lanes.finishAttempt(one, { tookMs, pushback, isSuccess: pushback === 'none' })
  }
  /** Makes the endpoints answer once, in `tookMs`. */
  const answered = (names: readonly string[], tookMs: number): void => {
    for (const name of names) add(name, 1)
    end(start(names.length), tookMs)
  }
  return { lanes, of, add, start, end, answered, pass: (ms: number) => void (now += ms) }
}

const endpointsOf = (started: readonly InFlightClaim[]) => started.map(({ lane }) => lane.endpointId)
const workspacesOf = (started: readonly InFlightClaim[]) => started.map(({ lane }) => lane.workspaceId)
const names = (count: number, of = 'w') => Array.from({ length: count }, (_, n) => `ep_${n} of ${of}`)

describe('LaneScheduler', () => {
  it('alternates between the endpoints of a workspace, whatever their backlogs', () => {
    const { add, start } = rig()
    add('big', 100)
    add('small', 2)
    expect(endpointsOf(start(4))).toEqual(['big', 'small', 'big', 'small'])
  })

  it('alternates between workspaces, however many endpoints one of them has', () => {
    const { add, start } = rig()
    for (const name of names(20, 'big')) add(name, 10)
    add('ep of small', 3)
    expect(workspacesOf(start(6))).toEqual(['big', 'small', 'big', 'small', 'big', 'small'])
  })

  it('starts claims of the workspace with the fewest attempts running first', () => {
    const { add, start } = rig()
    for (const name of names(5, 'big')) add(name, 10)
    expect(start(20)).toHaveLength(20)
    add('ep of small', 3)
    expect(workspacesOf(start(4))).toEqual(['small', 'small', 'small', 'big'])
  })

  it('gives a workspace that is alone all slots, and lends it one to find endpoints that answer', () => {
    const { add, start } = rig()
    for (const name of names(20)) add(name, 10)
    expect(start().map(({ isLent }) => isLent)).toEqual([...Array.from({ length: 32 }, () => false), true])
  })

  it('limits an unknown endpoint to slotsPerEndpoint, and its waiting claims delay no other', () => {
    const { lanes, add, start } = rig()
    add('new', 20)
    expect(start()).toHaveLength(8)
    expect([lanes.waiting, lanes.runnableCount]).toEqual([12, 0])
    add('other', 3)
    expect(lanes.runnableCount).toBe(3)
  })

  it('gives a fast endpoint all free slots, and slotsPerEndpoint again once it becomes slow', () => {
    const { add, start, end } = rig()
    add('it', 100)
    const [first, ...more] = start()
    end(first ? [first] : [], 2)
    expect(start(40)).toHaveLength(25)
    end(more, 400)
    expect(start()).toEqual([])
  })

  it('lowers the limit of an endpoint to its own concurrency, and never raises it', () => {
    const { add, start, answered } = rig()
    add('narrow', 10, 2)
    expect(start()).toHaveLength(2)
    add('wide', 40, 1000)
    expect(endpointsOf(start())).toEqual(Array.from({ length: 8 }, () => 'wide'))
    answered(['fast'], 1)
    add('fast', 10, 3)
    expect(start()).toHaveLength(3)
  })

  it('lends slots to proven endpoints beside a workspace whose receivers are silent', () => {
    const { lanes, add, start, answered } = rig()
    answered(['ep of other', ...names(4, 'third')], 300)
    for (const name of names(100, 'silent')) add(name, 1)
    expect(start()).toHaveLength(33)
    add('ep of other', 20)
    expect(start()).toHaveLength(8)
    for (const name of names(4, 'third')) add(name, 20)
    expect(start()).toHaveLength(16)
    expect(lanes.running).toBe(57)
  })

  it('runs at most twice `concurrency`, and lends no workspace more than its share', () => {
    const { lanes, add, start, answered } = rig()
    const others = ['a', 'b', 'c', 'd', 'e']
    for (const other of others) answered(names(10, other), 1)
    for (const name of names(100, 'silent')) add(name, 1)
    start()
    for (const name of names(10, 'a')) add(name, 20)
    expect(start()).toHaveLength(16)
    for (const other of others) for (const name of names(10, other)) add(name, 20)
    start()
    expect(lanes.running).toBe(64)
  })

  it('serves the other endpoints of a workspace beside its silent ones', () => {
    const { add, start, answered, pass } = rig()
    answered(names(20), 5)
    for (let n = 0; n < 8; n++) add(`silent_${n}`, 4)
    expect(start()).toHaveLength(32)
    pass(5000)
    for (const name of names(20)) add(name, 1)
    expect(start()).toHaveLength(16)
  })

  it('lends nothing to an endpoint that became silent or slow', () => {
    const { add, start, end, answered, pass } = rig()
    answered(['turned of a', 'slow of b'], 5)
    for (const name of names(100, 'silent')) add(name, 1)
    start()
    add('turned of a', 10)
    add('slow of b', 1)
    const lent = start(2)
    expect(workspacesOf(lent)).toEqual(['a', 'b'])
    pass(1001)
    expect(start()).toEqual([])
    end(lent, 1200)
    add('slow of b', 1)
    expect(start()).toEqual([])
  })

  it('lends a few slots to new endpoints; only one for each workspace with silent endpoints', () => {
    const { add, start } = rig()
    for (const workspace of ['a', 'b', 'c']) for (const name of names(20, workspace)) add(name, 10)
    // 32 slots of their own, and one more for each.
    expect(start()).toHaveLength(35)
    add('first of new', 5)
    const lent = start()
    expect(workspacesOf(lent)).toEqual(['new'])
    expect(lent[0]?.isLent).toBe(true)
  })

  it('lends the next slot on trust once a borrower has answered', () => {
    const { add, start, end } = rig()
    for (const name of names(100, 'silent')) add(name, 1)
    start()
    add('ep of new', 3)
    const first = start()
    expect(first).toHaveLength(1)
    end(first, 20)
    expect(start()).toHaveLength(2)
  })

  it('runs one attempt after a pause, doubles with each success, and halves after another refusal', () => {
    const { add, start, end, answered } = rig()
    answered(['it'], 5)
    add('it', 200)
    end(start(1), 5, 'paused')
    const sizes: number[] = []
    for (let round = 0; round < 4; round++) {
      const running = start()
      sizes.push(running.length)
      end(running.slice(0, 1), 5)
      for (const one of running.slice(1)) end([one], 5, 'slow')
    }
    expect(sizes).toEqual([1, 2, 2, 2])
    for (let n = 0; n < 5; n++) end(start(1), 5)
    expect(start()).toHaveLength(32)
  })

  it('releases claims that have waited too long, but not those that wait for their slot time', () => {
    const { lanes, of, add, start, pass } = rig()
    add('it', 10)
    start()
    const lane = of('paced')
    const paced = {
      claim: { id: 'p' } as Claim,
      lane,
      notBefore: 400,
      since: 400,
      startBy: 410,
      beginBy: Infinity,
      isLent: false,
      place: -1,
    }
    lanes.enqueue(paced)
    pass(399)
    expect([start(), lanes.nextSlotTime]).toEqual([[], 400])
    pass(1)
    expect(start()).toEqual([paced])
    lanes.finishAttempt(paced)
    lanes.enqueue(paced)
    pass(11)
    // Its slot time has expired; it needs another.
    expect([start(), lanes.takeOverflow()]).toEqual([[], [paced]])
    pass(100)
    expect(lanes.takeOverflow()).toHaveLength(2)
    expect(lanes.waiting).toBe(0)
  })

  it('claims as many rows of an endpoint as would start soon', () => {
    const { lanes, of, add, start, end, pass } = rig()
    // Unknown: eight run, and two more would start within 250 ms at a second for each.
    expect(lanes.roomFor(of('it'))).toBe(10)
    add('it', 10)
    end(start(1), 2)
    expect(lanes.roomFor(of('it'))).toBeGreaterThan(1000)
    start()
    pass(60)
    expect(lanes.roomFor(of('it'))).toBe(1)
    of('it').isRefused = true
    expect(lanes.roomFor(of('it'))).toBe(0)
  })

  it('removes waiting claims: one, those of an endpoint, or all', () => {
    const { lanes, of, add, start } = rig()
    add('a', 3)
    add('b', 2)
    add('c', 2)
    const [started] = start(1)
    expect(started && lanes.takeWaiting(started)).toEqual([])
    expect(endpointsOf(lanes.takeWaiting(of('b')))).toEqual(['b', 'b'])
    const all = lanes.takeWaiting()
    expect([all.length, lanes.waiting, start()]).toEqual([4, 0, []])
  })

  it('forgets endpoints without claims in flight beyond 10,000, and no others', () => {
    const { lanes, of, add } = rig()
    add('kept', 1)
    const kept = of('kept')
    of('ep of w_0').latencyMs = 5
    for (let n = 0; n < 30_000; n++) lanes.laneFor({ workspaceId: `w_${n}`, endpointId: 'ep' })
    expect([of('kept') === kept, of('ep of w_0').latencyMs]).toEqual([true, undefined])
  })
})
