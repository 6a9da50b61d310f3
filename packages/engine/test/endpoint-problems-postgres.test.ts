// Problems of the same endpoints, counted by several engines at the same time, and beside a session that has locked one.
import { claimDueEvents } from '@keepsend/outbox'
import { fromPostgres } from '@keepsend/outbox/postgres'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { openPostgres } from './database.ts'
import { CLOSED, EVENT, attempted } from './problems-world.ts'
import { type Answer, LATER, type Rig, rig } from './rig.ts'

const ENGINES = 4
const ENDPOINTS = 3
const EVENTS = 50
const ANSWERS: Answer[] = [500, 503, 400, { kind: 'error', reason: 'timeout', message: 'no answer' }]

/** Settles failed attempts until there are no more. */
async function drain({ db, engine }: Pick<Rig, 'db' | 'engine'>): Promise<void> {
  for (;;) {
    const { claims } = await claimDueEvents(db, { limit: 7, now: LATER })
    if (claims.length === 0) return
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await engine.worker.deliver(claim, claim.claimedAt) })),
    )
    const { lost } = await engine.worker.settle(finished)
    expect(lost).toEqual([])
  }
}

it('four engines count the failures of the same endpoints without a deadlock, each once', async () => {
  const on = await openPostgres()
  const pool = new pg.Pool({ connectionString: on.url, max: 2 * ENGINES })
  onTestFinished(() => pool.end())
  let answered = 0
  const options = {
    on: { ...on, db: fromPostgres(pool) },
    history: true,
    retrySchedule: [1, 1, 1],
    circuit: CLOSED,
    answer: () => ANSWERS[((answered++ * 7) % 5) % ANSWERS.length] ?? 500,
  }
  const [first, ...others] = [await rig(options), await rig(options), await rig(options), await rig(options)]
  for (let n = 0; n < ENDPOINTS; n++) await first.addEndpoint({ url: `https://hooks${n}.example.com/` })
  for (let n = 0; n < EVENTS; n++) await first.engine.publish(EVENT)
  await Promise.all([first, ...others].map(drain))
  const { rows } = await first.engine.problems.list('w1', { limit: 100 })
  const counted = rows.map(({ endpointId, errorClass, httpStatus, attempts, deliveries }) => {
    return { endpointId, errorClass, httpStatus, attempts, deliveries }
  })
  const recorded = await on.select(`
    select endpoint_id as "endpointId", error_class as "errorClass", http_status as "httpStatus",
      cast(count(*) as integer) as "attempts", cast(sum(is_other) as integer) as "deliveries"
    from (
      select *, case when error = lag(error) over (partition by delivery_id order by number) then 0 else 1 end as is_other
      from keepsend_attempts) as attempt
    group by 1, 2, 3`)
  expect(counted).toHaveLength(ENDPOINTS * ANSWERS.length)
  expect(new Set(counted)).toEqual(new Set(recorded))
})

it('a problem that another session has locked delays no outcome: it is settled without its attempt', async () => {
  const on = await openPostgres()
  const pool = new pg.Pool({ connectionString: on.url, max: 4, lock_timeout: 100 })
  const other = new pg.Client({ connectionString: on.url })
  await other.connect()
  onTestFinished(async () => {
    await Promise.all([pool.end(), other.end()])
  })
  const made = await rig({ on: { ...on, db: fromPostgres(pool) }, history: true, circuit: CLOSED, answer: () => 500 })
  await made.addEndpoint()
  await made.engine.publish(EVENT)
  await made.work()
  await other.query('begin')
  await other.query('select 1 from keepsend_problems for update')
  await made.engine.publish(EVENT)
  const group = await attempted(made)
  const { results, storageError } = await made.engine.worker.settleEach(group)
  expect([results, storageError]).toEqual([[{ finished: group[0], settle: 'settled' }], undefined])
  expect(made.log.entries).toContainEqual(
    expect.objectContaining({
      message: 'failed to record attempts: another session has locked them; their outcomes were recorded',
    }),
  )
  expect((await made.rows()).map(({ lastStatus }) => lastStatus)).toEqual([500, 500])
  expect(await made.count('keepsend_attempts')).toBe(1)
  await other.query('rollback')
  const { rows } = await made.engine.problems.list('w1', { limit: 10 })
  expect(rows).toMatchObject([{ attempts: 1, deliveries: 1 }])
})
