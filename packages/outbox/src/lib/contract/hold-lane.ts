import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import { holdLaneStatement } from '../hold.ts'
import { lineUpDueEvents } from '../lane.ts'
import { settleEvents } from '../settle.ts'
import { raw, sqlText } from '../statement.ts'
import { type Holds, T, claimOne, findAll, insertRows, refOf, row, rowOf } from './fixtures.ts'

const LANE = { workspaceId: 'ws_1', endpointId: 'ep_1' }
const SWITCHES = { sql: 'create table switches (name text not null primary key)', params: [] }
const turnOn = (name: string) => sqlText`insert into switches (name) values (${name})`

export function holdLanePromises(holds: Holds): void {
  holds('holding a lane holds its rows, counts no attempt and increments gen', async ({ db }) => {
    const due = await insertRows(db, 3, { due: 'now' })
    const others = [
      ...(await insertRows(db, 2, { due: 'now', endpointId: 'ep_2' })),
      ...(await insertRows(db, 1, { due: T })),
      ...(await insertRows(db, 1, { due: 'dispatched' })),
    ]
    const before = new Map((await findAll(db)).map((one) => [one.id, one]))
    const { changes } = await db.run(holdLaneStatement(db, { ...LANE, reason: 'blocked', guard: raw('1 = 1') }))
    expect(changes).toBe(3)
    for (const one of await findAll(db)) {
      const was = before.get(one.id)
      const heldAt: unknown = expect.any(Number)
      const held = {
        ...was,
        status: 'held',
        holdReason: 'blocked',
        heldAt,
        gen: (was?.gen ?? 0) + 1,
        dueAt: null,
        ready: 0,
      }
      expect(one).toEqual(due.includes(one.id) ? held : was)
    }
    expect(others).toHaveLength(4)
  })

  holds('holding a lane skips a claimed row, also after its lease has expired', async ({ db }) => {
    const [id = ''] = await insertRows(db, 1, { due: 'now' })
    const hold = holdLaneStatement(db, { ...LANE, reason: 'blocked', guard: raw('1 = 1') })
    const { claims } = await claimDueEvents(db, { limit: 1 })
    expect(await db.run(hold)).toMatchObject({ changes: 0 })
    expect(await row(db, id)).toEqual(rowOf(claims[0]))
    // A claim from long ago: its lease has expired by the database's clock.
    await settleEvents(db, [{ settle: 'release', claim: await refOf(db, id), dueAt: 1 }])
    const expired = await claimOne(db, 1)
    expect(await lineUpDueEvents(db)).toBe(1)
    expect(await db.run(hold)).toMatchObject({ changes: 0 })
    expect(await row(db, id)).toEqual({ ...rowOf(expired), ready: 1 })
  })

  holds('holding a lane evaluates its guard for each row', async ({ db }) => {
    await db.run(SWITCHES)
    const [held = '', free = ''] = await insertRows(db, 2, { due: 'now' })
    await db.run(turnOn(held))
    const guard = raw('exists (select 1 from switches where name = pending_events.id)')
    expect(await db.run(holdLaneStatement(db, { ...LANE, reason: 'blocked', guard }))).toMatchObject({
      changes: 1,
    })
    expect([(await row(db, held)).status, (await row(db, free)).status]).toEqual(['held', 'pending'])
  })
}
