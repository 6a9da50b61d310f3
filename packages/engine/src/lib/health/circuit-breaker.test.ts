import { type Claim, claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Answer, LATER, type Rig, rig } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const OPEN_MS = 60_000

/** One endpoint, whose answer a test can change. */
async function one(options: Parameters<typeof rig>[0] = {}) {
  let answer: Answer = 500
  const made = await rig({ answer: () => answer, retrySchedule: [3600, 3600], ...options })
  const { id } = await made.addEndpoint()
  return {
    ...made,
    id,
    answers: (next: Answer) => void (answer = next),
    endpoint: () => made.engine.endpoints.get('w1', id),
    publish: async (count: number) => {
      for (let n = 0; n < count; n++) await made.engine.publish(event)
    },
    /** Moves the times of the endpoint back, as if this much time had passed. */
    ageBy: (ms: number) =>
      made.exec(
        `update keepsend_endpoints set resume_at = resume_at - ${ms}, window_at = window_at - ${ms}, failing_since = failing_since - ${ms}`,
      ),
    health: async () =>
      (
        await made.select(
          `select circuit, failures_in_row as row, window_failures as failed, window_successes as succeeded,
             case when failing_since is null then 0 else 1 end as failing, case when resume_at is null then 0 else 1 end as wakes, probe_id as probe, warned from keepsend_endpoints where id = ?`,
          id,
        )
      )[0] ?? {},
  }
}

async function claimOne({ db }: Rig, claim = {}): Promise<Claim> {
  const { claims } = await claimDueEvents(db, { limit: 1, ...claim })
  expect(claims).toHaveLength(1)
  return claims[0] as Claim
}

describe('the circuit', () => {
  it('opens after ten consecutive failures, holds due rows, and counts no attempt of them (trap 22)', async () => {
    const made = await one()
    await made.publish(10)
    await made.work({ limit: 9 })
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed', failingSince: expect.any(Number) as number })
    await made.work()
    expect(await made.endpoint()).toMatchObject({ circuit: 'open', status: 'enabled', version: 1 })
    await made.publish(5)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(Array.from({ length: 5 }, () => 'hold'))
    const held = (await made.rows()).filter(({ status }) => status === 'held')
    expect(held).toHaveLength(5)
    expect(new Set(held.map(({ holdReason, attempts }) => `${holdReason} ${attempts}`))).toEqual(
      new Set(['circuit_open 0']),
    )
    expect(made.sender.requests).toHaveLength(10)
  })

  it('is in the database: an engine that has just started finds it open (trap 24)', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(1)
    const restarted = await rig({ on: made })
    expect(await restarted.work()).toEqual([{ kind: 'hold', reason: 'circuit_open' }])
    expect(restarted.sender.requests).toEqual([])
  })

  it.each([
    ['FFSFFSFFSF', 'open'],
    ['FFSFFSFFSS', 'closed'],
  ])('after %s, of ten attempts within the window, is %s', async (answers, circuit) => {
    const made = await one()
    for (const answer of answers) {
      made.answers(answer === 'F' ? 500 : 200)
      await made.publish(1)
      await made.work()
    }
    expect(await made.endpoint()).toMatchObject({ circuit })
    expect(await made.health()).toMatchObject({ failed: answers.split('F').length - 1 })
  })

  it('counts from zero after the window', async () => {
    const made = await one()
    await made.publish(6)
    await made.work()
    made.answers(200)
    await made.publish(1)
    await made.work()
    await made.ageBy(300_001)
    made.answers(500)
    await made.publish(1)
    await made.work()
    expect(await made.health()).toMatchObject({ row: 1, failed: 1, succeeded: 0, circuit: 'closed' })
  })

  it('resumes one probe at a time; its success closes the circuit and resumes the others', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(30)
    await made.work()
    expect(await made.engine.worker.resumeHeld()).toMatchObject({ resumed: [] })
    await made.ageBy(OPEN_MS)
    const { resumed } = await made.engine.worker.resumeHeld()
    expect(resumed).toHaveLength(1)
    // The probe is in flight: there is no second one, however often its time comes.
    await made.ageBy(OPEN_MS)
    expect((await made.engine.worker.resumeHeld()).resumed).toEqual([])
    made.answers(200)
    expect(await made.work()).toMatchObject([{ kind: 'complete', attempt: { probe: true } }])
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed', failingSince: null })
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(16)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(Array.from({ length: 16 }, () => 'complete'))
    await made.exec('update keepsend_endpoints set resume_at = resume_at - 1000')
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(13)
    await made.work()
    expect(await made.health()).toMatchObject({ circuit: 'closed', wakes: 0 })
  })

  it('stays open when the probe fails, which counts as an attempt; the next probe is another row', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(3)
    await made.work()
    const probes: (string | undefined)[] = []
    for (let round = 0; round < 2; round++) {
      await made.ageBy(OPEN_MS)
      probes.push((await made.engine.worker.resumeHeld()).resumed[0]?.id)
      expect(await made.work()).toMatchObject([{ kind: 'reschedule' }])
      expect((await made.engine.worker.resumeHeld()).resumed).toEqual([])
    }
    expect(new Set(probes).size).toBe(2)
    expect((await made.rows()).filter(({ id }) => probes.includes(id)).map(({ attempts }) => attempts)).toEqual([1, 1])
    expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
  })

  it('loses one interval when the worker of the probe dies: the row is still the probe for the next worker', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(2)
    await made.work()
    await made.ageBy(OPEN_MS)
    const [probe] = (await made.engine.worker.resumeHeld()).resumed
    await claimOne(made, { leaseMs: 1000 })
    made.answers(200)
    expect(await made.work({ now: Date.now() + 5000, limit: 1 })).toMatchObject([
      { kind: 'complete', attempt: { probe: true } },
    ])
    expect(made.sender.requests.at(-1)?.headers['webhook-id']).toBe(probe?.id.split('.')[0])
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
  })

  it('has no resume time without held rows, and the next event is its probe', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.ageBy(OPEN_MS)
    expect(await made.engine.worker.resumeHeld()).toMatchObject({ resumed: [] })
    expect(await made.health()).toMatchObject({ wakes: 0 })
    made.answers(200)
    await made.publish(1)
    expect(await made.work()).toEqual([{ kind: 'hold', reason: 'circuit_open' }])
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
  })

  it('is closed, and its counters are reset, by enabling and by a new URL', async () => {
    const made = await one()
    for (const mend of [
      () => made.engine.endpoints.setStatus('w1', made.id, 'enabled'),
      () => made.engine.endpoints.update('w1', made.id, { url: `https://new.example.com/${Math.random()}` }),
    ]) {
      made.answers(500)
      await made.publish(10)
      await made.work()
      expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
      await mend()
      expect(await made.endpoint()).toMatchObject({ circuit: 'closed', failingSince: null })
      made.answers(200)
      await made.publish(1)
      expect(await made.work()).toMatchObject([{ kind: 'complete' }])
    }
  })

  it('does not count a wait that the receiver asked for as a failure', async () => {
    const made = await one()
    made.answers({ status: 429, headers: { 'retry-after': '60' } })
    await made.publish(12)
    await made.work()
    expect(await made.health()).toMatchObject({ circuit: 'closed', row: 0, failing: 0 })
  })
})

