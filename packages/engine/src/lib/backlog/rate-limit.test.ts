import { fromPostgres } from '@keepsend/outbox/postgres'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { OutboxDatabase } from '@keepsend/outbox'
import type { EndpointInput } from '../../index.ts'
import { type Permit, type Permits, createPermits } from './rate-limit.ts'
import { openFile, openPostgres, temporaryFile } from '../../../test/database.ts'
import { type Rig, rig } from '../../../test/rig.ts'

const PERIOD_MS = { second: 1000, minute: 60_000, hour: 3_600_000 }
const BEGIN = 1_800_000_000_000
const HORIZON_MS = 250

/** The rig, and its database opened by a second process. */
async function twoProcesses(): Promise<{ made: Rig; beside: OutboxDatabase }> {
  if (process.env['KEEPSEND_TEST_ON'] === 'postgres') {
    const on = await openPostgres()
    const pool = new pg.Pool({ connectionString: on.url, max: 2 })
    onTestFinished(() => pool.end())
    return { made: await rig({ on }), beside: fromPostgres(pool) }
  }
  const path = temporaryFile()
  return { made: await rig({ on: openFile(path).database }), beside: openFile(path).database.db }
}

/** Pseudo-random numbers between 0 and 1, the same in each run. */
function numbers(seed: number): () => number {
  let state = seed
  return () => {
    state = (state * 48_271) % 2_147_483_647
    return state / 2_147_483_647
  }
}

/** Takes this many permits in one tick. */
function takeAll(permits: Permits, id: string, count: number): Promise<Permit[]> {
  return Promise.all(Array.from({ length: count }, () => permits.take(id)))
}

/** Two processes with a backlog take permits of one endpoint for `forMs` of virtual time; returns when attempts begin. */
async function attemptsUnder(limits: Partial<EndpointInput>, forMs: number, seed: number): Promise<number[]> {
  const { made, beside } = await twoProcesses()
  const { id } = await made.addEndpoint(limits)
  const random = numbers(seed)
  let now = BEGIN
  const processes = [made.db, beside].map((db) => ({ permits: createPermits(db, () => now), askAt: BEGIN }))
  const begun: number[] = []
  while (now < BEGIN + forMs) {
    const asking = processes.filter(({ askAt }) => askAt <= now)
    const answers = await Promise.all(
      asking.map(({ permits }) =>
        takeAll(permits, id, 1 + Math.floor(random() * Math.min(400, 2 * (limits.rateLimit ?? 1)))),
      ),
    )
    for (const [index, permits] of answers.entries()) {
      const refused = permits.flatMap((permit) => (permit.kind === 'refused' ? [permit.nextMs] : []))
      for (const permit of permits) if (permit.kind === 'granted') begun.push(now + permit.waitMs)
      const process = asking[index]
      if (process) process.askAt = now + (refused.length === 0 ? 1 : Math.ceil(Math.min(...refused)))
    }
    now = Math.max(now + 1, Math.min(...processes.map(({ askAt }) => askAt)))
  }
  return begun.sort((one, other) => one - other)
}

describe('permits under a rate limit, taken by two processes with a backlog', () => {
  it.each([
    [1, 'second', 60],
    [5, 'second', 40],
    [20, 'second', 20],
    [100, 'second', 5],
    [9926, 'second', 1.2],
    [1, 'minute', 60],
    [100, 'minute', 2],
    [1, 'hour', 55],
    [150, 'hour', 2],
  ] as const)(
    'of %i per %s never exceed it in any period, and reach at least 98 percent of it',
    async (rateLimit, ratePeriod, periods) => {
      const period = PERIOD_MS[ratePeriod]
      const begun = await attemptsUnder({ rateLimit, ratePeriod }, period * periods, rateLimit + periods)
      // Each attempt begins at least a period after the one that is `limit` places before it.
      const spans = begun.slice(rateLimit).map((at, index) => at - (begun[index] ?? 0))
      expect(Math.min(...spans)).toBeGreaterThanOrEqual(period)
      const lasted = (begun.at(-1) ?? 0) - (begun[0] ?? 0)
      expect((begun.length - 1) / ((rateLimit * lasted) / period)).toBeGreaterThanOrEqual(0.98)
    },
  )
})

