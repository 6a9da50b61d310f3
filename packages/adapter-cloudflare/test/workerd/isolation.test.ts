// A receiver that is down beside healthy ones: circuits, held rows and limits on D1, with a queue and a cron.
import { claimDueEvents } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { fromD1 } from '@keepsend/outbox/d1'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { sweep } from '../../src/index.ts'
import { metered } from './metered.ts'
import { type Rig, rig } from './rig.ts'

/** Moves the endpoints' times back, as if `ms` had passed. */
const ageBy = ({ db }: Rig, ms: number) => db.run(sqlText`update keepsend_endpoints set resume_at = resume_at - ${ms}`)

const held = async ({ rows }: Rig) => (await rows()).filter(({ status }) => status === 'held')

/** An endpoint whose circuit is open, with rows held behind it. */
async function broken(count: number) {
  const made = await rig()
  const hook = await made.addEndpoint({ status: 500 }, { retrySchedule: [3600] })
  await made.publish(10)
  await made.consume()
  made.sent.length = 0
  expect(await made.engine.endpoints.get('w', hook.endpointId)).toMatchObject({ circuit: 'open' })
  await made.publish(count)
  await made.consume()
  return { ...made, hook }
}

describe('a circuit on D1', () => {
  it('opens at ten failures; later messages are acknowledged, and their rows held without an attempt (trap 22)', async () => {
    const made = await broken(15)
    expect(await made.hook.arrivals()).toHaveLength(10)
    expect((await held(made)).map(({ holdReason, attempts }) => [holdReason, attempts])).toEqual(
      Array.from({ length: 15 }, () => ['circuit_open', 0]),
    )
  })

  it('lets the cron send one probe and no second while it is in flight; its success resumes the other rows', async () => {
    const made = await broken(15)
    await ageBy(made, 60_000)
    expect(await sweep(made.policy)).toMatchObject({ resumed: 1 })
    expect(made.sent).toHaveLength(1)
    await ageBy(made, 60_000)
    expect(await sweep(made.newIsolate())).toMatchObject({ resumed: 0 })
    expect(made.sent).toHaveLength(1)

    await made.hook.answer({ status: 200 })
    await made.consume()
    expect(await made.hook.arrivals()).toHaveLength(11)
    expect(await made.engine.endpoints.get('w', made.hook.endpointId)).toMatchObject({
      circuit: 'closed',
      failingSince: null,
    })
    expect(await sweep(made.policy)).toMatchObject({ resumed: 14 })
    await made.consume()
    expect(await made.hook.arrivals()).toHaveLength(25)
    expect(await held(made)).toEqual([])
  })

  it('lets two concurrent crons send one probe', async () => {
    const made = await broken(3)
    await ageBy(made, 60_000)
    const isolates = [made.policy, made.newIsolate(), made.newIsolate()]
    const swept = await Promise.all(isolates.map((policy) => sweep(policy)))
    expect(swept.reduce((sum, { resumed }) => sum + resumed, 0)).toBe(1)
    expect(made.sent).toHaveLength(1)
  })

  it('repeats a probe whose message is lost after its grace', async () => {
    const made = await broken(3)
    await ageBy(made, 60_000)
    await sweep(made.policy)
    made.sent.length = 0
    const [probe] = (await made.rows()).filter(({ status, attempts }) => status === 'pending' && attempts === 0)
    await made.db.run(sqlText`update pending_events set due_at = 1 where id = ${probe?.id ?? ''}`)
    await made.hook.answer({ status: 200 })
    expect(await sweep(made.policy)).toMatchObject({ redispatched: 1 })
    await made.consume()
    expect(await made.engine.endpoints.get('w', made.hook.endpointId)).toMatchObject({ circuit: 'closed' })
  })
})

describe('in a batch', () => {
  it('endpoints alternate: one that never answers does not use all slots', async () => {
    const made = await rig()
    const dead = await made.addEndpoint({ status: 'never' }, { eventTypes: ['dead.one'], deadlineMs: 1000 })
    const well = await made.addEndpoint({ status: 200 }, { eventTypes: ['well.one'] })
    await made.publish(7, { type: 'dead.one' })
    await made.publish(3, { type: 'well.one' })
    const consumed = made.consume()
    await expect.poll(async () => (await well.arrivals()).length).toBe(3)
    // No attempt of the dead endpoint has ended: the three overtook the rows before them.
    expect(await dead.arrivals()).toHaveLength(await dead.open())
    await consumed
    expect(await dead.arrivals()).toHaveLength(7)
  })

  it('an endpoint gets no more concurrent requests than it allows, and all rows in the end', async () => {
    const made = await rig()
    const hook = await made.addEndpoint({ status: 'never' }, { concurrency: 2 })
    await made.publish(6)
    const consumed = made.consume()
    for (let answered = 0; answered < 6; answered++) {
      await expect.poll(() => hook.open()).toBe(Math.min(2, 6 - answered))
      await hook.answerOne({ status: 200 })
    }
    await consumed
    expect([await hook.peak(), (await hook.arrivals()).length, await made.rows()]).toEqual([2, 6, []])
  })
})

