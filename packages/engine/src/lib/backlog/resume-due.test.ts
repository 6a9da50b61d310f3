import { claimDueEvents, claimReadyEvents, enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Rig, moves, rig } from '../../../test/rig.ts'

async function held(count: number, options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  const { id } = await made.addEndpoint()
  await fill(made, id, count)
  const { claims } = await claimDueEvents(made.db, { limit: 1000 })
  await made.engine.worker.settle(claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'rate_limited' } })))
  return {
    ...made,
    id,
    due: () => made.exec('update keepsend_endpoints set resume_at = 1 where resume_at is not null'),
  }
}

async function fill({ db }: Rig, endpointId: string, count: number): Promise<void> {
  const row = () => ({ eventId: newEventId(), endpointId, workspaceId: 'w1', type: 'message.created', payload: '{}' })
  await enqueueEvents(
    db,
    Array.from({ length: count }, () => row()),
  )
}

const states = async ({ rows }: Rig) => (await rows()).map(({ status }) => status)

describe('a held row', () => {
  it('has a time to resume, counts no attempt, and resumes oldest first', async () => {
    const made = await held(20)
    expect(await states(made)).toEqual(Array.from({ length: 20 }, () => 'held'))
    expect((await made.rows()).every((row) => row.attempts === 0 && moves(row) === 2)).toBe(true)
    expect(await made.engine.worker.resumeHeld()).toMatchObject({ resumed: [], nextMs: expect.any(Number) as number })
    await made.due()
    const { resumed } = await made.engine.worker.resumeHeld({ batch: 5 })
    expect(resumed.map(({ id }) => id)).toEqual((await made.rows()).slice(0, 5).map(({ id }) => id))
    expect((await states(made)).filter((state) => state === 'held')).toHaveLength(15)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'complete'))
  })

  it('resumes once when several processes resume it concurrently', async () => {
    const made = await held(60)
    const others = await Promise.all([1, 2, 3].map(() => rig({ on: made })))
    await made.due()
    const results = await Promise.all([made, ...others].map(({ engine }) => engine.worker.resumeHeld({ batch: 10 })))
    expect(results.flatMap(({ resumed }) => resumed)).toHaveLength(10)
    expect((await states(made)).filter((state) => state === 'pending')).toHaveLength(10)
  })

  it('resumes with the settle of others, as many plus two, in one commit with the next claim', async () => {
    const made = await held(20)
    await made.due()
    await made.engine.worker.resumeHeld({ batch: 2 })
    const { claims } = await claimDueEvents(made.db, { limit: 2 })
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    expect(finished.map(({ outcome }) => outcome.attempt?.mayRefill)).toEqual([true, true])
    const lanes = [{ workspaceId: 'w1', endpointId: made.id, count: 100 }]
    const { claimed } = await made.engine.worker.settle(finished, { claim: { lanes } })
    expect(claimed.claims).toHaveLength(4)
    expect((await states(made)).filter((state) => state === 'held')).toHaveLength(14)
  })

  it('takes the due rows behind it into the hold before the next claim takes them', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint()
    const other = await made.addEndpoint()
    await fill(made, id, 500)
    await fill(made, other.id, 3)
    const lanes = [id, other.id].map((endpointId) => ({ workspaceId: 'w1', endpointId, count: 10 }))
    const { claims } = await claimReadyEvents(made.db, { lanes: lanes.slice(0, 1) })
    const finished = claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'replay' } as const }))
    const { claimed } = await made.engine.worker.settle(finished, { claim: { lanes } })
    expect(claimed.claims.map(({ endpointId }) => endpointId)).toEqual([other.id, other.id, other.id])
    expect((await made.rows()).filter(({ status, attempts }) => status === 'held' && attempts === 0)).toHaveLength(500)
  })

  it('is resumed by maintenance if it has no time to resume', async () => {
    const made = await held(3)
    await made.exec('update keepsend_endpoints set resume_at = null')
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(3)
  })

  it('of a disabled endpoint waits for a person', async () => {
    const made = await held(3)
    await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 0 })
    expect(await made.engine.worker.resumeHeld()).toEqual({ resumed: [], nextMs: null })
    await made.engine.endpoints.setStatus('w1', made.id, 'enabled')
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete', 'complete', 'complete'])
  })

  it('counts in the age of the oldest waiting delivery (trap 21)', async () => {
    const made = await held(1)
    await made.exec('update pending_events set created_at = created_at - 60000')
    const { held: count, oldestDueMs, oldestWaitingMs } = await made.engine.stats()
    expect([count, oldestDueMs]).toEqual([1, 0])
    expect(oldestWaitingMs).toBeGreaterThanOrEqual(60_000)
  })
})