describe('a permit', () => {
  it('that is refused says when to ask again: then it is granted, in time for its slot time', async () => {
    const { made } = await twoProcesses()
    const { id } = await made.addEndpoint({ rateLimit: 4, ratePeriod: 'minute' })
    let now = BEGIN
    const permits = createPermits(made.db, () => now)
    expect(await takeAll(permits, id, 3)).toEqual([
      { kind: 'granted', waitMs: 0 },
      { kind: 'refused', nextMs: 15_187.5 - HORIZON_MS },
      { kind: 'refused', nextMs: 2 * 15_187.5 - HORIZON_MS },
    ])
    now = BEGIN + 10_000
    expect(await permits.take(id)).toEqual({ kind: 'refused', nextMs: 5187.5 - HORIZON_MS })
    now = BEGIN + 14_938
    expect(await permits.take(id)).toEqual({ kind: 'granted', waitMs: 249.5 })
  })

  it('does not accumulate while the endpoint is idle', async () => {
    const { made } = await twoProcesses()
    const { id } = await made.addEndpoint({ rateLimit: 2 })
    let now = BEGIN
    const permits = createPermits(made.db, () => now)
    await permits.take(id)
    now = BEGIN + 60_000
    expect(await takeAll(permits, id, 2)).toEqual([
      { kind: 'granted', waitMs: 0 },
      { kind: 'refused', nextMs: 506.25 - HORIZON_MS },
    ])
  })

  it('is granted within one interval after a clock that was an hour ahead is corrected', async () => {
    const { made } = await twoProcesses()
    const { id } = await made.addEndpoint({ rateLimit: 2 })
    let now = BEGIN + 3_600_000
    const permits = createPermits(made.db, () => now)
    await permits.take(id)
    now = BEGIN
    expect(await permits.take(id)).toEqual({ kind: 'refused', nextMs: 506.25 })
    now = BEGIN + 507
    expect(await permits.take(id)).toMatchObject({ kind: 'granted' })
  })

  it('of a raised limit does not wait for a slot time of the lower one', async () => {
    const { made } = await twoProcesses()
    const { id } = await made.addEndpoint({ rateLimit: 1, ratePeriod: 'hour' })
    const permits = createPermits(made.db, () => BEGIN)
    await permits.take(id)
    await made.engine.endpoints.update('w1', id, { rateLimit: 100, ratePeriod: 'second' })
    expect(await permits.take(id)).toEqual({ kind: 'refused', nextMs: 10.125 })
  })
})

describe('a rate limit a minute', () => {
  it('holds rows beyond it until the next slot time, and resumes one delivery then', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ rateLimit: 6, ratePeriod: 'minute' })
    expect(await made.engine.endpoints.get('w1', id)).toMatchObject({ rateLimit: 6, ratePeriod: 'minute' })
    for (let n = 0; n < 4; n++) await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
    const outcomes = await made.work()
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'hold', 'hold', 'hold'])
    const wakeIn = async () =>
      Number(
        (await made.select('select resume_at - (select ms from keepsend_clock) as ms from keepsend_endpoints'))[0]?.[
          'ms'
        ],
      )
    expect(await wakeIn()).toBeGreaterThan(8000)
    expect(await wakeIn()).toBeLessThanOrEqual(9875)
    await made.exec('update keepsend_endpoints set resume_at = (select ms from keepsend_clock)')
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    expect(await wakeIn()).toBeGreaterThan(9000)
  })

  it('spreads the messages of a push queue over the minute, and over as many minutes as it needs', async () => {
    for (const [rateLimit, ratePeriod, messages] of [
      [30, 'minute', 29],
      [10, 'hour', 1],
    ] as const) {
      const made = await rig()
      await made.addEndpoint({ rateLimit, ratePeriod })
      for (let n = 0; n < 40; n++) await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
      await made.work()
      await made.exec('update keepsend_endpoints set resume_at = 1')
      const { resumed, nextMs } = await made.engine.worker.resumeHeld({ everyMs: 60_000, graceMs: 300_000 })
      expect(resumed).toHaveLength(messages)
      expect(Math.floor((resumed.at(-1)?.delayMs ?? 0) / 1000)).toBe(messages === 1 ? 0 : 56)
      expect(nextMs).toBe(60_000)
    }
  })

  it.each([['day'], [''], [null], [60]])('refuses %j as a period; the error names the option', async (ratePeriod) => {
    const made = await rig()
    await expect(made.addEndpoint({ ratePeriod: ratePeriod as 'second' })).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: expect.stringContaining('ratePeriod') as string,
    })
  })
})
