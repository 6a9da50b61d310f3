// A draw of permits that waits for the row of its endpoint, which another session has locked.
import pg from 'pg'
import { expect, it, onTestFinished, vi } from 'vitest'
import { createPermits } from '../src/lib/backlog/rate-limit.ts'
import { openPostgres } from './database.ts'
import { rig } from './rig.ts'

const INTERVAL_US = 10_125
const PATIENCE = { timeout: 60_000, interval: 20 }
const NOW_US = 'cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint) * 1000'

it.each([
  ['the last draw took every slot time within reach', 250_000 + INTERVAL_US],
  ['nothing was drawn', undefined],
])('grants slot times after those of others, counted from the end of the wait: %s', async (_name, drawnUs) => {
  const { url, ...on } = await openPostgres()
  const made = await rig({ on })
  const { id } = await made.addEndpoint({ rateLimit: 100 })
  const other = new pg.Client({ connectionString: url })
  onTestFinished(() => other.end())
  await other.connect()
  const ask = async (text: string) => Number((await other.query<{ found: string }>(text)).rows[0]?.found)
  await other.query('begin')
  await other.query(`select from keepsend_endpoints where id = '${id}' for update`)

  const permits = createPermits(made.db)
  const taken = Promise.all([permits.take(id), permits.take(id)])
  const waiting =
    'select count(distinct pid) as "found" from pg_locks where not granted and pg_backend_pid() = any (pg_blocking_pids(pid))'
  await vi.waitFor(async () => expect(await ask(waiting)).toBe(1), PATIENCE)
  // Longer than a permit is granted ahead.
  const blockedAt = await ask(`select ${NOW_US} as "found"`)
  await vi.waitFor(
    async () => expect(await ask(`select ${NOW_US} as "found"`)).toBeGreaterThan(blockedAt + 300_000),
    PATIENCE,
  )
  if (drawnUs !== undefined) await other.query(`update keepsend_endpoints set rate_next_us = ${NOW_US} + ${drawnUs}`)
  const [before, releasedAt] = [
    await ask('select rate_next_us as "found" from keepsend_endpoints'),
    await ask(`select ${NOW_US} as "found"`),
  ]
  await other.query('commit')

  const granted = (await taken).filter(({ kind }) => kind === 'granted').length
  const first = (await ask('select rate_next_us as "found" from keepsend_endpoints')) - granted * INTERVAL_US
  expect(first).toBeGreaterThanOrEqual(Math.max(before, releasedAt))
})

it('follows a clock that a test has moved', async () => {
  const made = await rig({ on: await openPostgres() })
  const { id } = await made.addEndpoint({ rateLimit: 100 })
  await made.exec('create or replace view keepsend_clock as select cast(7000000000000 as bigint) as ms')
  expect(await createPermits(made.db).take(id)).toMatchObject({ kind: 'granted' })
  const [row] = await made.select('select rate_next_us from keepsend_endpoints')
  // And the milliseconds that the statement has taken.
  expect(Math.floor(Number(row?.['rate_next_us']) / 1e9)).toBe(7_000_000)
})

it('does not wait for a transaction that has inserted a row of a host that refers to the endpoint', async () => {
  const { url, ...on } = await openPostgres()
  const made = await rig({ on })
  const { id } = await made.addEndpoint({ rateLimit: 100 })
  await made.exec('create table notes (endpoint_id text references keepsend_endpoints (id))')
  const other = new pg.Client({ connectionString: url })
  onTestFinished(() => other.end())
  await other.connect()
  await other.query('begin')
  await other.query('insert into notes values ($1)', [id])
  expect(await createPermits(made.db).take(id)).toMatchObject({ kind: 'granted' })
})
