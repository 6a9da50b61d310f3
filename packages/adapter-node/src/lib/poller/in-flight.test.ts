import type { DeliveryOutcome } from '@keepsend/engine'
import type { Claim } from '@keepsend/outbox'
import { HostSlots } from './host-slots.ts'
import { describe, expect, it } from 'vitest'
import type { InFlightClaim } from './lane.ts'
import { InFlight } from './in-flight.ts'

const DELIVERED: DeliveryOutcome = { kind: 'complete', httpStatus: 200 }

/** Slots of which one endpoint may have all. */
function createInFlight(concurrency: number, settleBatch: number, groupSize = settleBatch): InFlight {
  return new InFlight({
    concurrency,
    settleBatch,
    groupSize,
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

/** Starts all claims that may run. */
function run(inFlight: InFlight): InFlightClaim[] {
  const started: InFlightClaim[] = []
  for (let next = inFlight.next(); next; next = inFlight.next()) started.push(next)
  return started
}

describe('InFlight', () => {
  it('claims `concurrency` rows first, runs no more, and lets the rest wait', () => {
    const inFlight = createInFlight(4, 8)
    expect(inFlight.room.rows).toBe(4)
    inFlight.add(claims(10))
    expect(run(inFlight)).toHaveLength(4)
    expect([inFlight.running, inFlight.waiting, inFlight.room.rows]).toEqual([4, 6, 0])
  })

  it('starts the next claim in a free slot before anything is settled', () => {
    const inFlight = createInFlight(2, 4)
    inFlight.add(claims(3))
    const [first] = run(inFlight)
    if (first) inFlight.finish(first, DELIVERED)
    expect(run(inFlight).map(({ claim }) => claim.id)).toEqual(['row 2'])
    expect(inFlight.finished).toHaveLength(1)
  })

  it('claims few rows ahead while few attempts finish, and at most a batch while many do', () => {
    const inFlight = createInFlight(4, 6)
    inFlight.add(claims(4))
    const started = run(inFlight)
    const [first] = started
    if (first) inFlight.finish(first, DELIVERED)
    // One slot is free, and twice one may wait.
    expect(inFlight.room.rows).toBe(3)
    for (const next of started.slice(1)) inFlight.finish(next, DELIVERED)
    expect(inFlight.room.rows).toBe(4 + 6)
  })

  it('settles a group when it is full, when half of `concurrency` has finished and nothing waits, and when nothing runs', () => {
    const inFlight = createInFlight(4, 3)
    inFlight.add(claims(8))
    const finishNext = (): void => {
      const next = inFlight.claims.find((one) => !inFlight.finished.some((done) => done.inFlight === one))
      if (next) inFlight.finish(next, DELIVERED)
      run(inFlight)
    }
    run(inFlight)
    expect(inFlight.groupIsReady).toBe(false)
    finishNext()
    finishNext()
    // Half of `concurrency`, but more waits to run.
    expect([inFlight.waiting, inFlight.groupIsReady]).toEqual([2, false])
    finishNext()
    expect(inFlight.groupIsReady).toBe(true)
    inFlight.settled(inFlight.finished)
    finishNext()
    expect([inFlight.waiting, inFlight.finished.length, inFlight.groupIsReady]).toEqual([0, 1, false])
    finishNext()
    expect(inFlight.groupIsReady).toBe(true)
    inFlight.settled(inFlight.finished)
    while (inFlight.running > 0) finishNext()
    expect(inFlight.groupIsReady).toBe(true)
  })

  it('settles a group that is smaller than a batch, while as many as a batch wait to be sent', () => {
    const inFlight = createInFlight(2, 8, 4)
    inFlight.add(claims(6))
    const running = run(inFlight)
    for (let done = 0; done < 4; done++) {
      expect(inFlight.groupIsReady).toBe(false)
      const next = running.shift()
      if (next) inFlight.finish(next, DELIVERED)
      running.push(...run(inFlight))
    }
    expect([inFlight.groupIsReady, inFlight.running, inFlight.room.rows]).toEqual([true, 2, 8])
  })

  it('releases the waiting claims of an endpoint together with the outcome that blocks it', () => {
    const inFlight = createInFlight(2, 4)
    inFlight.add(claims(4))
    const [first, second] = run(inFlight)
    if (first) inFlight.finish(first, { kind: 'hold', reason: 'endpoint_paused' })
    expect(inFlight.finished.map(({ claim, outcome }) => [claim.id, outcome.kind])).toEqual([
      ['row 0', 'hold'],
      ['row 2', 'release'],
      ['row 3', 'release'],
    ])
    expect([inFlight.waiting, inFlight.groupIsReady, run(inFlight), second && inFlight.has(second)]).toEqual([
      0,
      true,
      [],
      true,
    ])
  })

  it('ignores late outcomes of claims that were dropped or settled', () => {
    const inFlight = createInFlight(2, 4)
    inFlight.add(claims(4))
    const [first, second] = run(inFlight)
    expect(inFlight.dropWaiting().map(({ id }) => id)).toEqual(['row 2', 'row 3'])
    if (first) inFlight.finish(first, DELIVERED)
    inFlight.settled(inFlight.finished)
    expect([first && inFlight.has(first), second && inFlight.has(second)]).toEqual([false, true])
    expect(inFlight.dropAll().map(({ id }) => id)).toEqual(['row 1'])
    expect([inFlight.claims.length, inFlight.finished.length]).toEqual([0, 0])
  })
})
