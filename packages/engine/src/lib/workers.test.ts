import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { recordedRig } from '../../test/plans.ts'
import { rig } from '../../test/rig.ts'
import { VERSION } from './version.ts'

/** A process with a clock of its own, beside others on the same database. */
async function started(options: Parameters<typeof rig>[0] = {}) {
  let now = 5000
  const made = await rig({ history: true, monotonic: () => now, ...options })
  return {
    ...made,
    pass: (ms: number) => void (now += ms),
    list: () => made.engine.workers.list(),
    /** Publishes, claims and settles, as a poller does. */
    deliver: async (count: number) => {
      for (let n = 0; n < count; n++) await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
      const claimed = await claimDueEvents(made.db, { limit: 100 })
      made.engine.worker.noteClaim(claimed)
      const finished = await Promise.all(
        claimed.claims.map(async (claim) => ({
          claim,
          outcome: await made.engine.worker.deliver(claim, claim.claimedAt),
        })),
      )
      await made.engine.worker.settle(finished)
    },
  }
}

describe('the workers of an installation', () => {
  it('show what each process claimed and settled, and its rates between two heartbeats', async () => {
    const made = await started({ workerId: 'pod-1' })
    await made.addEndpoint()
    await made.engine.worker.maintain()
    const first = { id: 'pod-1', kind: 'poller', version: VERSION, claimed: 0, settled: 0, claimsPerSecond: null }
    expect(await made.list()).toMatchObject([first])
    await made.deliver(30)
    made.pass(60_000)
    await made.engine.worker.maintain()
    const rates = { claimsPerSecond: 0.5, settledPerSecond: 0.5 }
    expect(await made.list()).toMatchObject([{ id: 'pod-1', claimed: 30, settled: 30, ...rates }])
    await made.deliver(6)
    made.pass(40_000)
    await made.engine.worker.maintain()
    const slower = { claimsPerSecond: 0.15, settledPerSecond: 0.15 }
    expect(await made.list()).toMatchObject([{ id: 'pod-1', claimed: 36, settled: 36, ...slower }])
  })

  it('take times from the database, and a restart under the same name as a new start', async () => {
    const made = await started({ workerId: 'pod-1' })
    made.pass(3_600_000)
    await made.engine.worker.maintain()
    const [before] = await made.list()
    expect((before?.seenAt ?? 0) - (before?.startedAt ?? 0)).toBe(3_600_000)
    const again = await started({ workerId: 'pod-1', on: made })
    again.pass(2000)
    await again.engine.worker.maintain()
    const [after, ...others] = await made.list()
    expect((after?.startedAt ?? 0) - (before?.startedAt ?? 0)).toBeGreaterThan(3_590_000)
    expect(others).toEqual([])
  })

  it('are each a row, under a random name unless they have one, the last seen first', async () => {
    const made = await started()
    const other = await started({ on: made })
    await made.engine.worker.maintain()
    await made.exec('update keepsend_workers set seen_at = seen_at - 1000')
    await other.engine.worker.maintain()
    const listed = await made.list()
    const name = expect.stringMatching(/^worker_[0-9a-f-]{36}$/) as string
    expect(listed).toMatchObject([{ id: name }, { id: name }])
    expect((listed[0]?.seenAt ?? 0) - (listed[1]?.seenAt ?? 0)).toBeGreaterThanOrEqual(1000)
  })

  it('are written once in several rounds of maintenance, and deleted when they were not seen for a day', async () => {
    const made = await started({ workerId: 'new' })
    await made.engine.worker.maintain()
    await made.exec(`update keepsend_workers set id = 'old', seen_at = seen_at - 86400001`)
    made.pass(29_999)
    await made.engine.worker.maintain()
    expect([await made.list(), await made.count('keepsend_workers')]).toEqual([[], 1])
    made.pass(1)
    await made.engine.worker.maintain()
    expect(await made.select('select id from keepsend_workers')).toEqual([{ id: 'new' }])
  })

  it('count no settle that was lost', async () => {
    const made = await started()
    await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const { claims } = await claimDueEvents(made.db, { limit: 1 })
    const finished = claims.map((claim) => ({ claim, outcome: { kind: 'complete' as const, httpStatus: 200 } }))
    await made.engine.worker.settle(finished)
    await made.engine.worker.settle(finished)
    await made.engine.worker.maintain()
    expect(await made.list()).toMatchObject([{ settled: 1 }])
  })

  it('are one row for a cron, without counts', async () => {
    const queue = { send: async () => {}, rowsStart: 'dispatched' } as const
    const made = await started({ queue })
    await made.engine.worker.maintain()
    await (await started({ queue, on: made })).engine.worker.maintain()
    const nothing = { claimed: null, settled: null, claimsPerSecond: null, settledPerSecond: null }
    expect(await made.list()).toMatchObject([{ id: 'cron', kind: 'cron', ...nothing }])
  })

  it('are not recorded without history: no statement, and a list that says so', async () => {
    const made = await recordedRig()
    await made.engine.worker.maintain()
    expect(made.statements().filter(({ sql }) => sql.includes('keepsend_workers'))).toEqual([])
    await expect(made.engine.workers.list()).rejects.toMatchObject({ code: 'not_retained' })
  })

  it('have a name of 1 to 64 safe characters', async () => {
    for (const workerId of ['', 'a b', 'ä', 'a'.repeat(65)])
      await expect(rig({ workerId })).rejects.toMatchObject({
        code: 'invalid_option',
        message: `workerId must be 1 to 64 characters of A-Za-z0-9_.:-; found ${JSON.stringify(workerId)}`,
      })
    await expect(rig({ workerId: `${'a'.repeat(58)}_.:-0Z` })).resolves.toBeDefined()
  })
})