describe('a pause on D1', () => {
  /** An endpoint whose receiver has just requested a pause, with held rows. */
  async function paused(options: Parameters<typeof rig>[0] = {}) {
    const made = await rig(options)
    const hook = await made.addEndpoint({ status: 429, headers: { 'retry-after': '120' } })
    await made.publish(1)
    await made.consume()
    await made.publish(5)
    await made.consume()
    return { ...made, hook }
  }

  it('holds the rows of its messages without an attempt, and the cron resumes them at its end', async () => {
    const made = await paused()
    expect(await made.hook.arrivals()).toHaveLength(1)
    expect((await held(made)).map(({ holdReason, attempts }) => [holdReason, attempts])).toEqual(
      Array.from({ length: 6 }, () => ['endpoint_paused', 0]),
    )
    expect(made.sent).toEqual([])
    // Too early, even at a past `resume_at`.
    await ageBy(made, 120_000)
    expect(await sweep(made.policy)).toMatchObject({ resumed: 0 })
    await made.hook.answer({ status: 200 })
    await made.db.run(sqlText`
      update keepsend_endpoints set resume_at = resume_at - 120000, paused_until = paused_until - 120000`)
    expect(await sweep(made.policy)).toMatchObject({ resumed: 6 })
    await made.consume()
    expect([(await made.hook.arrivals()).length, await made.rows()]).toEqual([7, []])
  })

  it('of a person holds rows too, until a person ends it', async () => {
    const made = await rig()
    const hook = await made.addEndpoint()
    await made.engine.endpoints.pause('w', hook.endpointId, { forMs: 86_400_000 })
    await made.publish(3)
    await made.consume()
    expect([(await hook.arrivals()).length, (await held(made)).length]).toEqual([0, 3])
    await made.engine.endpoints.resume('w', hook.endpointId)
    await made.consume()
    expect([(await hook.arrivals()).length, await made.rows()]).toEqual([3, []])
  })
})

describe('a rate limit on D1', () => {
  it('holds rows without a slot time soon, and the cron spreads them over the minute by the delays of their messages', async () => {
    const made = await rig()
    const hook = await made.addEndpoint({ status: 200 }, { rateLimit: 1 })
    await made.publish(10)
    await made.consume()
    const sent = (await hook.arrivals()).length
    expect(sent).toBeLessThanOrEqual(5)
    expect((await held(made)).map(({ holdReason, attempts }) => `${holdReason} ${attempts}`)).toEqual(
      Array.from({ length: 10 - sent }, () => 'rate_limited 0'),
    )
    await ageBy(made, 60_000)
    expect(await sweep(made.policy)).toMatchObject({ resumed: 10 - sent })
    expect(made.sent.map(({ delaySeconds }) => delaySeconds ?? 0)).toEqual(
      // 1,013 ms apart, rounded to whole seconds.
      Array.from({ length: 10 - sent }, (_, n) => (n === 0 ? 0 : n + 1)),
    )
  })
})

describe('rows written on D1', () => {
  it('are none for the health of a healthy endpoint, and one for each group of a failing one', async () => {
    const meter = metered(env.DB)
    const made = await rig({ wrap: () => fromD1(meter.d1) })
    const hook = await made.addEndpoint()
    await made.publish(5)
    meter.read()
    await made.consume()
    expect(meter.read().rowsWritten).toBe(5)
    await hook.answer({ status: 500 })
    await made.publish(5)
    meter.read()
    await made.consume()
    expect(meter.read().rowsWritten).toBe(5 * 3 + 1)
  })
})

describe('rows read on D1', () => {
  it('are the same for a claim and for resuming a batch beside 100,000 held rows as beside a hundred', async () => {
    const claims: number[] = []
    const wakes: number[] = []
    for (const size of [100, 100_000]) {
      const meter = metered(env.DB)
      const made = await rig({ wrap: () => fromD1(meter.d1) })
      const { endpointId } = await made.addEndpoint()
      await made.db.run(sqlText`
        insert into pending_events
          (id, workspace_id, event_type, endpoint_id, status, hold_reason, gen, created_at, payload)
        with recursive n(value) as (select 1 union all select value + 1 from n where value < ${size})
        select 'evt_01900000-0000-7000-8000-' || printf('%012x', value) || '.' || ${endpointId}, 'w', 'test', ${endpointId},
          'held', 'busy', 1, 1, '{}' from n`)
      await made.db.run(sqlText`update keepsend_endpoints set resume_at = 1`)
      await made.publish(10)
      await made.db.run(sqlText`update pending_events set due_at = 1 where status = 'pending'`)
      meter.read()
      expect((await claimDueEvents(made.db, { limit: 25 })).claims).toHaveLength(10)
      claims.push(meter.read().rowsRead)
      expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(16)
      wakes.push(meter.read().rowsRead)
    }
    expect(claims[1]).toBe(claims[0])
    expect(wakes[1]).toBeLessThanOrEqual((wakes[0] ?? 0) + 2)
  })
})
