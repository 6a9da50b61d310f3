// The partitions of the attempts: attached ahead, dropped when they are old, and never in the way of a delivery.
import pg from 'pg'
import { claimDueEvents, toSql } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { missingRanges, partitionMs } from '../src/lib/history/partition-ranges.ts'
import { openPostgres } from './database.ts'
import { recordedRig } from './plans.ts'
import { rig } from './rig.ts'

const EVENT = { type: 'message.created', workspaceId: 'w1', data: {} }
const DAY = 86_400_000
const PER_MS = 2 ** 20

/** An engine with history and an endpoint, and what the tests look at. */
async function partitioned(retentionMs = 30 * DAY, options: { statistics?: boolean } = {}) {
  const on = await openPostgres()
  const made = await recordedRig({ on, history: { retentionMs, ...options } })
  const endpoint = await made.addEndpoint()
  const names = async (): Promise<string[]> => {
    const rows = await made.select(
      `select relname as name from pg_inherits join pg_class on oid = inhrelid
       where inhparent = cast('keepsend_attempts' as regclass) order by length(relname), relname`,
    )
    return rows.map(({ name }) => String(name))
  }
  return {
    ...made,
    url: on.url,
    endpointId: endpoint.id,
    names,
    async publish(count: number) {
      for (let n = 0; n < count; n++) await made.engine.publish(EVENT)
      return made.work()
    },
    /** Moves the clock of the database. */
    moveClock: async (ms: number) =>
      made.exec(`create or replace view keepsend_clock as
        select cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint) + ${ms} as ms`),
    /** Another session, in a transaction that has read the attempts. */
    async reader() {
      const client = new pg.Client({ connectionString: on.url })
      await client.connect()
      onTestFinished(() => client.end())
      await client.query('begin')
      await client.query('select count(*) from keepsend_attempts')
      return client
    },
    list: (filter = {}) => made.engine.attempts.list('w1', { limit: 100, ...filter }),
    partitionOf: async () =>
      (await made.select('select distinct tableoid::regclass::text as name from keepsend_attempts')).map(
        ({ name }) => name,
      ),
  }
}

describe('the ranges of partitions', () => {
  it('are at most 31 for each retention, in whole days, and the shortest of those', () => {
    for (const days of [1 / 1440, 1, 16, 17, 30, 90, 365, 730]) {
      const lengthMs = partitionMs(days * DAY)
      expect(lengthMs % DAY).toBe(0)
      const now = 20_000 * DAY + 1
      const past = Math.ceil((days * DAY) / lengthMs)
      expect(missingRanges([], { now, lengthMs }).length + past).toBeLessThanOrEqual(31)
    }
    expect([1, 16, 17, 30].map((days) => partitionMs(days * DAY) / DAY)).toEqual([1, 1, 2, 2])
  })

  it('fill the gaps between those of another length, without an overlap', () => {
    const now = 20_001 * DAY + 1
    const old = [
      { from: 20_000 * DAY, to: 20_001 * DAY },
      { from: 20_003 * DAY, to: 20_004 * DAY },
    ]
    const all = [...old, ...missingRanges(old, { now, lengthMs: 4 * DAY, days: 6 })].toSorted((a, b) => a.from - b.from)
    expect(all.map(({ from, to }) => [from / DAY, to / DAY])).toEqual([
      [20_000, 20_001],
      [20_001, 20_003],
      [20_003, 20_004],
      [20_004, 20_008],
    ])
  })
})

describe('partitions', () => {
  it('are there for the first attempts after a migration, and 14 days ahead after a maintenance', async () => {
    const made = await partitioned()
    expect((await made.names()).length).toBeGreaterThanOrEqual(2)
    await made.publish(2)
    expect(await made.partitionOf()).not.toContain('keepsend_attempts_default')
    // On a busy server an attach may wait for longer than it may: the next maintenance goes on.
    for (let n = 0; n < 20 && (await made.names()).length < 9; n++) await made.engine.worker.maintain()
    const names = await made.names()
    expect(names.length).toBeGreaterThanOrEqual(8 + 1)
    await made.moveClock(14 * DAY)
    await made.publish(1)
    expect(await made.partitionOf()).not.toContain('keepsend_attempts_default')
    await made.moveClock(0)
    await made.engine.worker.maintain()
    expect(await made.names()).toEqual(names)
    expect(made.log.entries.filter(({ level }) => level !== 'info')).toEqual([])
  })

  it('are attached once when engines attach them concurrently, while attempts are recorded', async () => {
    const made = await partitioned()
    const others = await Promise.all([1, 2, 3].map(() => rig({ on: made, history: true })))
    await made.moveClock(100 * DAY)
    await Promise.all([made.publish(20), ...[made, ...others].map(({ engine }) => engine.worker.maintain())])
    await made.engine.worker.maintain()
    const ranges = await made.select(
      `select count(*) as n, count(distinct pg_get_expr(relpartbound, oid)) as d from pg_class
       where relispartition and relname like 'keepsend_attempts_%' and relkind = 'r' and relnamespace = current_schema()::regnamespace`,
    )
    expect(ranges[0]?.['n']).toBe(ranges[0]?.['d'])
    expect((await made.list()).rows).toHaveLength(20)
    for (const { log } of [made, ...others]) {
      expect(log.entries.map(({ message }) => message)).not.toContain(
        'failed to attach a partition; its rows go to the default one',
      )
    }
  })

  it('are dropped when their whole range is past the retention, with their attempts', async () => {
    const made = await partitioned(16 * DAY)
    await made.publish(3)
    const [first] = (await made.partitionOf()).map(String)
    await made.moveClock(16 * DAY)
    await made.engine.worker.maintain()
    expect(await made.names()).toContain(first)
    await made.moveClock(18 * DAY)
    await made.engine.worker.maintain()
    expect(await made.names()).not.toContain(first)
    expect(await made.count('keepsend_attempts')).toBe(0)
    expect(made.log.entries).toContainEqual(
      expect.objectContaining({ message: 'dropped a partition of attempts past their retention' }),
    )
  })

  it('that a reader holds stay until the next maintenance, and neither that nor a settle waits for the reader', async () => {
    const made = await partitioned(16 * DAY)
    await made.publish(1)
    const [first] = (await made.partitionOf()).map(String)
    await made.moveClock(18 * DAY)
    const reader = await made.reader()
    const [, outcomes] = await Promise.all([made.engine.worker.maintain(), made.publish(5)])
    expect(outcomes).toHaveLength(5)
    expect(await made.names()).toContain(first)
    await reader.query('commit')
    await made.engine.worker.maintain()
    expect(await made.names()).not.toContain(first)
    expect((await made.list()).rows).toHaveLength(5)
  })

  it('lose the rows of a short retention before their range has ended', async () => {
    // An attempt stays until it is counted, a minute and more.
    const made = await partitioned(60_000, { statistics: false })
    await made.publish(3)
    const [newest] = (await made.list()).rows
    await made.exec(`update keepsend_attempts set id = id - ${61_000 * PER_MS} where id < ${newest?.id}`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 2 })
  })
})