describe('enabling an endpoint with a backlog', () => {
  it('resumes a first batch and leaves the others to the timer: no backlog delays new events', async () => {
    const made = await held(500)
    await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
    await made.engine.endpoints.setStatus('w1', made.id, 'enabled')
    expect((await states(made)).filter((state) => state === 'pending')).toHaveLength(100)
    expect((await made.engine.worker.resumeHeld()).nextMs).toBeGreaterThan(0)
  })
})

describe('a rate limit', () => {
  it('holds rows without a near slot time, counting no attempt, and resumes as many as may be sent until the next time', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ rateLimit: 20 })
    await fill(made, id, 40)
    const outcomes = await made.work()
    const sent = outcomes.filter(({ kind }) => kind === 'complete').length
    // Within the horizon of 250 ms: one immediately, and one every 50 ms.
    expect(sent).toBeGreaterThanOrEqual(5)
    expect(sent).toBeLessThanOrEqual(7)
    const rest = (await made.rows()).filter(({ status }) => status === 'held')
    expect(rest).toHaveLength(40 - sent)
    expect(new Set(rest.map(({ holdReason, attempts }) => `${holdReason} ${attempts}`))).toEqual(
      new Set(['rate_limited 0']),
    )
    await made.exec('update keepsend_endpoints set resume_at = 1')
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(5)
  })

  it('spreads the messages of a push queue over the time until the next resume', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ rateLimit: 2 })
    await fill(made, id, 200)
    const { claims } = await claimDueEvents(made.db, { limit: 200 })
    await made.engine.worker.settle(
      claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'rate_limited' } })),
    )
    await made.exec('update keepsend_endpoints set resume_at = 1')
    const { resumed } = await made.engine.worker.resumeHeld({ everyMs: 60_000, graceMs: 300_000 })
    expect(resumed).toHaveLength(118)
    expect(Math.round((resumed[117]?.delayMs ?? 0) / 1000)).toBe(59)
    const [first] = (await made.rows()).filter(({ status }) => status === 'pending')
    expect((first?.dueAt ?? 0) - Date.now()).toBeGreaterThan(290_000)
  })

  it('of a fast endpoint is resumed in one statement, and delays no other endpoint', async () => {
    const made = await held(3)
    const { id } = await made.addEndpoint({ rateLimit: 10_000 })
    await fill(made, id, 20)
    const { claims } = await claimDueEvents(made.db, { limit: 100 })
    await made.engine.worker.settle(
      claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'rate_limited' } })),
    )
    await made.due()
    // As for a push queue: 10,000 a second for a minute are more than one statement may resume.
    const { resumed } = await made.engine.worker.resumeHeld({ batch: 500, everyMs: 60_000, graceMs: 300_000 })
    expect(resumed).toHaveLength(23)
  })

  it.each([
    [{ limit: 1001 }, 'limit'],
    [{ batch: 0 }, 'batch'],
    [{ everyMs: 0.5 }, 'everyMs'],
    [{ graceMs: -1 }, 'graceMs'],
  ])('resumeHeld refuses %o; the error names the option', async (options, name) => {
    const made = await rig()
    await expect(made.engine.worker.resumeHeld(options)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(name) as string,
    })
  })

  it.each([
    ['concurrency', 0],
    ['concurrency', 1001],
    ['rateLimit', 0],
    ['rateLimit', 10_001],
    ['rateLimit', 1.5],
  ])('refuses %s of %d; the error names the option', async (name, value) => {
    const made = await rig()
    await expect(made.addEndpoint({ [name]: value })).rejects.toMatchObject({
      code: 'invalid_endpoint',
      message: expect.stringContaining(name) as string,
    })
  })
})

describe('an endpoint row that was damaged by hand', () => {
  it('fails its own deliveries and no look-up of other endpoints', async () => {
    const made = await rig({ retrySchedule: [3600] })
    const broken = await made.addEndpoint()
    await made.addEndpoint()
    await made.exec("update keepsend_endpoints set retry_schedule = 'soon' where id = ?", broken.id)
    await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
    const outcomes = await made.work()
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
    const [row] = await made.rows()
    expect(row).toMatchObject({ endpointId: broken.id, attempts: 1 })
    expect(row?.lastError).toMatch(/^internal_error: /)
    expect(JSON.stringify(made.log.entries)).toMatch(/the row of endpoint .* cannot be read/)
  })
})
