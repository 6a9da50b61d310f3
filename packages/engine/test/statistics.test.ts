// Attempts are counted once, by endpoint and time, wherever a process dies and however many roll up. On each database.
import { describe, expect, it } from 'vitest'
import { type Span, type StatisticsCounts, type StatisticsSeries, allWorkspaces } from '../src/index.ts'
import { readSums } from '../src/lib/statistics/read-sums.ts'
import { type Answer, LATER, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'
import {
  type Made,
  NOON,
  NOTHING,
  bucketsOf,
  counted,
  countsOf,
  exactMs,
  seeded,
  statisticsOf,
} from './statistics-rig.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

/** The buckets that have attempts, without their percentiles. */
function filled({ buckets }: StatisticsSeries): [at: number, StatisticsCounts][] {
  return buckets
    .map(({ at, p50Ms: _, p95Ms: _95, p99Ms: _99, ...counts }) => [at, counts] as [number, StatisticsCounts])
    .filter(([, counts]) => Object.values(counts).some((count) => count > 0))
}

const OUTCOMES = ['delivered', 'delivered', 'delivered', 'retry', 'deferred', 'failed', 'superseded'] as const
const REASONS = ['publish', 'publish', 'publish', 'retry', 'replay', 'test'] as const

/** Attempts of four endpoints of two workspaces, spread over some time before noon. */
function spread(count: number, overMs: number): Partial<Made>[] {
  const random = seeded(1)
  const one = <T>(of: readonly T[]): T => of[Math.floor(random() * of.length)] as T
  return Array.from({ length: count }, () => {
    const place = one([1, 2, 3, 4])
    return {
      at: NOON - 1 - Math.floor(random() * overMs),
      workspaceId: place === 4 ? 'w2' : 'w1',
      endpointId: `ep_${place}`,
      outcome: one(OUTCOMES),
      reason: one(REASONS),
      totalUs: Math.floor(1000 * 10 ** (random() * 4)),
    }
  })
}

const RANGES: [by: Span, ms: number][] = [
  ['minute', DAY],
  ['hour', 4 * DAY],
  ['day', 4 * DAY],
]

const OWNERS = [['w1'], ['w2'], ['w1', 'ep_2'], ['w2', 'ep_4'], ['w2', 'ep_1'], ['w3']] as const

describe('a series', () => {
  it.each([
    ['before any was added up', []],
    ['between two slices of minutes', [NOON - 3 * DAY + 90_000]],
    ['after the first hours', [NOON - 70 * HOUR]],
    ['after the first days', [NOON - 70 * HOUR, NOON - 30 * HOUR]],
    ['after all', [NOON + DAY]],
  ])('has every attempt of its owner once, %s', async (_, clocks) => {
    const made = await counted()
    const all = await made.add(spread(2000, 3 * DAY))
    for (const clock of clocks) {
      await made.setClock(clock)
      await made.rollUp()
    }
    await made.setClock(NOON + HOUR)
    for (const [by, ms] of RANGES) {
      const since = Math.floor((NOON - ms) / (by === 'day' ? DAY : MINUTE)) * (by === 'day' ? DAY : MINUTE)
      for (const [workspaceId, endpointId] of OWNERS) {
        const own = all.filter(
          (one) =>
            one.workspaceId === workspaceId &&
            (endpointId === undefined || one.endpointId === endpointId) &&
            one.at >= since,
        )
        const series = await made.engine.statistics.series(workspaceId, { by, since, endpointId, until: NOON })
        expect(series.complete).toBe(true)
        expect(filled(series), `${by} of ${workspaceId} ${endpointId}`).toEqual(bucketsOf(own, by))
      }
    }
  })

  it('counts each way in which an attempt ends, and nothing that is no attempt', async () => {
    const pause = { status: 429, headers: { 'retry-after': '60' } }
    const answers: Answer[] = [200, 500, 400, 400, pause]
    const made = await counted({ retrySchedule: [1, 1], answer: () => answers.shift() ?? 200 })
    const { id: endpointId } = await made.addEndpoint()
    const publish = async (): Promise<void> => {
      await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
      await made.work()
    }
    const before = Date.now()
    // Delivered; retried, then failed; failed, then replayed and delivered.
    await publish()
    await publish()
    await made.work({ now: LATER })
    await publish()
    const [failed] = (await made.engine.attempts.list('w1', { limit: 1 })).rows
    // Deferred: the receiver pauses the endpoint. The second is held: no attempt.
    await publish()
    await publish()
    await made.engine.endpoints.resume('w1', endpointId)
    await made.work()
    await made.engine.deliveries.replay('w1', failed!.deliveryId)
    await made.work()
    await made.engine.publishTest('w1', endpointId)
    await made.work()
    const { rows } = await made.engine.attempts.list('w1', { limit: 100 })
    const exact = countsOf(rows.map(({ startedAt: at, totalUs, ...row }) => ({ ...row, at, totalUs })))
    expect(exact).toEqual({ delivered: 3, retried: 1, deferred: 1, failed: 2, replayed: 1, tested: 1 })
    const total = async (): Promise<StatisticsCounts> => {
      const { buckets } = await made.engine.statistics.series('w1', {
        by: 'minute',
        since: before,
        until: before + HOUR,
      })
      const sum = { ...NOTHING }
      for (const bucket of buckets)
        for (const name of Object.keys(NOTHING) as (keyof StatisticsCounts)[]) sum[name] += bucket[name]
      return sum
    }
    expect(await total()).toEqual(exact)
    await made.setClock(Date.now() + 10 * MINUTE)
    expect((await made.rollUp()).reduce((sum, count) => sum + count)).toBe(9)
    expect(await total()).toEqual(exact)
    const percentiles = await made.engine.statistics.series('w1', { by: 'day', since: before })
    expect(percentiles.buckets.at(-1)?.p50Ms).toBeGreaterThanOrEqual(0)
  })

  it('has a bucket for every minute of its range, none after the present one', async () => {
    const made = await counted()
    await made.setClock(NOON + 90_000)
    const { buckets } = await made.engine.statistics.series('w1', { by: 'minute', since: NOON - 1, until: NOON + HOUR })
    expect(buckets.map(({ at }) => at)).toEqual([NOON - MINUTE, NOON, NOON + MINUTE])
    expect(buckets[0]).toEqual({ at: NOON - MINUTE, ...NOTHING, p50Ms: null, p95Ms: null, p99Ms: null })
    const later = await made.engine.statistics.series('w1', { by: 'minute', since: NOON + HOUR })
    expect(later.buckets).toEqual([])
  })

  it('says that it is not complete if more attempts than it reads are not added up yet, and counts the oldest', async () => {
    const made = await counted()
    await made.setClock(NOON + 30_000)
    await made.add(Array.from({ length: 11_000 }, (_, n) => ({ at: NOON + n })))
    const series = await made.engine.statistics.series('w1', { by: 'hour', since: NOON })
    expect(series).toMatchObject({ complete: false, buckets: [{ delivered: 10_000 }] })
    await made.setClock(NOON + 3 * MINUTE)
    await made.rollUp()
    expect(await made.engine.statistics.series('w1', { by: 'hour', since: NOON })).toMatchObject({
      complete: true,
      buckets: [{ delivered: 11_000 }],
    })
  })
})

describe('a percentile', () => {
  const random = seeded(7)
  const fast = Array.from({ length: 900 }, () => 20_000 + Math.floor(random() * 10_000))
  const slow = Array.from({ length: 100 }, () => 15_000_000 + Math.floor(random() * 1_000_000))
  it.each([
    ['two humps', [...fast, ...slow]],
    ['three samples', [1234, 88_000, 29_999_999]],
    ['one sample', [99]],
    ['fractions of a millisecond', [0, 1, 99, 100, 101, 199, 201]],
  ])(
    'of %s is at most a hundredth off, from the attempts, their minutes, their hours and their day',
    async (_, durations) => {
      const made = await counted()
      const all = await made.add([
        ...durations.map((totalUs, n) => ({ at: NOON - ((n * 7919) % (11 * HOUR)) - 1, totalUs })),
        // Replays and tests are no part of it.
        { at: NOON - 1, totalUs: 25_000_000, reason: 'replay' },
        { at: NOON - 1, totalUs: 1, reason: 'test' },
      ])
      const since = NOON - 12 * HOUR
      const check = async (): Promise<void> => {
        const { buckets } = await made.engine.statistics.series('w1', { by: 'day', since, until: NOON })
        for (const [name, share] of [
          ['p50Ms', 0.5],
          ['p95Ms', 0.95],
          ['p99Ms', 0.99],
        ] as const) {
          const exact = exactMs(all, share)
          const off = Math.abs((buckets[0]?.[name] ?? Number.NaN) - exact)
          expect(off, `${name} of ${exact}`).toBeLessThanOrEqual(exact / 100)
        }
      }
      await made.setClock(NOON)
      await check()
      await made.rollUp()
      await check()
      expect(await made.count(`keepsend_statistics where span = 'day'`)).toBe(0)
      // An hour of the next day closes this one.
      await made.add([{ at: NOON + 25 * HOUR }, { at: NOON + 26 * HOUR }])
      await made.setClock(NOON + 27 * HOUR)
      await made.rollUp()
      await check()
      expect(await made.count(`keepsend_statistics where span = 'day'`)).toBeGreaterThan(0)
    },
  )
})

describe('a summary', () => {
  it('has the counts of each endpoint in all and by hour, and its last error', async () => {
    const made = await counted()
    const all = await made.add(spread(2000, 23 * HOUR))
    await made.setClock(NOON - 5 * HOUR)
    await made.rollUp()
    await made.setClock(NOON)
    const since = NOON - 23 * HOUR
    const endpointIds = ['ep_3', 'ep_1', 'ep_none', 'ep_4']
    const { endpoints, complete } = await made.engine.statistics.summary('w1', { since, endpointIds })
    expect(complete).toBe(true)
    expect(endpoints.map(({ endpointId }) => endpointId)).toEqual(endpointIds)
    for (const { endpointId, workspaceId, buckets, lastError, p50Ms, p95Ms: _95, p99Ms: _99, ...counts } of endpoints) {
      expect(workspaceId).toBe('w1')
      // ep_4 is of another workspace.
      const own = all.filter((one) => one.workspaceId === 'w1' && one.endpointId === endpointId)
      expect(counts).toEqual(countsOf(own))
      expect(buckets).toHaveLength(24)
      expect(
        buckets.filter((one) =>
          Object.values(one)
            .slice(1)
            .some((count) => count > 0),
        ),
      ).toEqual(bucketsOf(own, 'hour').map(([at, sums]) => ({ at, ...sums })))
      const last = own
        .filter(({ outcome }) => outcome !== 'delivered')
        .sort((a, b) => a.at - b.at)
        .at(-1)
      expect(lastError).toEqual(
        last ? { at: last.at, outcome: last.outcome, httpStatus: null, errorClass: null, error: null } : null,
      )
      expect(p50Ms === null).toBe(own.length === 0)
    }
  })

  it('has no last error past the retention of the workspace', async () => {
    const { engine, setClock, add } = await counted()
    await add([{ at: NOON - 10 * MINUTE, outcome: 'failed' }])
    await setClock(NOON)
    const lastError = async () => {
      const { endpoints } = await engine.statistics.summary('w1', { since: NOON - HOUR, endpointIds: ['ep_1'] })
      return endpoints.map((one) => one.lastError?.at)
    }
    expect(await lastError()).toEqual([NOON - 10 * MINUTE])
    await engine.workspaces.setRetention('w1', { attemptsMs: 5 * MINUTE })
    expect(await lastError()).toEqual([undefined])
  })

  it('takes 1 to 100 ids and 48 hours', async () => {
    const { engine, setClock } = await counted()
    await setClock(NOON)
    const ask = (ids: number, hours: number) =>
      engine.statistics.summary('w1', {
        since: NOON - hours * HOUR,
        until: NOON,
        endpointIds: Array.from({ length: ids }, (_, n) => `ep_${n}`),
      })
    const refused = (message: string) => ({
      code: 'invalid_request',
      message: expect.stringContaining(message) as string,
    })
    await expect(ask(0, 1)).rejects.toMatchObject(refused('endpointIds must have 1 to 100 ids; found 0'))
    await expect(ask(101, 1)).rejects.toMatchObject(refused('endpointIds must have 1 to 100 ids; found 101'))
    await expect(ask(1, 49)).rejects.toMatchObject(refused('at most 48 hours apart; found 49'))
    await expect(ask(100, 48)).resolves.toMatchObject({ complete: true })
  })
})

describe('the sums of all workspaces', () => {
  it('are those of every attempt', async () => {
    const made = await counted()
    const [one, other] = [await made.addEndpoint(), await made.addEndpoint({ workspaceId: 'w2' })]
    await made.add([
      { at: NOON - 2 * HOUR, endpointId: one.id },
      { at: NOON - 2 * HOUR, endpointId: other.id, workspaceId: 'w2' },
      { at: NOON - 2 * HOUR, workspaceId: 'w3' },
      { at: NOON - HOUR, endpointId: one.id },
      { at: NOON + 1000, endpointId: other.id, workspaceId: 'w2' },
    ])
    await made.setClock(NOON)
    await made.rollUp()
    await made.setClock(NOON + 2000)
    const times = { by: 'hour', since: NOON - 3 * HOUR, until: undefined, most: 10 } as const
    const { sums } = await readSums(made.db, { workspaceId: undefined }, times)
    expect(sums.reduce((sum, row) => sum + row.delivered, 0)).toBe(5)
  })

  it('are not those of an endpoint without an id', async () => {
    const { engine, setClock } = await counted()
    await setClock(NOON)
    for (const scope of ['w1', allWorkspaces] as const) {
      const refused = { code: 'invalid_request' }
      const since = NOON - HOUR
      await expect(engine.statistics.series(scope, { by: 'hour', since, endpointId: '' })).rejects.toMatchObject(
        refused,
      )
      await expect(engine.statistics.summary(scope, { since, endpointIds: [''] })).rejects.toMatchObject(refused)
    }
  })
})

describe('the range of statistics', () => {
  it('is checked, and says which option is wrong', async () => {
    const { engine, setClock } = await counted()
    await setClock(NOON)
    const series = (options: Partial<Parameters<typeof engine.statistics.series>[1]>) =>
      engine.statistics.series('w1', { by: 'minute', since: NOON - HOUR, ...options })
    const refused = (message: string) => ({
      code: 'invalid_request',
      message: expect.stringContaining(message) as string,
    })
    await expect(series({ by: 'week' as Span })).rejects.toMatchObject(
      refused('by must be minute, hour or day; found week'),
    )
    await expect(series({ since: 0.5 })).rejects.toMatchObject(refused('since must be milliseconds'))
    await expect(series({ until: NOON - HOUR })).rejects.toMatchObject(refused('until must be after since'))
    // With an end and without one.
    const tooLong = refused('since and until must be at most 1500 minutes apart; found 1501')
    await expect(series({ since: NOON - 1501 * MINUTE, until: NOON })).rejects.toMatchObject(tooLong)
    await expect(series({ since: NOON - 1500 * MINUTE })).rejects.toMatchObject(tooLong)
    await expect(series({ since: NOON - 1499 * MINUTE })).resolves.toMatchObject({ complete: true })
    await expect(series({ since: 0 })).rejects.toMatchObject(refused('found'))
    for (const [by, days] of [
      ['minute', 2],
      ['hour', 90],
      ['day', 730],
    ] as const) {
      const early = NOON - (days + 2) * DAY
      await expect(series({ by, since: early, until: early + 1 })).rejects.toMatchObject({
        code: 'not_retained',
        message: expect.stringContaining(`by ${by} are retained for ${days} days`) as string,
      })
    }
  })

  it('may begin at a time that no attempt can have', async () => {
    const { engine, setClock, add } = await counted()
    await setClock(NOON)
    await add([{ at: NOON - HOUR, outcome: 'failed' }])
    const late = Date.UTC(2300, 0, 1)
    const early = Date.parse('0001-01-01T00:00:00Z')
    for (const endpointId of [undefined, 'ep_1'])
      expect(await engine.statistics.series('w1', { by: 'day', since: late, endpointId })).toEqual({
        buckets: [],
        complete: true,
      })
    const endpointIds = ['ep_1']
    const { endpoints } = await engine.statistics.summary('w1', { since: late, until: late + HOUR, endpointIds })
    expect(endpoints).toMatchObject([{ buckets: [], lastError: null }])
    const refused = { code: 'not_retained' }
    const range = { since: early, until: early + 1 }
    await expect(engine.statistics.series('w1', { by: 'day', ...range })).rejects.toMatchObject(refused)
    await expect(engine.statistics.summary('w1', { ...range, endpointIds })).rejects.toMatchObject(refused)
  })

  it('is not retained without statistics, and without history', async () => {
    for (const history of [false, { statistics: false }, { attempts: 'failed' as const }]) {
      const made = await rig({ history })
      const rejected = { code: 'not_retained' }
      await expect(made.engine.statistics.series('w1', { by: 'hour', since: 0 })).rejects.toMatchObject(rejected)
      const summary = made.engine.statistics.summary('w1', { since: 0, endpointIds: ['ep_1'] })
      await expect(summary).rejects.toMatchObject(rejected)
      await statisticsOf(made).add([{ at: NOON }])
      await statisticsOf(made).setClock(NOON + HOUR)
      expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 0 })
      expect(await made.count('keepsend_statistics')).toBe(0)
    }
  })

  it('cannot be asked for where only failures are recorded', async () => {
    await expect(rig({ history: { attempts: 'failed', statistics: true } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('history.statistics must be false with history.attempts') as string,
    })
  })
})