describe('the default partition', () => {
  it('takes the attempts of a clock far in the future, and no settle fails', async () => {
    const made = await partitioned()
    await made.moveClock(3650 * DAY)
    await made.publish(3)
    expect(await made.partitionOf()).toEqual(['keepsend_attempts_default'])
    expect((await made.list()).rows).toHaveLength(3)
    await made.moveClock(0)
    await made.publish(1)
    expect((await made.list()).rows).toHaveLength(1)
    expect(await made.count('pending_events')).toBe(0)
  })

  it('that has rows of a day keeps that day, with one warning, and loses them after the retention', async () => {
    const made = await partitioned()
    await made.moveClock(100 * DAY)
    await made.publish(2)
    for (let n = 0; n < 3; n++) await made.engine.worker.maintain()
    const warnings = made.log.entries.filter(({ level }) => level === 'warn')
    expect(warnings.map(({ message }) => message)).toEqual([
      'cannot attach a partition: its rows are in the default partition, and go on there',
    ])
    // The days after it are attached all the same.
    expect((await made.names()).length).toBeGreaterThanOrEqual(8)
    await made.publish(1)
    expect(await made.partitionOf()).toEqual(['keepsend_attempts_default'])
    await made.moveClock(131 * DAY)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 3 })
  })
})

describe('a list', () => {
  it('has the attempts of several partitions in order, newest first, page by page', async () => {
    const made = await partitioned()
    for (const days of [0, 2, 4, 6, 30]) {
      await made.moveClock(days * DAY)
      await made.engine.worker.maintain()
      await made.publish(3)
    }
    await made.moveClock(6 * DAY)
    expect((await made.partitionOf()).length).toBeGreaterThanOrEqual(4)
    const seen: string[] = []
    let before: string | undefined
    do {
      const page = await made.list({ limit: 4, before })
      seen.push(...page.rows.map(({ id }) => id))
      before = page.next
    } while (before !== undefined)
    expect(seen).toHaveLength(12)
    expect(seen).toEqual(seen.toSorted((a, b) => Number(BigInt(b) - BigInt(a))))
  })

  it.each([
    ['of a workspace', {}],
    ['of an endpoint', { endpointId: 'own' }],
    ['of failures of an endpoint', { endpointId: 'own', outcome: 'unsuccessful' as const }],
  ])('%s is planned for the partitions of its times alone', async (_, filter) => {
    const made = await partitioned()
    await made.engine.worker.maintain()
    await made.publish(1)
    const { endpointId } = made
    made.statements()
    await made.list({ ...filter, ...('endpointId' in filter && { endpointId }), since: Date.now() - 60_000 })
    const [statement] = made.statements().filter(({ sql }) => sql.includes('keepsend_attempts'))
    // The plan for these values, before it runs: no partition is left to be skipped by the executor.
    const { sql, params } = toSql(statement!, 'postgres')
    const { rows } = await made.db.run<{ 'QUERY PLAN': string }>({ sql: `explain ${sql}`, params })
    const plan = rows.map((row) => row['QUERY PLAN']).join('\n')
    const partitions = new Set(plan.match(/keepsend_attempts_\d+(?=\b|_)/g))
    expect(partitions.size).toBeLessThanOrEqual(2)
    expect(partitions.size).toBeGreaterThan(0)
    expect(plan).not.toContain('keepsend_attempts_default')
    expect(plan).not.toContain('Subplans Removed')
  })
})

it('a delivery is settled where there is neither a partition nor a default one', async () => {
  const made = await partitioned()
  for (const name of await made.names()) await made.exec(`drop table ${name}`)
  await made.engine.publish(EVENT)
  const { claims } = await claimDueEvents(made.db, { limit: 1 })
  const finished = await Promise.all(
    claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
  )
  const { results } = await made.engine.worker.settleEach(finished)
  expect(results.map(({ settle }) => settle)).toEqual(['settled'])
  expect(await made.count('pending_events')).toBe(0)
  expect(made.log.entries.map(({ message }) => message)).toContain(
    'failed to record an attempt; its outcome was recorded',
  )
  // Maintenance attaches partitions again, and the next attempt is recorded.
  await made.engine.worker.maintain()
  await made.publish(1)
  expect((await made.list()).rows).toHaveLength(1)
})
