import { type Claim, claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { api, read } from '../../../test/routes.ts'
import { type Answer, type Rig, rig } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const asking = (seconds: number, status = 429): Answer => ({ status, headers: { 'retry-after': String(seconds) } })
const HOUR_MS = 3_600_000

/** One endpoint, whose answer a test can change. */
async function one(options: Parameters<typeof rig>[0] = {}) {
  let answer: Answer = 200
  const made = await rig({ answer: () => answer, ...options })
  const { id } = await made.addEndpoint()
  return {
    ...made,
    id,
    answers: (next: Answer) => void (answer = next),
    publish: async (count = 1) => {
      for (let n = 0; n < count; n++) await made.engine.publish(event)
    },
    endpoint: () => made.engine.endpoints.get('w1', id),
    /** How long the endpoint is paused, and when its rows resume, in ms from now. */
    waits: async () => {
      const [row] = await made.select(
        `select paused_until - ms as paused, resume_at - ms as resume from keepsend_endpoints, keepsend_clock`,
      )
      const { paused = null, resume = null } = row ?? {}
      return { paused: paused === null ? null : Number(paused), resume: resume === null ? null : Number(resume) }
    },
    /** Moves the times of the endpoint back, as if this much time had passed. */
    ageBy: (ms: number) =>
      made.exec(`update keepsend_endpoints set resume_at = resume_at - ${ms}, paused_until = paused_until - ${ms},
        pause_requested_at = pause_requested_at - ${ms}`),
    attempt: async (claims: readonly Claim[]) =>
      Promise.all(
        claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
      ),
  }
}

async function claimed({ db }: Rig, limit = 100, now?: number): Promise<Claim[]> {
  return (await claimDueEvents(db, { limit, now })).claims
}

const statuses = async ({ rows }: Rig) => (await rows()).map(({ status, holdReason }) => `${status} ${holdReason}`)

function expectNear(value: number | null | undefined, expected: number): void {
  expect(value).toBeLessThanOrEqual(expected)
  expect(value).toBeGreaterThan(expected - 60_000)
}

describe('an answer that asks for a wait', () => {
  it.each([429, 503])(
    'of %i pauses the endpoint: its rows are held, and neither an attempt nor a deferral counts (trap 22)',
    async (status) => {
      const made = await one()
      made.answers(asking(600, status))
      await made.publish()
      expect(await made.work()).toMatchObject([
        { kind: 'hold', reason: 'endpoint_paused', attempt: { pushback: 'paused' } },
      ])
      expect(await made.rows()).toMatchObject([
        {
          status: 'held',
          holdReason: 'endpoint_paused',
          attempts: 0,
          deferrals: 0,
          lastStatus: status,
          lastError: `HTTP ${status}`,
        },
      ])
      const { pausedUntil, ...endpoint } = await made.endpoint()
      expectNear((pausedUntil ?? 0) - Date.now(), 600_000)
      expect(endpoint).toMatchObject({ status: 'enabled', circuit: 'closed', failingSince: null, version: 1 })
      expectNear((await made.waits()).resume, 600_000)

      // Rows published meanwhile are held from the start; rows claimed by another process are held without a request.
      await made.publish(5)
      const other = await rig({ on: made })
      expect(await other.work()).toEqual([])
      expect(await statuses(made)).toEqual(Array.from({ length: 6 }, () => 'held endpoint_paused'))
      await made.exec(
        "update pending_events set status = 'pending', hold_reason = null, held_at = null, ready = 1, due_at = 1",
      )
      expect(await other.work()).toEqual(Array.from({ length: 6 }, () => ({ kind: 'hold', reason: 'endpoint_paused' })))
      expect([made.sender.requests.length, other.sender.requests.length]).toEqual([1, 0])
    },
  )

  it('may come a hundred times: the delivery is unchanged, and arrives', async () => {
    const made = await one()
    made.answers(asking(1))
    await made.publish()
    for (let round = 0; round < 100; round++) {
      await made.work()
      await made.ageBy(1000)
      await made.engine.worker.resumeHeld()
    }
    expect(await made.rows()).toMatchObject([{ status: 'pending', attempts: 0, deferrals: 0 }])
    made.answers(200)
    await made.work()
    expect([made.sender.requests.length, await made.rows()]).toEqual([101, []])
  })

  it('is lengthened by jitter, so that endpoints that were paused together do not resume together', async () => {
    const made = await one({ random: () => 1 })
    made.answers(asking(600))
    await made.publish()
    await made.work()
    expectNear((await made.waits()).paused, 660_000)
  })

  it('pauses for at most maxPauseMs', async () => {
    const made = await one({ maxPauseMs: 120_000 })
    made.answers(asking(86_400))
    await made.publish()
    await made.work()
    expectNear((await made.waits()).paused, 120_000)
    for (const maxPauseMs of [999, 86_400_001]) {
      await expect(rig({ maxPauseMs })).rejects.toMatchObject({ code: 'invalid_option' })
    }
  })

  it('only moves the pause forward, and the longest of the answers that settle together counts', async () => {
    const made = await one()
    await made.publish(3)
    const claims = await claimed(made)
    const waits = [60, 1800, 5]
    const finished = []
    for (const [index, claim] of claims.entries()) {
      made.answers(asking(waits[index] ?? 0))
      finished.push(...(await made.attempt([claim])))
    }
    await made.engine.worker.settle(finished.slice(0, 2))
    expectNear((await made.waits()).paused, 1_800_000)
    await made.engine.worker.settle(finished.slice(2))
    expectNear((await made.waits()).paused, 1_800_000)
  })

  it('pauses nothing when its settle is lost, alone or beside one that is current', async () => {
    const made = await one()
    await made.publish(2)
    const claims = await claimed(made)
    made.answers(asking(1800))
    const [lost] = await made.attempt(claims.slice(0, 1))
    made.answers(asking(60))
    const [standing] = await made.attempt(claims.slice(1))
    if (!lost || !standing) throw new Error('two attempts')
    await made.exec('update pending_events set due_at = 1 where id = ?', lost.claim.id)
    const [rival] = await claimed(made, 1)
    expect(rival?.id).toBe(lost.claim.id)
    expect(await made.engine.worker.settle([lost])).toMatchObject({ lost: [lost.claim] })
    expect((await made.waits()).paused).toBeNull()
    expect(await made.engine.worker.settle([lost, standing])).toMatchObject({ lost: [lost.claim] })
    expectNear((await made.waits()).paused, 60_000)
  })

  it('pauses no endpoint that was changed after the attempt read it: the row is due again', async () => {
    const made = await one()
    made.answers(asking(600))
    await made.publish()
    const finished = await made.attempt(await claimed(made))
    await made.engine.endpoints.update('w1', made.id, { url: 'https://new.example.com/' })
    await made.engine.worker.settle(finished)
    expect(await made.endpoint()).toMatchObject({ pausedUntil: null })
    expect(await made.rows()).toMatchObject([{ status: 'pending', attempts: 0 }])
  })
})

describe('a pause', () => {
  async function paused(count: number, options: Parameters<typeof rig>[0] = {}) {
    const made = await one(options)
    made.answers(asking(600))
    await made.publish(count)
    await made.work({ limit: 1 })
    await made.work({ limit: 1000 })
    made.answers(200)
    made.sender.requests.length = 0
    expect(new Set(await statuses(made))).toEqual(new Set(['held endpoint_paused']))
    return made
  }

  it('holds the due rows behind it before the next claim takes them', async () => {
    const made = await one()
    const other = await made.addEndpoint({ url: 'https://other.example.com/', eventTypes: ['other'] })
    made.answers(asking(600))
    await made.publish(200)
    const claims = await claimed(made, 10)
    await made.engine.publish({ ...event, type: 'other' })
    const finished = await made.attempt(claims)
    const lanes = [made.id, other.id].map((endpointId) => ({ workspaceId: 'w1', endpointId, count: 10 }))
    const { claimed: next } = await made.engine.worker.settle(finished, { claim: { lanes } })
    expect(next.claims.map(({ endpointId }) => endpointId)).toEqual([other.id])
    expect((await made.rows()).filter(({ status }) => status === 'held')).toHaveLength(201)
  })

  it('delays everything that resumes rows: the timer, a settle, a replay', async () => {
    const made = await paused(20)
    await made.exec('update keepsend_endpoints set resume_at = 1')
    expect(await made.engine.worker.resumeHeld()).toMatchObject({ resumed: [] })
    expectNear((await made.waits()).resume, 600_000)

    await made.exec(`update pending_events set status = 'failed', hold_reason = null, held_at = null,
        completed_at = (select ms - 1000 from keepsend_clock)
      where id = (select min(id) from pending_events)`)
    expect(await made.engine.replays.create('w1', { what: 'failed', endpointId: made.id })).toMatchObject({
      planned: 1,
    })
    expect(await made.engine.worker.stepReplays()).toMatchObject({ steps: [] })
    expect((await statuses(made)).filter((status) => status.startsWith('pending'))).toEqual([])
    expect(made.sender.requests).toEqual([])
  })

  it('is not ended by a success, nor by free slots of a worker', async () => {
    const made = await one()
    await made.publish(6)
    const finished = await made.attempt(await claimed(made, 2))
    await made.engine.worker.settle([])
    made.answers(asking(600))
    await made.work({ limit: 1 })
    await made.work()
    const { claimed: next } = await made.engine.worker.settle(finished, {
      claim: { lanes: [{ workspaceId: 'w1', endpointId: made.id, count: 10 }] },
    })
    expect(next.claims).toEqual([])
    expectNear((await made.waits()).paused, 600_000)
    expect(await statuses(made)).toEqual(Array.from({ length: 4 }, () => 'held endpoint_paused'))
  })

  it('ends at its time: held rows are sent, oldest first', async () => {
    const made = await paused(20)
    await made.ageBy(600_000)
    expect(await made.endpoint()).toMatchObject({ pausedUntil: null })
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(16)
    await made.work()
    await made.ageBy(1000)
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(4)
    await made.work()
    expect([made.sender.requests.length, await made.rows()]).toEqual([20, []])
  })

  it.each([
    ['a person resumes it', ({ engine, id }: Made) => engine.endpoints.resume('w1', id)],
    ['a person enables it', ({ engine, id }: Made) => engine.endpoints.setStatus('w1', id, 'enabled')],
  ])('ends when %s', async (_how, ending) => {
    const made = await paused(3)
    expect(await ending(made)).toMatchObject({ pausedUntil: null, version: 2, status: 'enabled' })
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete', 'complete', 'complete'])
    expect(await made.engine.endpoints.resume('w1', made.id)).toMatchObject({ version: 2 })
  })

  it('ends with a new URL, and with no other change', async () => {
    const made = await paused(1)
    await made.engine.endpoints.update('w1', made.id, { description: 'x', url: 'https://hooks.example.com/' })
    expect((await made.endpoint()).pausedUntil).not.toBeNull()
    await made.engine.endpoints.update('w1', made.id, { url: 'https://new.example.com/' })
    expect((await made.endpoint()).pausedUntil).toBeNull()
    await made.engine.worker.resumeHeld()
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete'])
  })

  it('delays the probe of an open circuit: there is none before the end of the pause, and none before openMs', async () => {
    const made = await one({ circuit: { failuresInRow: 1 }, retrySchedule: [3600] })
    made.answers(500)
    await made.publish()
    await made.work()
    await made.publish(3)
    await made.work()
    await made.exec('update keepsend_endpoints set resume_at = resume_at - 60000')
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    made.answers(asking(600))
    expect(await made.work()).toMatchObject([{ kind: 'hold', attempt: { probe: true } }])
    expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
    expectNear((await made.waits()).resume, 600_000)
    await made.exec('update keepsend_endpoints set resume_at = 1')
    expect((await made.engine.worker.resumeHeld()).resumed).toEqual([])
    expectNear((await made.waits()).resume, 600_000)
    await made.ageBy(600_000)
    made.answers(200)
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
  })
})

type Made = Awaited<ReturnType<typeof one>>

describe('a pause by a person', () => {
  it('holds deliveries until its end, which the endpoint shows', async () => {
    const made = await one()
    await made.publish(2)
    const { pausedUntil, version } = await made.engine.endpoints.pause('w1', made.id, { forMs: 30 * 86_400_000 })
    expectNear((pausedUntil ?? 0) - Date.now(), 30 * 86_400_000)
    expect(version).toBe(2)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['hold', 'hold'])
    // Maintenance does not take the far time for an error.
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 0 })
    expectNear((await made.waits()).resume, 30 * 86_400_000)
    await made.engine.endpoints.resume('w1', made.id)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete', 'complete'])
  })

  it('is an hour by default, and shortens no longer pause', async () => {
    const made = await one()
    await made.engine.endpoints.pause('w1', made.id)
    expectNear((await made.waits()).paused, HOUR_MS)
    await made.engine.endpoints.pause('w1', made.id, { forMs: 1000 })
    expectNear((await made.waits()).paused, HOUR_MS)
  })

  it.each([999, 30 * 86_400_000 + 1, 1500.5])('of %d ms is refused; the error names the option', async (forMs) => {
    const made = await one()
    await expect(made.engine.endpoints.pause('w1', made.id, { forMs })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('forMs') as string,
    })
  })

  it('of a disabled endpoint sets no time to resume', async () => {
    const made = await one()
    await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
    await made.engine.endpoints.pause('w1', made.id)
    await made.engine.endpoints.resume('w1', made.id)
    expect(await made.waits()).toEqual({ paused: null, resume: null })
  })

  it('works over HTTP: POST …/pause and …/resume, shown as pausedUntil', async () => {
    const { call, addEndpoint } = await api()
    const { id } = await addEndpoint()
    const paused = await read(call('POST', `/endpoints/${id}/pause`, { forMs: 60_000 }))
    expect(paused).toMatchObject({ status: 200, body: { pausedUntil: expect.stringMatching(/^\d{4}-.*Z$/) as string } })
    expect(await read(call('GET', `/endpoints/${id}`))).toMatchObject({ body: paused.body })
    expect(await read(call('POST', `/endpoints/${id}/resume`))).toMatchObject({ body: { pausedUntil: null } })
    expect(await read(call('POST', `/endpoints/${id}/pause`, { forMs: 1 }))).toMatchObject({ status: 400 })
  })
})

