// Every attempt is added up once, wherever a process dies and however many roll up. On each database.
import type { OutboxDatabase } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { Span } from '../src/index.ts'
import { openFile, openPostgres, temporaryFile } from './database.ts'
import { rig, signal } from './rig.ts'
import { NOON, counted, onPostgres, totalOf } from './statistics-rig.ts'

const MINUTE = 60_000
const HOUR = 3_600_000
const DAY = 86_400_000

describe('the roll-up', () => {
  it('adds nothing if the database refuses the move of the pass, and all of it the next time', async () => {
    const made = await counted()
    await made.add(Array.from({ length: 500 }, (_, n) => ({ at: NOON - HOUR + n * 1000 })))
    await made.setClock(NOON)
    await made.exec(
      onPostgres
        ? `create function refuse() returns trigger language plpgsql as $$ begin raise exception 'the process dies'; end $$`
        : `create trigger dies before update on keepsend_statistics_passes begin select raise(abort, 'the process dies'); end`,
    )
    if (onPostgres)
      await made.exec(
        'create trigger dies before update on keepsend_statistics_passes for each row execute function refuse()',
      )
    expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 0 })
    expect(made.log.entries).toContainEqual(
      expect.objectContaining({ message: 'the maintenance of statistics failed; trying again at the next one' }),
    )
    expect(await made.count('keepsend_statistics')).toBe(0)
    await made.exec(`drop trigger dies ${onPostgres ? 'on keepsend_statistics_passes' : ''}`)
    await made.rollUp()
    expect(await totalOf(made, 'minute')).toBe(500)
  })

  it('adds nothing twice if the answer of a commit is lost', async () => {
    let lose = false
    const made = await counted({
      wrap: (db: OutboxDatabase) => ({
        ...db,
        async atomic(statements) {
          const results = await db.atomic(statements)
          // Only the roll-up: an error of other maintenance is thrown.
          if (lose && JSON.stringify(statements).includes('keepsend_statistics')) throw new Error('the answer was lost')
          return results
        },
      }),
    })
    await made.add(Array.from({ length: 6000 }, (_, n) => ({ at: NOON - HOUR + n })))
    await made.setClock(NOON)
    for (lose = true; (await totalOf(made, 'minute')) !== 6000;)
      expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 0 })
    lose = false
    expect(await made.rollUp()).toEqual([0])
    expect(await totalOf(made, 'minute')).toBe(6000)
  })

  it(
    'counts a minute of more attempts than a slice, and catches up in bounded rounds after days',
    { timeout: 120_000 },
    async () => {
      const made = await counted()
      await made.add([
        ...Array.from({ length: 12_000 }, (_, n) => ({ at: NOON - 5 * DAY + n, endpointId: `ep_${n % 3}` })),
        ...Array.from({ length: 9000 }, (_, n) => ({ at: NOON - 4 * DAY + n * 33_000, endpointId: `ep_${n % 7}` })),
      ])
      await made.setClock(NOON)
      const rounds = await made.rollUp()
      expect(Math.max(...rounds)).toBe(20_000)
      expect(rounds.reduce((sum, count) => sum + count)).toBe(21_000)
      const since = NOON - 6 * DAY
      const { buckets, complete } = await made.engine.statistics.series('w1', { by: 'hour', since })
      expect(complete).toBe(true)
      expect(buckets.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(21_000)
      expect(buckets.find(({ at }) => at === NOON - 5 * DAY)?.delivered).toBe(12_000)
      // A round that has nothing to do.
      expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 0, more: false })
    },
  )

  it('counts each attempt once when three engines settle and roll up concurrently', { timeout: 120_000 }, async () => {
    const path = temporaryFile()
    const first = onPostgres ? await openPostgres() : openFile(path).database
    const beside = () => (onPostgres ? first : openFile(path).database)
    const engines = [await counted({ on: first }), await counted({ on: beside() }), await counted({ on: beside() })]
    const [made] = engines
    if (!made) throw new Error('no engine')
    await made.addEndpoint()
    const start = Math.floor(Date.now() / HOUR) * HOUR
    let clock = start
    for (let round = 0; round < 12; round++) {
      // Some rounds end ten minutes, some an hour.
      clock += 13 * MINUTE
      await made.setClock(clock)
      for (let n = 0; n < 20; n++) await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
      await Promise.all(
        engines.flatMap(({ work, engine }) => [
          work({ limit: 10, now: clock }),
          engine.worker.maintain(),
          engine.worker.maintain(),
        ]),
      )
    }
    while ((await made.work({ now: clock })).length > 0);
    await made.setClock(clock + 2 * HOUR)
    await Promise.all(engines.map(({ rollUp }) => rollUp()))
    expect(await made.count('keepsend_attempts')).toBe(240)
    expect(await totalOf(made, 'minute')).toBe(240)
    const { buckets } = await made.engine.statistics.series('w1', { by: 'hour', since: start })
    expect(buckets.reduce((sum, { delivered }) => sum + delivered, 0)).toBe(240)
    expect(Number(await totalOf(made, 'hour'))).toBeGreaterThan(0)
  })

  it('adds a slice once if two processes have read it, whichever commits first', async () => {
    const [found, go] = [signal(), signal()]
    let isHeld = true
    const on = onPostgres ? await openPostgres() : openFile(temporaryFile()).database
    const late = await counted({
      on,
      wrap: (db) => ({
        ...db,
        async atomic(statements) {
          if (isHeld) {
            found.resolve()
            await go.promise
          }
          return db.atomic(statements)
        },
      }),
    })
    const made = await counted({ on })
    await made.add(Array.from({ length: 100 }, () => ({ at: NOON - HOUR })))
    await made.setClock(NOON)
    const lateRound = late.engine.worker.maintain()
    await found.promise
    expect(await made.rollUp()).toEqual([100])
    isHeld = false
    go.resolve()
    expect(await lateRound).toMatchObject({ countedAttempts: 0 })
    expect(await totalOf(made, 'minute')).toBe(100)
  })

  it('adds the minutes of an open hour to it, ten at a time, and counts each attempt once all the while', async () => {
    const made = await counted()
    await made.add(Array.from({ length: 60 }, (_, n) => ({ at: NOON + n * MINUTE, endpointId: 'ep_1' })))
    const found: unknown[] = []
    for (const minute of [3, 14, 15, 38, 59, 75]) {
      await made.setClock(NOON + minute * MINUTE)
      await made.rollUp()
      const { buckets } = await made.engine.statistics.series('w1', { by: 'hour', since: NOON, endpointId: 'ep_1' })
      found.push([minute, await totalOf(made, 'hour'), buckets[0]?.delivered])
    }
    expect(found).toEqual([
      [3, null, 4],
      [14, 10, 15],
      [15, 10, 16],
      [38, 30, 39],
      [59, 50, 60],
      // The last ten wait for an attempt after them.
      [75, 50, 60],
    ])
  })

  it('counts attempts before their retention deletes them', async () => {
    const made = await counted({ history: { retentionMs: 60_000 } })
    await made.add([{ at: NOON - 3 * MINUTE }, { at: NOON + 1000 }])
    await made.setClock(NOON)
    expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 1, deletedAttempts: 1 })
    // Past its retention, and its minute has not closed.
    await made.setClock(NOON - HOUR)
    await made.add([{ at: NOON + 2000 }])
    await made.setClock(NOON + 10 * MINUTE)
    expect(await made.engine.worker.maintain()).toMatchObject({ countedAttempts: 2, deletedAttempts: 2 })
    expect(await totalOf(made, 'minute')).toBe(3)
  })
})

