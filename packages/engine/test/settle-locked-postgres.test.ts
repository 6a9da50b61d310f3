// Rows that another session has locked. On Postgres only: the other databases have no row locks.
import { type Statement, claimDueEvents, toSql } from '@keepsend/outbox'
import { fromPostgres } from '@keepsend/outbox/postgres'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { DeliveryOutcome, FinishedDelivery } from '../src/index.ts'
import { openPostgres } from './database.ts'
import { rig } from './rig.ts'

const DELIVERED: DeliveryOutcome = { kind: 'complete', httpStatus: 200 }

/** An engine that waits 100 ms for a lock, unless told otherwise, and counts its statements, and a session that can lock rows. */
async function world(
  count: number,
  { lockTimeoutMs = 100, ...options }: Parameters<typeof rig>[0] & { lockTimeoutMs?: number } = {},
) {
  const on = await openPostgres()
  const pool = new pg.Pool({ connectionString: on.url, max: 4, lock_timeout: lockTimeoutMs })
  const other = new pg.Client({ connectionString: on.url })
  await other.connect()
  onTestFinished(async () => {
    await Promise.all([pool.end(), other.end()])
  })
  let statements = 0
  let now = 0
  let aside = { before: async (_sql: string) => {}, afterRefusal: async () => {} }
  const watch = async <T>(list: readonly Statement[], work: () => Promise<T>): Promise<T> => {
    await aside.before(list.map((one) => toSql(one, 'postgres').sql).join(';'))
    try {
      return await work()
    } catch (error) {
      await aside.afterRefusal()
      throw error
    }
  }
  const db = fromPostgres(pool)
  const made = await rig({
    ...options,
    on: { ...on, db },
    monotonic: () => now,
    wrap: (inner) => ({
      ...inner,
      run: (statement) => {
        statements++
        return watch([statement], () => inner.run(statement))
      },
      atomic: (list) => {
        statements++
        return watch(list, () => inner.atomic(list))
      },
    }),
  })
  const { id: endpointId } = await made.addEndpoint()
  const publish = async (more: number) => {
    for (let n = 0; n < more; n++)
      await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: { n } })
  }
  const claim = async () => {
    const { claims } = await claimDueEvents(db, { limit: 100 })
    return claims.map((one): FinishedDelivery => ({ claim: one, outcome: DELIVERED }))
  }
  await publish(count)
  const lock = async (table: string, id: string) => {
    await other.query('begin')
    await other.query(`select 1 from ${table} where id = $1 for update`, [id])
  }
  return {
    ...made,
    endpointId,
    publish,
    claim,
    /** The rows of the next claim. */
    next: { lanes: [{ workspaceId: 'w1', endpointId, count: 10 }] },
    lock,
    letGo: async () => void (await other.query('rollback')),
    other,
    /** Runs something before the engine's statements, or before it sees that they were refused. */
    meanwhile: (work: Partial<typeof aside>) => void (aside = { ...aside, ...work }),
    attempted: async () => {
      const { claims } = await claimDueEvents(db, { limit: 100 })
      return Promise.all(
        claims.map(async (one) => ({ claim: one, outcome: await made.engine.worker.deliver(one, one.claimedAt) })),
      )
    },
    later: (ms: number) => void (now += ms),
    statementsOf: async (work: () => Promise<unknown>) => {
      statements = 0
      await work()
      return statements
    },
  }
}