describe('a clock that was ahead and is corrected', () => {
  it('leaves a pause that holds published rows until the endpoint resumes once, and never again', async () => {
    const made = await one()
    await made.exec(
      `update keepsend_endpoints set paused_until = ${Date.now() + 7_200_000}, pause_requested_at = ${Date.now() + 3_600_000}`,
    )
    await made.publish(1)
    expect(await statuses(made)).toEqual(['held endpoint_paused'])
    // It has no time to resume; maintenance sets one.
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    await made.publish(1)
    expect((await made.work()).map(({ kind }) => kind)).toEqual(['complete', 'complete'])
  })

  const setAhead = async ({ exec, db }: Rig, ms: number) => {
    const now =
      db.dialect.name === 'postgres'
        ? 'cast(floor(extract(epoch from clock_timestamp()) * 1000) as bigint)'
        : `cast((julianday('now') - 2440587.5) * 86400000 as integer)`
    await exec('drop view keepsend_clock')
    await exec(`create view keepsend_clock as select ${now} + ${ms} as ms`)
  }

  it('leaves no pause with a request in the future', async () => {
    const made = await one()
    await setAhead(made, HOUR_MS)
    made.answers(asking(60))
    await made.publish()
    await made.work()
    expect((await made.endpoint()).pausedUntil).not.toBeNull()
    await setAhead(made, 0)
    expect(await made.endpoint()).toMatchObject({ pausedUntil: null })
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
    made.answers(200)
    await made.engine.worker.resumeHeld()
    await made.exec('update pending_events set due_at = 1')
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
  })

  it('leaves no held row with a time to resume that is an hour away', async () => {
    const made = await one({ circuit: { failuresInRow: 1 }, retrySchedule: [3600] })
    await setAhead(made, HOUR_MS)
    made.answers(500)
    await made.publish()
    await made.work()
    await made.publish()
    await made.work()
    await setAhead(made, 0)
    expect((await made.engine.worker.resumeHeld()).resumed).toEqual([])
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    expect(await made.engine.worker.maintain()).toMatchObject({ orphanedHolds: 0 })
  })

  it('leaves the pause of a person unchanged', async () => {
    const made = await one()
    await setAhead(made, HOUR_MS)
    await made.engine.endpoints.pause('w1', made.id, { forMs: 86_400_000 })
    await setAhead(made, 0)
    expect((await made.endpoint()).pausedUntil).not.toBeNull()
  })
})

