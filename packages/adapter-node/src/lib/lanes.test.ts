import type { Claim } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Held, Lanes } from './lanes.ts'

/** Lanes of 32 slots, 8 for an endpoint, on a clock that a test moves. */
function rig() {
  let now = 0
  const lanes = new Lanes({ concurrency: 32, slotsPerEndpoint: 8, clock: () => now })
  const add = (endpointId: string, count: number, limit?: number): void => {
    const lane = lanes.of(endpointId)
    lane.limit = limit
    for (let n = 0; n < count; n++)
      lanes.wait({ claim: { id: `${endpointId} ${n}` } as Claim, lane, notBefore: 0, beginBy: Infinity, place: -1 })
  }
  /** Starts up to that many; whose they are. */
  const start = (most = 100): Held[] => {
    const started: Held[] = []
    for (let held = lanes.next(); held; held = lanes.next()) if (started.push(held) === most) break
    return started
  }
  return { lanes, add, start, pass: (ms: number) => void (now += ms) }
}

const of = (held: readonly Held[], endpointId: string) => held.filter(({ lane }) => lane.endpointId === endpointId)

describe('Lanes', () => {
  it('endpoints take turns, whatever stands before them', () => {
    const { add, start } = rig()
    add('big', 100)
    add('small', 2)
    expect(start(4).map(({ lane }) => lane.endpointId)).toEqual(['big', 'small', 'big', 'small'])
  })

  it('one that is not known runs in its slots alone; what waits for it is in nobody’s way', () => {
    const { lanes, add, start } = rig()
    add('new', 20)
    expect(start()).toHaveLength(8)
    expect([lanes.waiting, lanes.ready]).toEqual([12, 0])
    add('other', 3)
    expect(lanes.ready).toBe(3)
  })

  it('one that answers fast may have all that is free, and one that turns slow its slots again', () => {
    const { lanes, add, start } = rig()
    add('it', 100)
    const [first, ...more] = start()
    if (first) lanes.ended(first.lane, 2)
    expect(start(40)).toHaveLength(25)
    for (const { lane } of more) lanes.ended(lane, 400)
    expect(start()).toEqual([])
  })

  it('one that was fast and falls silent is lent nothing more, and what it has beyond its slots counts no longer', () => {
    const { lanes, add, start, pass } = rig()
    add('it', 100)
    const [first] = start()
    if (first) lanes.ended(first.lane, 2)
    expect([start(25).length, lanes.silent]).toEqual([25, 0])
    pass(51)
    expect([lanes.silent, start()]).toEqual([24, []])
    const [lane] = [lanes.of('it')]
    for (let n = 0; n < 30; n++) lanes.ended(lane, 60)
    expect(lanes.silent).toBe(0)
  })

  it('nothing is held of an endpoint that has had no time to answer', () => {
    const { lanes, add, start, pass } = rig()
    add('it', 50)
    start()
    pass(250)
    expect(lanes.takeOverflow()).toEqual([])
    pass(1)
    // Two more than run would begin within 250 ms if it took a second for each.
    expect(lanes.takeOverflow()).toHaveLength(40)
    expect(lanes.waiting).toBe(2)
  })

  it('of a slow endpoint what cannot begin soon is held at once', () => {
    const { lanes, add, start, pass } = rig()
    add('slow', 1)
    for (const { lane } of start()) lanes.ended(lane, 1000)
    pass(300)
    add('slow', 50)
    expect(of(start(), 'slow')).toHaveLength(8)
    expect(lanes.takeOverflow()).toHaveLength(40)
    expect([lanes.roomFor('slow'), lanes.heldLately(lanes.of('slow'))]).toEqual([0, true])
  })

  it('a moment’s stall of a fast endpoint, or of this process, holds nothing', () => {
    const { lanes, add, start, pass } = rig()
    add('it', 150)
    const [first] = start()
    if (first) lanes.ended(first.lane, 2)
    start(25)
    pass(200)
    expect(lanes.takeOverflow()).toEqual([])
    pass(100)
    expect(lanes.takeOverflow().length).toBeGreaterThan(100)
  })

  it('an endpoint’s own limit is never passed, however fast it is', () => {
    const { lanes, add, start } = rig()
    add('it', 10, 2)
    const [first] = start()
    if (first) lanes.ended(first.lane, 1)
    expect(of(start(), 'it')).toHaveLength(1)
    add('wide', 40, 20)
    expect(of(start(), 'wide')).toHaveLength(20)
  })

  it('what is taken out waits no longer: one, or all', () => {
    const { lanes, add, start } = rig()
    add('a', 3)
    add('b', 2)
    const [held] = start(1)
    expect(held && lanes.takeWaiting(held)).toEqual([])
    const all = lanes.takeWaiting()
    expect([all.length, lanes.waiting, start()]).toEqual([4, 0, []])
  })
})
