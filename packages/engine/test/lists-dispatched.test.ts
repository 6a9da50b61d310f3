import { enqueueEvents } from '@keepsend/outbox'
import { firstEventIdAt } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { dispatching, idsOf, list, pages } from './pages.ts'
import { type Rig, rig } from './rig.ts'

describe('a list of dispatched rows', () => {
  /** Inserts dispatched rows, one of an event of each of these times, with the end of its id. */
  async function insertAt({ db }: Rig, workspaceId: string, times: readonly [ms: number, n: number][]): Promise<void> {
    const events = times.map(([ms, n]) => {
      const eventId = `${firstEventIdAt(1.7e12 + ms)}-7000-8000-${String(n).padStart(12, '0')}`
      return { eventId, workspaceId, endpointId: 'ep_1', type: 'a', payload: '{}', due: 'dispatched' as const }
    })
    for (let at = 0; at < events.length; at += 1000) await enqueueEvents(db, events.slice(at, at + 1000))
  }
  const numbers = Array.from({ length: 2500 }, (_, n) => n)

  it('ends in a cursor that names no row of another workspace', async () => {
    const made = await rig(dispatching)
    await insertAt(
      made,
      'w1',
      [0, 1500].map((ms) => [ms, 0]),
    )
    await insertAt(
      made,
      'w2',
      numbers.map((n) => [n, 1]),
    )
    const deliveries = await list(made.engine, { limit: 10 })
    const events = await pages((before) => made.engine.deliveries.listEvents('w1', { limit: 10, before }))
    expect([idsOf(deliveries).length, idsOf(events).length]).toEqual([2, 2])
    for (const [first] of [deliveries, events]) expect(first?.next).toMatch(/^evt_[0-9a-f]{8}-[0-9a-f]{4}\.$/)
  })

  it('continues within a millisecond that has more rows than a page reads', async () => {
    const made = await rig(dispatching)
    await insertAt(
      made,
      'w1',
      [0, 1500, 2499].map((n) => [0, n]),
    )
    await insertAt(
      made,
      'w2',
      numbers
        .slice(1, -1)
        .filter((n) => n !== 1500)
        .map((n) => [0, n]),
    )
    expect(idsOf(await list(made.engine, { limit: 10 }))).toHaveLength(3)
  })
})

describe('the check for the optional index', () => {
  it('that never ends, as in a cancelled request, delays no later list', async () => {
    let reads = 0
    const { engine } = await rig({
      wrap: (db) => ({
        ...db,
        run(statement) {
          const isCheck = 'sql' in statement && /to_regclass|sqlite_master/.test(statement.sql)
          return isCheck && reads++ === 0 ? new Promise(() => {}) : db.run(statement)
        },
      }),
    })
    void engine.deliveries.list('w1', { limit: 10 })
    for (let n = 0; n < 3; n++) {
      expect(await engine.deliveries.list('w1', { limit: 10 })).toMatchObject({ rows: [], complete: true })
    }
    expect(reads).toBe(2)
  })
})
