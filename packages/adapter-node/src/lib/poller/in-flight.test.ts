import type { DeliveryOutcome } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { HostSlots } from './host-slots.ts'
import { describe, expect, it } from 'vitest'
import type { InFlightClaim } from './lane.ts'
import { InFlight } from './in-flight.ts'

const DELIVERED: DeliveryOutcome = { kind: 'complete', httpStatus: 200 }

/** Slots of which one endpoint may have all. */
function slotsOf(concurrency: number, settleBatch: number): InFlight {
  return new InFlight({
    concurrency,
    settleBatch,
    slotsPerWorkspace: concurrency,
    slotsPerEndpoint: concurrency,
    hosts: new HostSlots(64),
    clock: () => 0,
  })
}

function claims(count: number): Claim[] {
  return Array.from(
    { length: count },
    (_, index) => ({ id: `row ${index}`, workspaceId: 'w', endpointId: 'ep', gen: 1 }) as Claim,
  )
}

/** Starts all that may run. */
function run(slots: InFlight): InFlightClaim[] {
  const started: InFlightClaim[] = []
  for (let inFlight = slots.next(); inFlight; inFlight = slots.next()) started.push(inFlight)
  return started
}

describe('Slots', () => {
  it('wants a window at first, runs no more than a window, and lets the rest wait', () => {
    const slots = slotsOf(4, 8)
    expect(slots.room.rows).toBe(4)
    slots.add(claims(10))
    expect(run(slots)).toHaveLength(4)
    expect([slots.running, slots.waiting, slots.room.rows]).toEqual([4, 6, 0])
  })

  it('a slot that becomes free takes the next claim before anything is settled', () => {
    const slots = slotsOf(2, 4)
    slots.add(claims(3))
    const [first] = run(slots)
    if (first) slots.finish(first, DELIVERED)
    expect(run(slots).map(({ claim }) => claim.id)).toEqual(['row 2'])
    expect(slots.finished).toHaveLength(1)
  })

  it('keeps few claims waiting while few finish, and a batch at most while many do', () => {
    const slots = slotsOf(4, 6)
    slots.add(claims(4))
    const started = run(slots)
    const [first] = started
    if (first) slots.finish(first, DELIVERED)
    // One is free, and twice one may wait.
    expect(slots.room.rows).toBe(3)
    for (const inFlight of started.slice(1)) slots.finish(inFlight, DELIVERED)
    expect(slots.room.rows).toBe(4 + 6)
  })

  it('a group is ready when it is full, when half a window has finished and nothing waits, and when nothing runs', () => {
    const slots = slotsOf(4, 3)
    slots.add(claims(8))
    const finishNext = (): void => {
      const inFlight = slots.claims.find((one) => !slots.finished.some((done) => done.inFlight === one))
      if (inFlight) slots.finish(inFlight, DELIVERED)
      run(slots)
    }
    run(slots)
    expect(slots.groupIsReady).toBe(false)
    finishNext()
    finishNext()
    // Half a window, but more waits to run.
    expect([slots.waiting, slots.groupIsReady]).toEqual([2, false])
    finishNext()
    expect(slots.groupIsReady).toBe(true)
    slots.settled(slots.finished)
    finishNext()
    expect([slots.waiting, slots.finished.length, slots.groupIsReady]).toEqual([0, 1, false])
    finishNext()
    expect(slots.groupIsReady).toBe(true)
    slots.settled(slots.finished)
    while (slots.running > 0) finishNext()
    expect(slots.groupIsReady).toBe(true)
  })

  it('what waits for an endpoint that takes nothing is released with the outcome that says so', () => {
    const slots = slotsOf(2, 4)
    slots.add(claims(4))
    const [first, second] = run(slots)
    if (first) slots.finish(first, { kind: 'hold', reason: 'endpoint_paused' })
    expect(slots.finished.map(({ claim, outcome }) => [claim.id, outcome.kind])).toEqual([
      ['row 0', 'hold'],
      ['row 2', 'release'],
      ['row 3', 'release'],
    ])
    expect([slots.waiting, slots.groupIsReady, run(slots), second && slots.has(second)]).toEqual([0, true, [], true])
  })

  it('what was dropped or settled is in hand no longer, and its late outcome finds that out', () => {
    const slots = slotsOf(2, 4)
    slots.add(claims(4))
    const [first, second] = run(slots)
    expect(slots.dropWaiting().map(({ id }) => id)).toEqual(['row 2', 'row 3'])
    if (first) slots.finish(first, DELIVERED)
    slots.settled(slots.finished)
    expect([first && slots.has(first), second && slots.has(second)]).toEqual([false, true])
    expect(slots.dropAll().map(({ id }) => id)).toEqual(['row 1'])
    expect([slots.claims.length, slots.finished.length]).toEqual([0, 0])
  })
})
