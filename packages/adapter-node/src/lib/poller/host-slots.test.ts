import type { Claim } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { HostSlots } from './host-slots.ts'
import type { InFlightClaim } from './lane.ts'
import { LaneScheduler } from './lane-scheduler.ts'

/** Lanes that may use all slots, with a limit for each host. */
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
    for (let next = lanes.next(); next; next = lanes.next()) started.push(next)
    return started
  }
  return { lanes, hosts, add, start }
}

describe('HostSlots', () => {
  it('counts all endpoints that name a host, and no others', () => {
    const { add, start } = rig(3)
    add('a', 5, 'x.example')
    add('b', 5, 'x.example')
    add('c', 5, 'y.example')
    add('d', 5)
    const hosts = start().map(({ host }) => host)
    const count = (host: string | undefined): number => hosts.filter((one) => one === host).length
    expect([count('x.example'), count('y.example'), count(undefined)]).toEqual([3, 3, 5])
  })

  it('gives a free slot of a host to the workspace with the fewest attempts running', () => {
    const { add, start, lanes } = rig(2)
    add('a', 10, 'x.example')
    const [first] = start()
    add('b', 1, 'x.example')
    expect(start()).toEqual([])
    if (first) lanes.finishAttempt(first)
    expect(start().map(({ lane }) => lane.workspaceId)).toEqual(['b'])
  })

  it('claims no rows for a host without free slots', () => {
    const { add, start, lanes } = rig(2)
    const [a, b] = [add('a', 2, 'x.example'), add('b', 0, 'x.example')]
    expect(lanes.roomFor(b)).toBeGreaterThan(0)
    const [running] = start()
    expect([lanes.roomFor(a), lanes.roomFor(b)]).toEqual([0, 0])
    if (running) lanes.finishAttempt(running)
    expect(lanes.roomFor(b)).toBeGreaterThan(0)
  })

  it('frees the slot of the host that was used, even when the endpoint’s URL has changed meanwhile', () => {
    const { add, start, lanes, hosts } = rig(2)
    const lane = add('a', 2, 'x.example')
    const started = start()
    lane.host = 'y.example'
    for (const one of started) lanes.finishAttempt(one)
    expect([hosts.room('x.example'), hosts.room('y.example')]).toEqual([2, 2])
  })
})
