// A settle on Postgres may commit long after its statement began, behind others that began later.
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { openPostgres } from './database.ts'
import { counted, totalOf } from './statistics-rig.ts'

const MINUTE = 60_000

it('waits for a settle that commits minutes later, and counts it', async () => {
  const { url, ...on } = await openPostgres()
  const made = await counted({ on })
  const slow = new pg.Client({ connectionString: url })
  await slow.connect()
  onTestFinished(() => slow.end())
  await slow.query('begin')
  const began = Date.now()
  await slow.query(`
    insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
    values (${BigInt(began) * 1_048_576n}, 'd', 1, 'w1', 'ep_1', 'a.b', 1, 'publish', ${began}, 1, 'delivered', '')`)
  await made.add([{ at: began - 10 * MINUTE }, { at: began + 2 * MINUTE }])
  await made.setClock(began + 10 * MINUTE)
  expect(await made.rollUp()).toEqual([1])
  await slow.query('commit')
  expect(await made.rollUp()).toEqual([2])
  expect(await totalOf(made, 'minute')).toBe(3)
})
