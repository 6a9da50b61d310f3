import type { Claim, LaneRef, LaneShare } from '@keepsend/outbox'
import { HostSlots } from './host-slots.ts'
import { describe, expect, it } from 'vitest'
import { LaneScheduler } from './lane-scheduler.ts'
import { LaneBacklog } from './lane-backlog.ts'

function rig() {
  const lanes = new LaneScheduler({
    concurrency: 32,
    slotsPerWorkspace: 16,
    slotsPerEndpoint: 8,
    hosts: new HostSlots(64),
    clock: () => 0,
  })
  const backlog = new LaneBacklog(lanes)
  const look = (refs: readonly LaneRef[], next = '') => backlog.looked({ lanes: [...refs], next, now: 0, dueAt: null })
  return { lanes, backlog, look }
}

const ref = (workspaceId: string, endpointId = 'ep'): LaneRef => ({ workspaceId, endpointId })
const many = (count: number, workspaceId: string) =>
  Array.from({ length: count }, (_, n) => ref(workspaceId, `ep_${String(n).padStart(2, '0')}`))
const atId = (id: string, lane: LaneRef) => ({ ...lane, id }) as Claim
const countsOf = (shares: readonly LaneShare[]) =>
  Object.fromEntries(shares.map(({ workspaceId, endpointId, count }) => [`${workspaceId} ${endpointId}`, count]))
const claimsOf = (lane: LaneRef, count: number) => Array.from({ length: count }, () => ({ ...lane }) as Claim)
const sum = (shares: readonly LaneShare[]) => shares.reduce((all, { count }) => all + count, 0)

