import { expect } from 'vitest'
import { claimDueEvents } from '../claim.ts'
import type { OutboxDatabase } from '../database.ts'
import {
  type ResumeOptions,
  type ResumedRow,
  endpointsWithHeldRows,
  failHeldStatement,
  lookOnBehind,
  resumeStatement,
} from '../hold.ts'
import { settleEvents } from '../settle.ts'
import { sqlText } from '../statement.ts'
import { sweepPendingEvents } from '../sweep.ts'
import {
  type Holds,
  MINUTE,
  SECOND,
  T,
  claimOne,
  databaseNow,
  findAll,
  insertClaimed,
  insertRows,
  moved,
  row,
  rowOf,
} from './fixtures.ts'

/** Inserts `count` rows of one endpoint and holds them; returns their ids. */
async function insertHeld(db: OutboxDatabase, count: number, endpointId: string): Promise<string[]> {
  const ids = await insertRows(db, count, { endpointId })
  const { claims } = await claimDueEvents(db, { limit: 1000, now: T })
  await settleEvents(
    db,
    claims.map((claim) => ({ settle: 'hold', claim, reason: 'blocked' })),
  )
  return ids
}

/** Resumes, and returns the rows in the order of their keys. */
async function resume(db: OutboxDatabase, options: ResumeOptions): Promise<ResumedRow[]> {
  const { rows } = await db.run<ResumedRow>(resumeStatement(db, options))
  return rows.toSorted((one, other) => (one.id < other.id ? -1 : 1))
}

const SWITCHES = { sql: 'create table switches (name text not null primary key)', params: [] }
const turnOn = (name: string) => sqlText`insert into switches (name) values (${name})`
const isOn = (name: string) => sqlText`exists (select 1 from switches where name = ${name})`