describe('a probe', () => {
  /** A thousand deliveries that the receiver refuses, and ten that it accepts, in this order or the other. */
  async function mixed(types: readonly string[]) {
    let n = 0
    const made = await rig({
      answer: ({ body }) => (body.includes('"bad"') ? 500 : 200),
      retrySchedule: [5, 300],
      random: () => (n += 0.618) % 1,
    })
    const { id } = await made.addEndpoint()
    const publish = async (type: string) => {
      const count = type === 'bad' ? 1000 : 10
      const events = Array.from({ length: count }, () => ({ ...event, type }))
      await made.engine.commit({ writes: [], events })
    }
    // Failures open the circuit, whatever waits behind them.
    await made.engine.commit({ writes: [], events: Array.from({ length: 10 }, () => ({ ...event, type: 'bad' })) })
    await made.work()
    for (const type of types) await publish(type)
    // As the open circuit does with due rows; retries become due, and are held, again.
    const hold = () =>
      made.exec(`update pending_events set status = 'held', hold_reason = 'circuit_open', held_at = 1, due_at = null, ready = 0
        where status = 'pending'`)
    await hold()
    return { ...made, id, hold }
  }

  it.each([
    ['before', ['bad', 'good']],
    ['behind', ['good', 'bad']],
    ['around', ['bad', 'good', 'bad']],
  ])(
    'finds the good deliveries with bad ones %s them, and is never the one that failed last',
    async (_where, types) => {
      const made = await mixed(types)
      const probes: string[] = []
      let circuit = 'open'
      for (let round = 0; round < 40 && circuit === 'open'; round++) {
        await made.exec('update keepsend_endpoints set resume_at = 1')
        const { resumed } = await made.engine.worker.resumeHeld()
        probes.push(...resumed.map(({ id }) => id))
        await made.work()
        await made.hold()
        circuit = (await made.engine.endpoints.get('w1', made.id)).circuit
      }
      expect(circuit).toBe('closed')
      for (const [index, id] of probes.entries()) expect(id).not.toBe(probes[index + 1])
    },
  )

  it('is the row that failed last if there is no other', async () => {
    const made = await one({ circuit: { failuresInRow: 1 }, retrySchedule: [1, 1, 1] })
    made.answers(500)
    await made.publish()
    await made.work()
    await made.exec('update pending_events set due_at = 1')
    await made.work()
    for (let round = 0; round < 2; round++) {
      await made.exec('update keepsend_endpoints set resume_at = 1')
      expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
      await made.work()
      await made.exec('update pending_events set due_at = 1')
      await made.work()
    }
    expect(made.sender.requests).toHaveLength(3)
  })

  it('whose body is refused is followed by the next immediately: the receiver is alive', async () => {
    const made = await one({ circuit: { failuresInRow: 1 }, retrySchedule: [3600] })
    made.answers(500)
    await made.publish()
    await made.work()
    await made.publish(3)
    await made.work()
    made.answers(422)
    await made.exec('update keepsend_endpoints set resume_at = resume_at - 60000')
    for (let probe = 0; probe < 2; probe++) {
      expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
      expect(await made.work()).toMatchObject([{ kind: 'fail', httpStatus: 422 }])
    }
    made.answers(200)
    expect((await made.engine.worker.resumeHeld()).resumed).toHaveLength(1)
    await made.work()
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
  })

  it('comes up to a tenth later than openMs, never earlier', async () => {
    const made = await one({ circuit: { failuresInRow: 1 }, retrySchedule: [3600], random: () => 1 })
    made.answers(500)
    await made.publish()
    await made.work()
    const { resume } = await made.waits()
    expect(resume).toBeGreaterThan(60_000)
    expect(resume).toBeLessThanOrEqual(66_000)
  })
})