describe('the retention of statistics', () => {
  it('deletes minutes after 2 days, hours after 90 and days after 2 years, and never what a longer sum lacks', async () => {
    const made = await counted()
    await made.setClock(NOON - 800 * DAY)
    await made.add([
      { at: NOON - 800 * DAY - 2 * HOUR },
      { at: NOON - 100 * DAY },
      { at: NOON - 3 * DAY },
      { at: NOON - 2 * HOUR },
      { at: NOON - HOUR },
    ])
    await made.setClock(NOON)
    await made.rollUp()
    await made.rollUp()
    const times = async (span: Span): Promise<number[]> =>
      (await made.select(`select distinct at from keepsend_statistics where span = '${span}' order by at`)).map(
        ({ at }) => Number(at),
      )
    // Minutes stay for two days, and hours until their day has closed.
    expect(await times('minute')).toEqual([NOON - 2 * HOUR, NOON - HOUR])
    expect(await times('hour')).toEqual([NOON - 3 * DAY, NOON - 2 * HOUR])
    expect(await times('day')).toEqual([NOON - 100 * DAY - 12 * HOUR, NOON - 3 * DAY - 12 * HOUR])
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedStatistics: 0 })
  })

  it('leaves a minute that no hour has, however old it is', async () => {
    const made = await counted()
    await made.add([{ at: NOON - 5 * DAY }])
    await made.setClock(NOON)
    await made.rollUp()
    await made.rollUp()
    expect(await totalOf(made, 'minute')).toBe(1)
    const { buckets } = await made.engine.statistics.series('w1', { by: 'hour', since: NOON - 6 * DAY })
    expect(buckets.find(({ at }) => at === NOON - 5 * DAY)?.delivered).toBe(1)
  })

  it('is bounded a round, and goes on after statistics were switched off', async () => {
    const made = await counted()
    await made.add(Array.from({ length: 1200 }, (_, n) => ({ at: NOON - 10 * DAY, endpointId: `ep_${n}` })))
    await made.add([{ at: NOON - 2 * HOUR }, { at: NOON - HOUR }])
    await made.setClock(NOON)
    const first = await made.engine.worker.maintain()
    expect(first).toMatchObject({ countedAttempts: 1202, deletedStatistics: 500, more: true })
    const { engine } = await rig({ on: made, history: { statistics: false } })
    const second = await engine.worker.maintain()
    expect(second).toMatchObject({ countedAttempts: 0, deletedStatistics: 500, more: true })
    await made.rollUp()
    expect(
      await made.count(`(select 1 from keepsend_statistics where span = 'minute' and at < ${NOON - 2 * DAY}) as old`),
    ).toBe(0)
  })
})