export function holdPromises(holds: Holds): void {
  holds('a held row has its reason, counts no attempt and is not settled', async ({ db }) => {
    const claim = await insertClaimed(db)
    const { lost } = await settleEvents(db, [{ settle: 'hold', claim, reason: 'circuit_open', error: 'http_500' }], {
      now: T,
    })
    expect(lost).toEqual([])
    expect(moved(await row(db, claim.id))).toMatchObject({
      status: 'held',
      holdReason: 'circuit_open',
      heldAt: T,
      attempts: 0,
      gen: 2,
      dueAt: null,
      claimedAt: null,
      completedAt: null,
      lastError: 'http_500',
    })
  })

  holds('neither a claim nor a sweep takes a held row', async ({ db }) => {
    await insertHeld(db, 1, 'ep_1')
    expect((await claimDueEvents(db, { limit: 5, now: T + MINUTE })).claims).toEqual([])
    expect((await sweepPendingEvents(db, { firstSends: 'all', now: T + MINUTE })).events).toEqual([])
  })

  holds('a resumed row is due now under a new gen, with its attempts unchanged', async ({ db, rival }) => {
    const [id = ''] = await insertHeld(db, 1, 'ep_1')
    const resumed = await resume(rival, { endpointId: 'ep_1', limit: 10, now: T + 5 })
    const now = await row(db, id)
    expect(moved(now)).toMatchObject({
      status: 'pending',
      holdReason: null,
      heldAt: null,
      attempts: 0,
      gen: 3,
      dueAt: T + 5,
    })
    expect(resumed).toEqual([
      { id, gen: now.gen, type: 'message.created', workspaceId: 'ws_1', endpointId: 'ep_1', inMs: 0 },
    ])
    expect(moved(await claimOne(db, T + 5))).toMatchObject({ id, attempts: 1, gen: 4 })
  })

  holds('a resume takes the oldest rows first, at most as many as its limit', async ({ db }) => {
    const ids = await insertHeld(db, 5, 'ep_1')
    expect(await resume(db, { endpointId: 'ep_1', limit: 2, now: T })).toHaveLength(2)
    const pending = (await findAll(db)).filter(({ status }) => status === 'pending')
    expect(pending.map(({ id }) => id)).toEqual(ids.slice(0, 2))
    const rest = await resume(db, { endpointId: 'ep_1', limit: 10, now: T })
    expect(rest.map(({ id }) => id)).toEqual(ids.slice(2))
    expect(await resume(db, { endpointId: 'ep_1', limit: 10, now: T })).toEqual([])
  })

  holds('a resume can space its rows: the first after afterMs, each further one apartMs later', async ({ db }) => {
    const ids = await insertHeld(db, 4, 'ep_1')
    const resumed = await resume(db, { endpointId: 'ep_1', limit: 3, afterMs: MINUTE, apartMs: SECOND, now: T })
    const times = [MINUTE, MINUTE + SECOND, MINUTE + 2 * SECOND]
    expect(resumed).toMatchObject(times.map((inMs, index) => ({ id: ids[index], inMs })))
    expect((await findAll(db)).map(({ dueAt }) => dueAt)).toEqual([...times.map((inMs) => T + inMs), null])
  })

  holds("a resume without a time uses the database's clock", async ({ db }) => {
    const [id = ''] = await insertHeld(db, 1, 'ep_1')
    const before = await databaseNow(db)
    const [resumed] = await resume(db, { endpointId: 'ep_1', limit: 10, afterMs: MINUTE })
    const after = await databaseNow(db)
    expect(resumed?.inMs).toBe(MINUTE)
    const { dueAt } = await row(db, id)
    expect(dueAt).toBeGreaterThanOrEqual(before + MINUTE)
    expect(dueAt).toBeLessThanOrEqual(after + MINUTE)
  })

  holds('a resume leaves its rows held while its guard is false', async ({ db }) => {
    await db.run(SWITCHES)
    const ids = await insertHeld(db, 3, 'ep_1')
    const options = { endpointId: 'ep_1', limit: 10, guard: isOn('open'), now: T }
    expect(await resume(db, options)).toEqual([])
    expect((await findAll(db)).map(({ status }) => status)).toEqual(ids.map(() => 'held'))
    await db.run(turnOn('open'))
    expect((await resume(db, options)).map(({ id }) => id)).toEqual(ids)
  })

  holds('a resume refuses a limit or a wait out of bounds by name', async ({ db }) => {
    for (const [name, wrong] of [
      ['limit', { limit: 0 }],
      ['limit', { limit: 10_001 }],
      ['afterMs', { limit: 1, afterMs: -1 }],
      ['apartMs', { limit: 1, apartMs: 1.5 }],
    ] as const) {
      const refused = { code: 'invalid_option', message: expect.stringContaining(name) as string }
      expect(() => resumeStatement(db, { endpointId: 'ep_1', ...wrong })).toThrow(expect.objectContaining(refused))
    }
  })

  holds("another endpoint's rows stay held", async ({ db }) => {
    await insertHeld(db, 2, 'ep_1')
    const others = await insertHeld(db, 2, 'ep_2')
    await resume(db, { endpointId: 'ep_1', limit: 10, now: T })
    expect((await findAll(db)).filter(({ status }) => status === 'held').map(({ id }) => id)).toEqual(others)
  })

  holds('two concurrent resumes resume each row once', async ({ db, rival }) => {
    const ids = await insertHeld(db, 20, 'ep_1')
    const both = await Promise.all([db, rival].map((one) => resume(one, { endpointId: 'ep_1', limit: 15, now: T })))
    expect(both.flatMap((rows) => rows.map(({ id }) => id)).sort()).toEqual(ids)
    expect((await findAll(db)).map((one) => moved(one).gen)).toEqual(Array.from({ length: 20 }, () => 3))
  })

  holds(
    'held rows of an endpoint that is gone fail oldest first, at most as many as the limit, and no others',
    async ({ db }) => {
      const [first = '', ...others] = await insertHeld(db, 3, 'ep_1')
      const anothers = await insertHeld(db, 2, 'ep_2')
      const claim = await insertClaimed(db, { endpointId: 'ep_1' })
      const fail = (limit: number) => db.run(failHeldStatement(db, { endpointId: 'ep_1', error: 'gone', limit }))
      expect(await fail(1)).toMatchObject({ changes: 1 })
      const failed = {
        status: 'failed',
        holdReason: null,
        heldAt: null,
        dueAt: null,
        ready: 0,
        lastError: 'gone',
        gen: 3,
      }
      const one = await row(db, first)
      expect(moved(one)).toMatchObject(failed)
      expect(one.completedAt).not.toBeNull()
      expect((await findAll(db)).filter(({ status }) => status === 'held')).toHaveLength(4)
      expect([(await fail(10)).changes, (await fail(10)).changes]).toEqual([2, 0])
      expect((await findAll(db)).filter(({ status }) => status === 'failed').map(({ id }) => id)).toEqual([
        first,
        ...others,
      ])
      expect((await findAll(db)).filter(({ status }) => status === 'held').map(({ id }) => id)).toEqual(anothers)
      expect(await row(db, claim.id)).toEqual(rowOf(claim))
    },
  )

  holds('two concurrent calls that fail held rows fail each row once', async ({ db, rival }) => {
    await insertHeld(db, 20, 'ep_1')
    const both = await Promise.all(
      [db, rival].map((one) => one.run(failHeldStatement(one, { endpointId: 'ep_1', error: 'gone', limit: 15 }))),
    )
    const changes = both.reduce((sum, { changes: some }) => sum + some, 0)
    expect((await findAll(db)).filter(({ status }) => status === 'failed')).toHaveLength(changes)
    expect((await findAll(db)).filter(({ gen, createdAt }) => gen - createdAt > 3)).toEqual([])
  })

  holds('endpoints with held rows are found in the order of their ids, each once', async ({ db }) => {
    for (const [endpointId, rows] of [
      ['ep_2', 3],
      ['ep_1', 2],
      ['ep_3', 1],
    ] as const)
      await insertHeld(db, rows, endpointId)
    await insertClaimed(db, { endpointId: 'ep_4' })
    expect(await endpointsWithHeldRows(db, { limit: 10 })).toEqual(['ep_1', 'ep_2', 'ep_3'])
    expect(await endpointsWithHeldRows(db, { limit: 2 })).toEqual(['ep_1', 'ep_2'])
    for (const [after, found] of [
      ['ep_2', ['ep_3']],
      ['ep_3', []],
      ['', ['ep_1', 'ep_2', 'ep_3']],
    ] as const) {
      await lookOnBehind(db, after)
      expect(await endpointsWithHeldRows(db, { limit: 10 })).toEqual(found)
    }
  })
}
