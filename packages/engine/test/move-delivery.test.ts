// Retrying a delivery now and giving it up: in each state, beside workers and other people. On each database.
import { claimDueEvents, lookAtLanes, sweepPendingEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/index.ts'
import { type Answer, LATER, type Rig, TEST_KEYS, rig } from './rig.ts'
import { api, read } from './routes.ts'

interface World extends Rig {
  endpointId: string
  answers: (next: Answer) => void
  publish: () => Promise<string>
  row: (id: string) => Promise<Awaited<ReturnType<Rig['rows']>>[number] | undefined>
}

/** One endpoint, whose answer a test can change. */
async function world(options: Parameters<typeof rig>[0] = {}): Promise<World> {
  let answer: Answer = 500
  const made = await rig({ answer: () => answer, retrySchedule: [3600, 3600], ...options })
  const { id: endpointId } = await made.addEndpoint()
  return {
    ...made,
    endpointId,
    answers: (next) => void (answer = next),
    async publish() {
      const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
      return `${eventId}.${endpointId}`
    },
    row: async (id) => (await made.rows()).find((row) => row.id === id),
  }
}

describe('retryNow', () => {
  it('sends a delivery that waits for its retry now, in line, and notifies the queue', async () => {
    const made = await world()
    const id = await made.publish()
    await made.work()
    const before = await made.row(id)
    made.messages.length = 0
    expect(await made.work()).toEqual([])
    const retried = await made.engine.deliveries.retryNow('w1', id)
    expect(retried).toMatchObject({ id, status: 'pending', ready: 1, attempts: 1, gen: before!.gen + 1 })
    expect(made.messages).toMatchObject([{ outboxId: id, gen: retried.gen, workspaceId: 'w1' }])
    made.answers(200)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
    expect(await made.rows()).toEqual([])
  })

  it('on a push queue sends a message with the new gen, and makes the row due after its grace', async () => {
    const made = await world()
    const queue = { rowsStart: 'dispatched', send: async (one: unknown) => void sent.push(one) } as const
    const sent: unknown[] = []
    const engine = createEngine({ db: made.db, queue, secrets: TEST_KEYS, logger: made.log })
    const id = await made.publish()
    await made.work()
    const retried = await engine.deliveries.retryNow('w1', id)
    expect(sent).toEqual([{ outboxId: id, gen: retried.gen, type: 'a', workspaceId: 'w1' }])
    expect(retried).toMatchObject({ ready: 0, dueAt: expect.any(Number) })
    expect((await sweepPendingEvents(made.db, { limit: 10 })).events).toEqual([])
  })

  it('refuses a disabled and a paused endpoint, and names the verb that makes it take deliveries', async () => {
    const made = await world()
    const id = await made.publish()
    for (const [block, unblock, verb] of [
      [
        () => made.engine.endpoints.setStatus('w1', made.endpointId, 'disabled'),
        () => made.engine.endpoints.setStatus('w1', made.endpointId, 'enabled'),
        /disabled: enable it \(POST \/endpoints\/\{id\}\/enable, in code endpoints\.setStatus\)/,
      ],
      [
        () => made.engine.endpoints.pause('w1', made.endpointId),
        () => made.engine.endpoints.resume('w1', made.endpointId),
        /paused: resume it \(POST \/endpoints\/\{id\}\/resume, in code endpoints\.resume\)/,
      ],
    ] as const) {
      await block()
      await made.work()
      const held = await made.row(id)
      expect(held?.status).toBe('held')
      await expect(made.engine.deliveries.retryNow('w1', id)).rejects.toMatchObject({
        code: 'conflict',
        message: expect.stringMatching(verb) as string,
      })
      expect(await made.row(id)).toEqual(held)
      await unblock()
    }
    await made.exec('delete from keepsend_endpoints')
    await expect(made.engine.deliveries.retryNow('w1', id)).rejects.toMatchObject({ code: 'conflict' })
  })

  it('makes the delivery the probe of an open circuit, so that it is sent and can close it', async () => {
    const made = await world({ circuit: { failuresInRow: 2 } })
    const ids = [await made.publish(), await made.publish(), await made.publish()]
    await made.work({ limit: 2 })
    await made.work()
    const held = (await made.row(ids[2]!))!
    expect([held.status, held.holdReason]).toEqual(['held', 'circuit_open'])
    await made.engine.deliveries.retryNow('w1', held.id)
    expect(await made.work()).toMatchObject([{ kind: 'reschedule' }])
    expect((await made.engine.endpoints.get('w1', made.endpointId)).circuit).toBe('open')
    made.answers(200)
    await made.engine.deliveries.retryNow('w1', held.id)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
    expect((await made.engine.endpoints.get('w1', made.endpointId)).circuit).toBe('closed')
  })

  it('leaves the lanes and the rate limit as they are', async () => {
    const made = await world()
    await made.engine.endpoints.update('w1', made.endpointId, { rateLimit: 1, ratePeriod: 'hour' })
    const ids = [await made.publish(), await made.publish(), await made.publish()]
    made.answers(200)
    await made.work()
    const left = (await made.rows()).map((row) => row.id)
    expect(left).toHaveLength(2)
    for (const id of left) await made.engine.deliveries.retryNow('w1', id)
    await made.addEndpoint({ workspaceId: 'w2' })
    await made.engine.publish({ type: 'a', workspaceId: 'w2', data: {} })
    expect((await lookAtLanes(made.db)).lanes.map(({ workspaceId }) => workspaceId)).toEqual(['w1', 'w2'])
    await made.work()
    expect(made.sender.requests).toHaveLength(2)
    const rows = await made.rows()
    expect(rows.map((row) => [row.status, row.holdReason])).toEqual([
      ['held', 'rate_limited'],
      ['held', 'rate_limited'],
    ])
    expect(ids).toEqual(expect.arrayContaining(rows.map((row) => row.id)))
  })
})

describe('giveUp', () => {
  it('fails a delivery as given_up without an attempt or a problem, and a replay sends it again', async () => {
    const made = await world({ history: true })
    const id = await made.publish()
    await made.work()
    const [before] = (await made.engine.problems.list('w1', { limit: 10 })).rows
    const health = await made.select('select failures_in_row, window_failures from keepsend_endpoints')
    const given = await made.engine.deliveries.giveUp('w1', id)
    expect(given).toMatchObject({
      id,
      status: 'failed',
      lastError: 'given_up',
      attempts: 1,
      dueAt: null,
      lastStatus: 500,
    })
    expect((await made.engine.problems.list('w1', { limit: 10 })).rows).toEqual([before])
    expect(await made.select('select failures_in_row, window_failures from keepsend_endpoints')).toEqual(health)
    expect((await made.engine.attempts.list('w1', { limit: 10 })).rows).toHaveLength(1)
    expect((await made.engine.deliveries.list('w1', { limit: 10, errorClass: 'given_up' })).rows).toHaveLength(1)
    await made.engine.deliveries.replay('w1', id)
    made.answers(200)
    expect(await made.work()).toMatchObject([{ kind: 'complete' }])
  })

  it('notifies the operator that the delivery has failed, as its expiry does', async () => {
    const made = await world({ operatorWorkspaceId: 'ops' })
    await made.addEndpoint({ workspaceId: 'ops', eventTypes: ['keepsend.*'] })
    const id = await made.publish()
    await made.engine.deliveries.giveUp('w1', id)
    const own = (await made.rows()).filter(({ workspaceId }) => workspaceId === 'ops')
    expect(own).toMatchObject([{ type: 'keepsend.delivery.failed' }])
    expect(JSON.parse(own[0]!.payload)).toMatchObject({ data: { deliveryId: id, errorClass: 'given_up' } })
    // A notification that fails makes no other, whatever ends it.
    await made.engine.deliveries.giveUp('ops', own[0]!.id)
    expect((await made.rows()).filter(({ workspaceId }) => workspaceId === 'ops')).toHaveLength(1)
  })
})

const VERBS = ['retryNow', 'giveUp'] as const

describe.each(VERBS)('%s', (verb) => {
  it('of a delivery in flight makes its settle lost, without an effect on the endpoint', async () => {
    const made = await world({ history: true, circuit: { failuresInRow: 1 } })
    const id = await made.publish()
    const [claim] = (await claimDueEvents(made.db, { limit: 1 })).claims
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    const moved = await made.engine.deliveries[verb]('w1', id)
    expect((await made.engine.worker.settleEach([{ claim: claim!, outcome }])).results).toMatchObject([
      { settle: 'lost' },
    ])
    const { payload: _, ...row } = (await made.row(id))!
    expect(row).toEqual(moved)
    expect((await made.engine.endpoints.get('w1', made.endpointId)).circuit).toBe('closed')
    expect((await made.engine.problems.list('w1', { limit: 10 })).rows).toEqual([])
    expect((await made.engine.attempts.list('w1', { limit: 10 })).rows).toMatchObject([{ outcome: 'superseded' }])
  })

  it('refuses a settled delivery as conflict, and one that is not there as not_retained, changing nothing', async () => {
    const made = await world({ retrySchedule: [] })
    const id = await made.publish()
    await made.work()
    const before = await made.rows()
    expect(before).toMatchObject([{ status: 'failed' }])
    const { deliveries } = made.engine
    await expect(deliveries[verb]('w1', id)).rejects.toMatchObject({ code: 'conflict' })
    for (const [workspaceId, other] of [
      ['w2', id],
      ['w1', 'evt_none'],
      ['w1', "evt_'🙂"],
      ['w1', ''],
    ] as const) {
      await expect(deliveries[verb](workspaceId, other)).rejects.toMatchObject({ code: 'not_retained' })
    }
    expect(await made.rows()).toEqual(before)
    expect(await made.count('keepsend_audit')).toBe(1)
  })

  it('races with claims, settles, sweeps and itself: each row is moved by one, and each success is recorded once', async () => {
    const made = await world()
    made.answers(200)
    let moved = 0
    for (let round = 0; round < 8; round++) {
      const id = await made.publish()
      const [claim] = round % 2 ? (await claimDueEvents(made.db, { limit: 1 })).claims : []
      const act = () => made.engine.deliveries[verb]('w1', id)
      const rival = [
        () => claimDueEvents(made.db, { limit: 1 }),
        () => made.engine.worker.settle([{ claim: claim!, outcome: { kind: 'complete', httpStatus: 200 } }]),
        () => sweepPendingEvents(made.db, { limit: 2, firstSends: 'none' }),
        act,
      ][round % 4]
      const all = await Promise.allSettled([act(), rival!(), act()])
      const succeeded = [all[0], all[2], ...(rival === act ? [all[1]] : [])].filter(
        ({ status }) => status === 'fulfilled',
      )
      moved += succeeded.length
      const refusals = all.flatMap((one) => (one.status === 'rejected' ? [String(one.reason.code)] : []))
      for (const code of refusals) expect(['conflict', 'not_retained']).toContain(code)
      expect(succeeded.length).toBeLessThanOrEqual(verb === 'giveUp' ? 1 : 3)
      await made.exec('delete from pending_events')
    }
    expect(moved).toBeGreaterThanOrEqual(4)
    const { rows } = await made.engine.audit.list('w1', { limit: 100 })
    expect(rows.filter((one) => one.deliveryId !== null)).toHaveLength(moved)
  })

  it('over HTTP answers with the delivery, and a repeat with the first answer; a conflict is stored for nobody', async () => {
    const made = await api({ answer: () => 500, retrySchedule: [3600] })
    const { id: endpointId } = await made.addEndpoint()
    const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    const path = `/deliveries/${eventId}.${endpointId}/${verb === 'giveUp' ? 'give-up' : 'retry-now'}`
    const ask = (key: string) =>
      made.engine.routes.request(path, {
        method: 'POST',
        headers: { authorization: `Bearer ${made.keys.w1}`, 'idempotency-key': key },
      })
    await made.engine.endpoints.setStatus('w1', endpointId, 'disabled')
    await made.work()
    const isRefused = verb === 'retryNow'
    expect((await ask('k0')).status).toBe(isRefused ? 409 : 200)
    await made.engine.endpoints.setStatus('w1', endpointId, 'enabled')
    const first = await read(ask('k0'))
    expect(first).toMatchObject(
      isRefused ? { status: 202, body: { status: 'pending' } } : { status: 200, body: { errorClass: 'given_up' } },
    )
    await made.work({ now: LATER })
    const repeat = await ask('k0')
    expect(repeat.headers.get('idempotency-replayed')).toBe('true')
    expect(await read(repeat)).toEqual(first)
    expect((await read(made.call('POST', path, undefined, made.keys.w2))).body['code']).toBe('not_retained')
  })
})