describe('the failures that the circuit counts', () => {
  it.each([400, 413, 415, 422])(
    'do not include %i, which is about the body: a hundred of them change nothing',
    async (status) => {
      const made = await one()
      made.answers(status)
      await made.publish(100)
      await made.work()
      expect(await made.endpoint()).toMatchObject({ circuit: 'closed', failingSince: null })
      expect(new Set(await statuses(made))).toEqual(new Set(['failed null']))
    },
  )

  it.each([401, 403, 404, 405, 407, 301, 500])(
    'include %i, which is about the endpoint: the rows that follow are held',
    async (status) => {
      const made = await one({ retrySchedule: [3600] })
      made.answers(status)
      await made.publish(10)
      await made.work()
      await made.publish(5)
      await made.work()
      expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
      expect((await statuses(made)).filter((state) => state === 'held circuit_open')).toHaveLength(5)
    },
  )

  const timeout: Answer = { kind: 'error', reason: 'timeout', message: 'slow' }

  it('open it after three consecutive time-outs, in one process or in three', async () => {
    const made = await one({ retrySchedule: [3600] })
    made.answers(timeout)
    await made.publish(2)
    for (let n = 0; n < 2; n++) await made.work({ limit: 1 })
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
    await made.publish(2)
    const restarted = await rig({ on: made, answer: () => timeout })
    expect(await restarted.work({ limit: 1 })).toMatchObject([{ attempt: { timedOut: true, pushback: 'slow' } }])
    expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
    expect(await made.work()).toEqual([{ kind: 'hold', reason: 'circuit_open' }])
  })

  it.each([200, 500, 422, asking(1)])(
    'do not open it after two time-outs, an answer (%j) and two more',
    async (answer) => {
      const made = await one({ retrySchedule: [3600] })
      for (const next of [timeout, timeout, answer, timeout, timeout]) {
        made.answers(next)
        await made.publish()
        await made.work()
        await made.ageBy(1100)
      }
      expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
      made.answers(timeout)
      await made.publish()
      await made.work()
      expect(await made.endpoint()).toMatchObject({ circuit: 'open' })
    },
  )

  it('are ordered by the end of the attempts if these settle together', async () => {
    const made = await one({ retrySchedule: [3600] })
    await made.publish(5)
    const finished = []
    for (const [index, claim] of (await claimed(made)).entries()) {
      made.answers(index === 2 ? 500 : timeout)
      finished.push(...(await made.attempt([claim])))
    }
    await made.engine.worker.settle(finished)
    expect(await made.endpoint()).toMatchObject({ circuit: 'closed' })
    expect(await made.select('select timeouts_in_row as n from keepsend_endpoints')).toMatchObject([{ n: 2 }])
  })
})