describe('LaneBacklog', () => {
  it('asks for a look at first', () => {
    const { backlog } = rig()
    expect([backlog.isPartial, backlog.allot({ rows: 32, lent: 0 })]).toEqual([true, []])
  })

  it('allots one row at a time: to the workspace with the fewest claims in flight, and to its lanes in rotation', () => {
    const { backlog, look } = rig()
    look([...many(4, 'a'), ref('b')])
    expect(countsOf(backlog.allot({ rows: 8, lent: 0 }))).toEqual({
      'a ep_00': 1,
      'a ep_01': 1,
      'a ep_02': 1,
      'a ep_03': 1,
      'b ep': 4,
    })
  })

  it('asks a single lane for all the room, and several for few rows until they have returned all', () => {
    const { backlog, look } = rig()
    look([ref('a')])
    expect(countsOf(backlog.allot({ rows: 32, lent: 0 }))).toEqual({ 'a ep': 10 })
    look([ref('a'), ref('b')])
    const shares = backlog.allot({ rows: 32, lent: 0 })
    expect(countsOf(shares)).toEqual({ 'a ep': 4, 'b ep': 4 })
    backlog.took(shares, claimsOf(ref('a'), 4), 0)
    // b was empty; a is asked as the only one.
    expect(countsOf(backlog.allot({ rows: 32, lent: 0 }))).toEqual({ 'a ep': 10 })
  })

  it('continues behind the last claimed row, and from the first row after a look or a short claim', () => {
    const { backlog, look } = rig()
    const next = () => backlog.allot({ rows: 4, lent: 0 })
    look([ref('a')])
    const first = next()
    backlog.took(
      first,
      [1, 2, 3, 4].map((n) => atId(`${n}`, ref('a'))),
      0,
    )
    const second = next()
    look([ref('a')])
    const third = next()
    backlog.took(
      third,
      [5, 6, 7, 8].map((n) => atId(`${n}`, ref('a'))),
      0,
    )
    const fourth = next()
    backlog.took(fourth, [], 0)
    const fifth = next()
    backlog.took(fifth, [], 0)
    expect([first, second, third, fourth, fifth, next()].map((shares) => shares.map(({ after }) => after))).toEqual([
      [''],
      ['4'],
      [''],
      ['8'],
      [''],
      [],
    ])
  })

  it('forgets a lane that returned fewer rows than asked, unless a hint came meanwhile', () => {
    const { backlog } = rig()
    backlog.hint(ref('a'))
    backlog.hint(ref('b'))
    const shares = backlog.allot({ rows: 32, lent: 0 })
    backlog.hint(ref('b'))
    backlog.took(shares, [], 0)
    expect(countsOf(backlog.allot({ rows: 4, lent: 0 }))).toEqual({ 'b ep': 4 })
  })

  it('retains hints through looks, and the lanes of a look until the next', () => {
    const { backlog, look } = rig()
    backlog.hint(ref('told'))
    look([ref('a')])
    look([ref('b')])
    expect(Object.keys(countsOf(backlog.allot({ rows: 8, lent: 0 }))).sort()).toEqual(['b ep', 'told ep'])
  })

  it('pages through workspaces, and within a workspace through its endpoints', () => {
    const { backlog, look } = rig()
    look([ref('a'), ref('b')], 'b')
    expect([backlog.isPartial, backlog.nextLook]).toEqual([true, { after: 'b', endpoints: 4, behind: {} }])
    look([...many(4, 'c'), ref('d')])
    expect([backlog.isPartial, backlog.nextLook]).toEqual([true, { after: '', endpoints: 4, behind: { c: 'ep_03' } }])
    look([ref('a'), ref('c', 'ep_04')])
    expect([backlog.isPartial, backlog.nextLook]).toEqual([true, { after: '', endpoints: 4, behind: {} }])
    look([ref('a'), ref('c')])
    expect(backlog.isPartial).toBe(false)
  })

  it('remembers its position in each of many workspaces', () => {
    const { backlog, look } = rig()
    const names = Array.from({ length: 99 }, (_, n) => `w_${String(n).padStart(2, '0')}`)
    for (let round = 0; round < 2; round++) {
      for (const [first, last] of [
        [0, 33],
        [33, 66],
        [66, 99],
      ] as const) {
        const window = names.slice(first, last)
        look(
          window.flatMap((name) => many(4, name)),
          last === 99 ? '' : window.at(-1),
        )
      }
    }
    const { after = '', behind = {} } = backlog.nextLook
    expect([after, Object.keys(behind)]).toEqual(['', names.slice(0, 64)])
    look(
      names.slice(0, 33).map((name) => ref(name, 'ep_04')),
      'w_32',
    )
    expect(Object.keys(backlog.nextLook.behind ?? {})).toEqual(names.slice(33, 97))
  })

  it('looks at more endpoints of a workspace that is alone', () => {
    const { backlog, look } = rig()
    look(many(3, 'a'))
    expect(backlog.nextLook.endpoints).toBe(64)
    look(many(64, 'a'))
    expect([backlog.isPartial, backlog.nextLook]).toEqual([true, { after: '', endpoints: 64, behind: { a: 'ep_63' } }])
    look([...many(3, 'a'), ref('b')])
    expect(backlog.nextLook.endpoints).toBe(4)
  })

  it('starts again from the first endpoint of a workspace behind its last', () => {
    const { backlog, look } = rig()
    look(many(64, 'a'))
    look([])
    expect([backlog.isPartial, backlog.nextLook.behind]).toEqual([true, {}])
    look([])
    expect(backlog.isPartial).toBe(false)
  })

  it('allots lent slots only to lanes that may borrow', () => {
    const { lanes, backlog, look } = rig()
    look([ref('slow'), ref('proven')])
    const slow = lanes.laneFor(ref('slow'))
    slow.lastLatencyMs = 29_000
    lanes.laneFor(ref('proven')).lastLatencyMs = 20
    expect(countsOf(backlog.allot({ rows: 0, lent: 16 }))).toEqual({ 'proven ep': 4 })
  })

  it('remembers a bounded number of hints, and looks for the other lanes', () => {
    const { backlog, look } = rig()
    look([])
    for (let n = 0; n < 10_000; n++) backlog.hint(ref('big', `ep_${n}`))
    expect(backlog.isPartial).toBe(true)
    const shares = backlog.allot({ rows: 300, lent: 0 })
    expect([shares.length, sum(shares)]).toEqual([256, 300])
  })
})
