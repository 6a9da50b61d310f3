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
  const line = new LaneBacklog(lanes)
  const look = (refs: readonly LaneRef[], next = '') => line.looked({ lanes: [...refs], next, now: 0, dueAt: null })
  return { lanes, line, look }
}

const ref = (workspaceId: string, endpointId = 'ep'): LaneRef => ({ workspaceId, endpointId })
const many = (count: number, workspaceId: string) =>
  Array.from({ length: count }, (_, n) => ref(workspaceId, `ep_${String(n).padStart(2, '0')}`))
const atId = (id: string, lane: LaneRef) => ({ ...lane, id }) as Claim
const countsOf = (shares: readonly LaneShare[]) =>
  Object.fromEntries(shares.map(({ workspaceId, endpointId, count }) => [`${workspaceId} ${endpointId}`, count]))
const claimsOf = (lane: LaneRef, count: number) => Array.from({ length: count }, () => ({ ...lane }) as Claim)
const sum = (shares: readonly LaneShare[]) => shares.reduce((all, { count }) => all + count, 0)

describe('Line', () => {
  it('knows nothing at first, and wants a look', () => {
    const { line } = rig()
    expect([line.isPartial, line.allot({ rows: 32, lent: 0 })]).toEqual([true, []])
  })

  it('shares out one row at a time: to workspaces by what they have in hand, within one to its lanes in turn', () => {
    const { line, look } = rig()
    look([...many(4, 'a'), ref('b')])
    expect(countsOf(line.allot({ rows: 8, lent: 0 }))).toEqual({
      'a ep_00': 1,
      'a ep_01': 1,
      'a ep_02': 1,
      'a ep_03': 1,
      'b ep': 4,
    })
  })

  it('asks one lane alone for as much as there is room, and of several for few until they have given all', () => {
    const { line, look } = rig()
    look([ref('a')])
    expect(countsOf(line.allot({ rows: 32, lent: 0 }))).toEqual({ 'a ep': 10 })
    look([ref('a'), ref('b')])
    const shares = line.allot({ rows: 32, lent: 0 })
    expect(countsOf(shares)).toEqual({ 'a ep': 4, 'b ep': 4 })
    line.took(shares, claimsOf(ref('a'), 4), 0)
    // b was empty; a is asked as the only one.
    expect(countsOf(line.allot({ rows: 32, lent: 0 }))).toEqual({ 'a ep': 10 })
  })

  it('goes on behind what a lane has given, and after a look or less than was asked from its first row', () => {
    const { line, look } = rig()
    const next = () => line.allot({ rows: 4, lent: 0 })
    look([ref('a')])
    const first = next()
    line.took(
      first,
      [1, 2, 3, 4].map((n) => atId(`${n}`, ref('a'))),
      0,
    )
    const second = next()
    look([ref('a')])
    const third = next()
    line.took(
      third,
      [5, 6, 7, 8].map((n) => atId(`${n}`, ref('a'))),
      0,
    )
    const fourth = next()
    line.took(fourth, [], 0)
    const fifth = next()
    line.took(fifth, [], 0)
    expect([first, second, third, fourth, fifth, next()].map((shares) => shares.map(({ after }) => after))).toEqual([
      [''],
      ['4'],
      [''],
      ['8'],
      [''],
      [],
    ])
  })

  it('forgets a lane that gave less than was asked of it, unless it was told of more meanwhile', () => {
    const { line } = rig()
    line.hint(ref('a'))
    line.hint(ref('b'))
    const shares = line.allot({ rows: 32, lent: 0 })
    line.hint(ref('b'))
    line.took(shares, [], 0)
    expect(countsOf(line.allot({ rows: 4, lent: 0 }))).toEqual({ 'b ep': 4 })
  })

  it('keeps what it was told through looks, and what a look showed until the next', () => {
    const { line, look } = rig()
    line.hint(ref('told'))
    look([ref('a')])
    look([ref('b')])
    expect(Object.keys(countsOf(line.allot({ rows: 8, lent: 0 }))).sort()).toEqual(['b ep', 'told ep'])
  })

  it('goes round: behind the last workspace, and within a workspace behind the last endpoint', () => {
    const { line, look } = rig()
    look([ref('a'), ref('b')], 'b')
    expect([line.isPartial, line.nextLook]).toEqual([true, { after: 'b', endpoints: 4, behind: {} }])
    look([...many(4, 'c'), ref('d')])
    expect([line.isPartial, line.nextLook]).toEqual([true, { after: '', endpoints: 4, behind: { c: 'ep_03' } }])
    look([ref('a'), ref('c', 'ep_04')])
    expect([line.isPartial, line.nextLook]).toEqual([true, { after: '', endpoints: 4, behind: {} }])
    look([ref('a'), ref('c')])
    expect(line.isPartial).toBe(false)
  })

  it('remembers where it stands in each of many workspaces, round after round', () => {
    const { line, look } = rig()
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
    const { after = '', behind = {} } = line.nextLook
    expect([after, Object.keys(behind)]).toEqual(['', names.slice(0, 64)])
    look(
      names.slice(0, 33).map((name) => ref(name, 'ep_04')),
      'w_32',
    )
    expect(Object.keys(line.nextLook.behind ?? {})).toEqual(names.slice(33, 97))
  })

  it('sees more endpoints of a workspace that is alone', () => {
    const { line, look } = rig()
    look(many(3, 'a'))
    expect(line.nextLook.endpoints).toBe(64)
    look(many(64, 'a'))
    expect([line.isPartial, line.nextLook]).toEqual([true, { after: '', endpoints: 64, behind: { a: 'ep_63' } }])
    look([...many(3, 'a'), ref('b')])
    expect(line.nextLook.endpoints).toBe(4)
  })

  it('a workspace that is gone behind its last endpoint is asked from its first', () => {
    const { line, look } = rig()
    look(many(64, 'a'))
    look([])
    expect([line.isPartial, line.nextLook.behind]).toEqual([true, {}])
    look([])
    expect(line.isPartial).toBe(false)
  })

  it('shares out what is lent to those who may borrow, and to nobody else', () => {
    const { lanes, line, look } = rig()
    look([ref('slow'), ref('proven')])
    const slow = lanes.laneFor(ref('slow'))
    slow.lastLatencyMs = 29_000
    lanes.laneFor(ref('proven')).lastLatencyMs = 20
    expect(countsOf(line.allot({ rows: 0, lent: 16 }))).toEqual({ 'proven ep': 4 })
  })

  it('of ten thousand lanes that it is told of it keeps some, and looks for the others', () => {
    const { line, look } = rig()
    look([])
    for (let n = 0; n < 10_000; n++) line.hint(ref('big', `ep_${n}`))
    expect(line.isPartial).toBe(true)
    const shares = line.allot({ rows: 300, lent: 0 })
    expect([shares.length, sum(shares)]).toEqual([256, 300])
  })
})
