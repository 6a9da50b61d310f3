import { describe, expect, it } from 'vitest'
import { SwapRemoveSet } from './swap-remove-set.ts'

const thing = (name: string) => ({ name, place: -1 })

describe('SwapRemoveSet', () => {
  it('contains the items that were added and not removed, in any order of calls', () => {
    const bag = new SwapRemoveSet<{ name: string; place: number }>()
    const things = Array.from({ length: 200 }, (_, index) => thing(String(index)))
    const kept = new Set<{ name: string; place: number }>()
    let state = 7
    for (let step = 0; step < 5000; step++) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648
      const one = things[state % things.length]
      if (!one) continue
      if (kept.has(one)) {
        bag.remove(one)
        kept.delete(one)
      } else {
        bag.add(one)
        kept.add(one)
      }
      expect(bag.size).toBe(kept.size)
    }
    expect(new Set(bag.items)).toEqual(kept)
    expect(things.every((one) => bag.has(one) === kept.has(one))).toBe(true)
  })

  it('ignores the removal of an item that it does not contain', () => {
    const bag = new SwapRemoveSet<{ name: string; place: number }>()
    const [first, second, stranger] = [thing('first'), thing('second'), thing('stranger')]
    bag.add(first)
    bag.add(second)
    bag.remove(first)
    bag.remove(first)
    bag.remove(stranger)
    expect(bag.items).toEqual([second])
    expect(first.place).toBe(-1)
  })
})
