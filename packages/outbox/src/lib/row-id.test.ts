import { describe, expect, it } from 'vitest'
import { newEventId } from './event.ts'
import { BEHIND_EVERY_EVENT, byId, endpointIdOf, eventIdOf, eventRange, rowId } from './row-id.ts'

describe('the key of a row', () => {
  it('is the event id, a dot and the endpoint id, or the event id alone', () => {
    const id = newEventId()
    expect([rowId(id, 'ep_1'), rowId(id)]).toEqual([`${id}.ep_1`, id])
  })

  it('returns both ids', () => {
    const id = newEventId()
    expect([eventIdOf(`${id}.ep_1`), eventIdOf(id)]).toEqual([id, id])
    expect([endpointIdOf(`${id}.ep_1`), endpointIdOf(id)]).toEqual(['ep_1', ''])
  })

  it('lies in the range of its event whatever the endpoint, and in no other', () => {
    const ids = [newEventId(), newEventId(), newEventId()]
    const [, id = ''] = ids
    const [from = '', to = ''] = eventRange(id).params.map(String)
    const keys = ids.flatMap((one) => [one, rowId(one, '-'), rowId(one, '0'), rowId(one, '_'), rowId(one, 'zz')])
    expect(keys.filter((key) => key > from && key < to)).toEqual(['-', '0', '_', 'zz'].map((end) => rowId(id, end)))
  })

  it('is less than the bound after every event', () => {
    expect(newEventId() < BEHIND_EVERY_EVENT).toBe(true)
    expect(`evt_${'f'.repeat(36)}.zz` < BEHIND_EVERY_EVENT).toBe(true)
  })

  it('orders rows by their events, then by their endpoints', () => {
    const [first, second] = [newEventId(), newEventId()]
    const keys = [rowId(first, 'ep_1'), rowId(first, 'ep_2'), rowId(second, 'ep_0')]
    const rows = keys.map((id) => ({ id }))
    expect(rows.toReversed().toSorted(byId)).toEqual(rows)
    expect(byId({ id: first }, { id: first })).toBe(0)
  })
})
