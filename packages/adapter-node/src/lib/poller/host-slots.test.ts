import type { Claim } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { HostSlots } from './host-slots.ts'
import type { InFlightClaim } from './lane.ts'
import { LaneScheduler } from './lane-scheduler.ts'

/** Lanes that may have all slots, of which a host has so many. */
function rig(slotsPerHost: number) {
  const hosts = new HostSlots(slotsPerHost)
  const lanes = new LaneScheduler({
    concurrency: 32,
    slotsPerWorkspace: 32,
    slotsPerEndpoint: 32,
    hosts,
    clock: () => 0,
  })
  const add = (workspaceId: string, count: number, host?: string) => {
    const lane = lanes.laneFor({ workspaceId, endpointId: `ep ${workspaceId}` })
    lane.host = host
    for (let n = 0; n < count; n++) {
      const claim = { id: `${workspaceId} ${n}` } as Claim
      const inFlight = { claim, lane, notBefore: 0, since: 0, startBy: Infinity, beginBy: Infinity }
      lanes.enqueue({ ...inFlight, isLent: false, place: -1 })
    }
    return lane
  }
  const start = (): InFlightClaim[] => {
    const started: InFlightClaim[] = []
    for (let inFlight = lanes.next(); inFlight; inFlight = lanes.next()) started.push(inFlight)
    return started
  }
  return { lanes, hosts, add, start }
}

describe('the slots of a host', () => {
  it('are shared by all endpoints that name it, and by no other', () => {
    const { add, start } = rig(3)
    add('a', 5, 'x.example')
    add('b', 5, 'x.example')
    add('c', 5, 'y.example')
    add('d', 5)
    const hosts = start().map(({ host }) => host)
    const count = (host: string | undefined): number => hosts.filter((one) => one === host).length
    expect([count('x.example'), count('y.example'), count(undefined)]).toEqual([3, 3, 5])
  })

  it('go to the workspace that runs least when one becomes free', () => {
    const { add, start, lanes } = rig(2)
    add('a', 10, 'x.example')
    const [first] = start()
    add('b', 1, 'x.example')
    expect(start()).toEqual([])
    if (first) lanes.finishAttempt(first)
    expect(start().map(({ lane }) => lane.workspaceId)).toEqual(['b'])
  })

  it('are asked for by no claim while none is free: what waits stays in line', () => {
    const { add, start, lanes } = rig(2)
    const [a, b] = [add('a', 2, 'x.example'), add('b', 0, 'x.example')]
    expect(lanes.roomFor(b)).toBeGreaterThan(0)
    const [inFlight] = start()
    expect([lanes.roomFor(a), lanes.roomFor(b)]).toEqual([0, 0])
    if (inFlight) lanes.finishAttempt(inFlight)
    expect(lanes.roomFor(b)).toBeGreaterThan(0)
  })

  it('are given back by the host that had them, also when the URL of the endpoint has changed meanwhile', () => {
    const { add, start, lanes, hosts } = rig(2)
    const lane = add('a', 2, 'x.example')
    const inFlight = start()
    lane.host = 'y.example'
    for (const one of inFlight) lanes.finishAttempt(one)
    expect([hosts.room('x.example'), hosts.room('y.example')]).toEqual([2, 2])
  })
})