describe('the routes of statistics', () => {
  it('are GET /statistics and GET /statistics/endpoints', async () => {
    const made = await api({ history: true })
    const { add, setClock } = statisticsOf(made)
    await setClock(NOON + HOUR)
    await add([
      { at: NOON, totalUs: 80 },
      { at: NOON, outcome: 'failed', totalUs: 80 },
      { at: NOON, reason: 'test' },
    ])
    const since = new Date(NOON).toISOString()
    const counts = { ...NOTHING, delivered: 1, failed: 1, tested: 1 }
    const percentiles = { p50Ms: 0.08, p95Ms: 0.08, p99Ms: 0.08 }
    expect(
      await read(made.call('GET', `/statistics?by=hour&since=${since}&until=${since.replace('12:', '13:')}`)),
    ).toEqual({
      status: 200,
      body: { data: [{ at: since, ...counts, ...percentiles }] },
    })
    const { body } = await read(made.call('GET', `/statistics/endpoints?endpointIds=ep_1,ep_2&since=${since}`))
    expect(body['data']).toEqual([
      {
        endpointId: 'ep_1',
        ...counts,
        ...percentiles,
        buckets: [
          { at: since, ...counts },
          { at: since.replace('12:', '13:'), ...NOTHING },
        ],
        lastError: { at: since, outcome: 'failed', httpStatus: null, errorClass: null, error: null },
      },
      expect.objectContaining({ endpointId: 'ep_2', ...NOTHING, lastError: null }),
    ])
    const refused = problem(400, 'invalid_request')
    expect(await read(made.call('GET', `/statistics?by=minute&since=2026-01-01T00:00:00Z`))).toMatchObject(refused)
    expect(await read(made.call('GET', `/statistics?by=week&since=${since}`))).toMatchObject(refused)
    expect(await read(made.call('GET', `/statistics/endpoints?since=${since}`))).toMatchObject(refused)
  })
})
