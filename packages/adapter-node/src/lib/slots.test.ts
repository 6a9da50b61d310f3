import type { Claim } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { Slots } from './slots.ts'

const claim = (id: string, gen = 1) => ({ id, gen }) as Claim
const finished = (one: Claim) => ({ claim: one, outcome: { kind: 'delivered', httpStatus: 200 } as const })

describe('Slots', () => {
  it('a slot is taken from the claim until its settle is committed, whenever its answer came', () => {
    const slots = new Slots(2)
    slots.take(claim('a'))
    slots.take(claim('b'))
    expect([slots.free, slots.running]).toEqual([0, 2])
    slots.finish(finished(claim('a')))
    expect([slots.free, slots.running]).toEqual([0, 1])
    slots.give(slots.finished)
    expect([slots.free, slots.running]).toEqual([1, 1])
  })

  it('what finishes while others are settled stays in hand', () => {
    const slots = new Slots(2)
    slots.take(claim('a'))
    slots.take(claim('b'))
    slots.finish(finished(claim('a')))
    const settling = [...slots.finished]
    slots.finish(finished(claim('b')))
    slots.give(settling)
    expect(slots.finished.map((one) => one.claim.id)).toEqual(['b'])
    expect([slots.free, slots.running]).toEqual([1, 0])
  })

  it('a claim is known by its gen: the same row under another is not the one in hand', () => {
    const slots = new Slots(2)
    slots.take(claim('a', 1))
    slots.take(claim('a', 2))
    expect([slots.has(claim('a', 1)), slots.has(claim('a', 2))]).toEqual([false, true])
    slots.drop(claim('a', 2))
    expect([slots.free, slots.has(claim('a', 2))]).toEqual([2, false])
  })
})