describe('the counters', () => {
  it('are never written for a healthy endpoint', async () => {
    const writes: string[] = []
    const made = await one({
      wrap: (db) => ({
        ...db,
        atomic: (statements) => {
          for (const each of statements) {
            if ('sql' in each && each.sql.includes('update keepsend_endpoints')) writes.push(each.sql)
          }
          return db.atomic(statements)
        },
      }),
    })
    made.answers(200)
    writes.length = 0
    await made.publish(5)
    await made.work()
    expect(writes).toEqual([])
    made.answers(500)
    await made.publish(1)
    await made.work()
    expect(writes.length).toBeGreaterThan(0)
  })

  it('are unchanged when the settle is lost', async () => {
    const made = await one({ circuit: { failuresInRow: 1 } })
    await made.publish(1)
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await claimOne(made, { now: LATER })
    expect(await made.engine.worker.settle([{ claim, outcome }])).toMatchObject({ lost: [claim] })
    expect(await made.health()).toMatchObject({
      circuit: 'closed',
      row: 0,
      failed: 0,
      failing: 0,
      wakes: 0,
    })
  })

  it('are unchanged when the endpoint was changed after the attempt read it', async () => {
    const made = await one({ circuit: { failuresInRow: 1 } })
    await made.publish(1)
    const claim = await claimOne(made)
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await made.engine.endpoints.update('w1', made.id, { description: 'changed' })
    await made.engine.worker.settle([{ claim, outcome }])
    expect(await made.health()).toMatchObject({ circuit: 'closed', row: 0, failed: 0 })
  })
})

describe('failing for days', () => {
  it('disables the endpoint: its rows are held until a person enables it', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(2)
    await made.work()
    await made.ageBy(5 * 86_400_000)
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    await made.work()
    expect(await made.endpoint()).toMatchObject({ status: 'disabled', disabledReason: 'failing', version: 2 })
    expect(await made.health()).toMatchObject({ wakes: 0 })
    expect((await made.rows()).filter(({ status }) => status === 'held')).toHaveLength(1)
    made.answers(200)
    await made.engine.endpoints.setStatus('w1', made.id, 'enabled')
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
  })

  it('does not disable the endpoint if a success came in between', async () => {
    const made = await one()
    await made.publish(10)
    await made.work()
    await made.publish(2)
    await made.work()
    made.answers(200)
    await made.ageBy(4 * 86_400_000)
    await made.engine.worker.resumeHeld()
    await made.work()
    made.answers(500)
    await made.publish(12)
    await made.work()
    expect(await made.endpoint()).toMatchObject({ status: 'enabled', circuit: 'open' })
  })
})

describe('options of the circuit', () => {
  it.each([
    ['failureRate', 0],
    ['failureRate', 1.1],
    ['minAttempts', 0],
    ['windowMs', 1],
    ['failuresInRow', 1.5],
    ['openMs', 10],
    ['disableAfterMs', 0],
    ['timeoutsInRow', 0],
  ])('refuse %s of %d by its name', async (name, value) => {
    await expect(rig({ circuit: { [name]: value } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(`circuit.${name}`) as string,
    })
  })
})