describe('a row that another session has locked', () => {
  it('is left out of the settle of its group, which continues with its claim, and is settled when it is unlocked', async () => {
    const made = await world(5)
    const group = await made.claim()
    await made.publish(1)
    const [held] = group
    await made.lock('pending_events', held?.claim.id ?? '')
    const { results, claimed, storageError } = await made.engine.worker.settleEach(group, { claim: made.next })
    expect(results.map(({ settle }) => settle)).toEqual(['locked', 'settled', 'settled', 'settled', 'settled'])
    expect(results.map(({ finished }) => finished)).toEqual(group)
    expect([results[0]?.retryAfterMs, claimed.claims.length, storageError]).toEqual([500, 1, undefined])
    expect(made.log.entries.filter(({ level }) => level !== 'info')).toMatchObject([
      { fields: { deliveryId: held?.claim.id, retryAfterMs: 500 } },
    ])

    await made.letGo()
    made.later(500)
    expect((await made.engine.worker.settleEach(held ? [held] : [])).results).toMatchObject([{ settle: 'settled' }])
  })

  it('is settled with its attempt if it is unlocked before anyone looks', async () => {
    const made = await world(3, { history: true })
    const group = await made.attempted()
    await made.lock('pending_events', group[0]?.claim.id ?? '')
    made.meanwhile({ afterRefusal: made.letGo })
    const { results } = await made.engine.worker.settleEach(group, { claim: made.next })
    expect(results.map(({ settle }) => settle)).toEqual(['settled', 'settled', 'settled'])
    expect(await made.count('keepsend_attempts')).toBe(3)
    expect(made.log.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('costs no statement until its wait has ended, and then one check; each wait is twice as long', async () => {
    const made = await world(3)
    const group = await made.claim()
    const [held] = group
    if (!held) throw new Error('nothing was claimed')
    await made.lock('pending_events', held.claim.id)
    await made.engine.worker.settleEach(group)
    const waits: (number | undefined)[] = []
    const settleHeld = async () => {
      const [result] = (await made.engine.worker.settleEach([held])).results
      expect(result?.settle).toBe('locked')
      waits.push(result?.retryAfterMs)
    }
    made.later(499)
    expect(await made.statementsOf(settleHeld)).toBe(0)
    made.later(1)
    // A check of its row and of its endpoint's row; no statement that would wait.
    expect(await made.statementsOf(settleHeld)).toBe(2)
    made.later(1000)
    expect(await made.statementsOf(settleHeld)).toBe(2)
    for (let n = 0; n < 8; n++) {
      made.later(60_000)
      await settleHeld()
    }
    expect([waits.slice(0, 4), waits.at(-1)]).toEqual([[1, 1000, 2000, 4000], 15_000])
  })

  it('does not prevent a claim when nothing else is to be settled', async () => {
    const made = await world(1)
    const [held] = await made.claim()
    if (!held) throw new Error('nothing was claimed')
    await made.lock('pending_events', held.claim.id)
    await made.engine.worker.settleEach([held])
    await made.publish(3)
    const { results, claimed } = await made.engine.worker.settleEach([held], { claim: made.next })
    expect([results.map(({ settle }) => settle), claimed.claims.length]).toEqual([['locked'], 3])
  })

  it('returns lost if its lease was lost meanwhile', async () => {
    const made = await world(1)
    const [held] = await made.claim()
    if (!held) throw new Error('nothing was claimed')
    await made.lock('pending_events', held.claim.id)
    await made.engine.worker.settleEach([held])
    await made.letGo()
    await made.exec('delete from pending_events')
    made.later(500)
    expect((await made.engine.worker.settleEach([held])).results).toMatchObject([{ settle: 'lost' }])
  })
})

describe('an endpoint that another session has locked', () => {
  it('delays the outcomes that change it, and no other endpoint’s', async () => {
    const made = await world(2)
    const neighbour = await made.addEndpoint()
    await made.publish(2)
    const group = (await made.claim()).map((one): FinishedDelivery => {
      return { ...one, outcome: { kind: 'hold', reason: 'rate_limited', resumeInMs: 5000 } }
    })
    await made.lock('keepsend_endpoints', made.endpointId)
    const { results } = await made.engine.worker.settleEach(group)
    const settles = results.map(({ finished, settle }) => [finished.claim.id.includes(neighbour.id), settle])
    expect(settles.filter(([isNeighbour]) => isNeighbour)).toEqual([
      [true, 'settled'],
      [true, 'settled'],
    ])
    expect(settles.filter(([isNeighbour]) => !isNeighbour).map(([, settle]) => settle)).toEqual(
      Array.from({ length: 4 }, () => 'locked'),
    )
  })

  it('has its held rows resumed later, and delays no other endpoint', async () => {
    const made = await world(1)
    const neighbour = await made.addEndpoint()
    await made.publish(1)
    const group = (await made.claim()).map((one): FinishedDelivery => {
      return { ...one, outcome: { kind: 'hold', reason: 'rate_limited', resumeInMs: 0 } }
    })
    await made.engine.worker.settleEach(group)
    await made.exec('update keepsend_endpoints set resume_at = 1')
    await made.lock('keepsend_endpoints', made.endpointId)
    expect((await made.engine.worker.resumeHeld()).resumed.map(({ endpointId }) => endpointId)).toEqual([neighbour.id])
    await made.letGo()
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(2)
  })

  it('counts no attempt of a delivery whose permit could not be taken', async () => {
    const made = await world(0)
    await made.engine.endpoints.update('w1', made.endpointId, { rateLimit: 5 })
    await made.publish(1)
    await made.lock('keepsend_endpoints', made.endpointId)
    expect(await made.work()).toMatchObject([{ kind: 'reschedule', deferral: true }])
    expect(await made.rows()).toMatchObject([{ attempts: 0, deferrals: 1 }])
  })
})

it('a lost settle returns although the attempts have been locked since, however long a session waits for locks', async () => {
  const made = await world(1, { history: true, lockTimeoutMs: 0 })
  const group = await made.attempted()
  await made.exec('update pending_events set gen = gen + 1')
  made.meanwhile({
    before: async (sql) => {
      if (!sql.includes('keepsend_attempts as other')) return
      await made.other.query('begin')
      await made.other.query('lock table keepsend_attempts in access exclusive mode')
    },
  })
  const { results } = await made.engine.worker.settleEach(group)
  await made.letGo()
  expect(results).toMatchObject([{ settle: 'lost' }])
  expect(made.log.entries.filter(({ level }) => level === 'error')).toMatchObject([
    { message: 'failed to record attempts that other workers superseded' },
  ])
})
