// A delivered delivery, whose row is gone, is sent again: its row is inserted again from its last attempt and its event.
import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { EngineOptions } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { recordedRig } from './plans.ts'
import { api, problem, read } from './routes.ts'

const EVENT = { type: 'message.created', workspaceId: 'w1', data: { n: 1 } }

/** An API, and a delivery that its receiver has accepted. */
async function delivered(history: EngineOptions['history'] = true) {
  const made = await api({ history })
  const { id: endpointId } = await made.addEndpoint({ retrySchedule: [1, 2, 3] })
  const raw = { body: '<a/>', contentType: 'application/xml' }
  const { eventId } = await made.engine.publish({ type: EVENT.type, workspaceId: 'w1', raw })
  await made.work()
  expect(await made.rows()).toEqual([])
  const id = `${eventId}.${endpointId}`
  const post = async (key?: string, as = made.keys.w1) =>
    read(
      made.engine.routes.request(`/deliveries/${id}/replay`, {
        method: 'POST',
        headers: { authorization: `Bearer ${as}`, ...(key !== undefined && { 'idempotency-key': key }) },
      }),
    )
  return { ...made, id, endpointId, post }
}

describe('the replay of a delivered delivery', () => {
  it('sends the same bytes again under the same id, with all attempts left', async () => {
    const made = await delivered()
    expect(await made.engine.deliveries.replay('w1', made.id)).toMatchObject({
      id: made.id,
      status: 'pending',
      attempts: 0,
      maxAttempts: 4,
      replayedAt: expect.any(Number) as number,
    })
    await made.work()
    const [first, second] = made.sender.requests
    expect([second?.body, second?.headers['webhook-id']]).toEqual([first?.body, first?.headers['webhook-id']])
    expect(second?.headers['content-type']).toBe('application/xml')
    const { rows } = await made.engine.attempts.list('w1', { limit: 10, deliveryId: made.id })
    expect(rows.map(({ reason, number, outcome }) => [reason, number, outcome])).toEqual([
      ['replay', 1, 'delivered'],
      ['publish', 1, 'delivered'],
    ])
    // Each is a job, whose only step was in the transaction that made it.
    const done = { what: 'ids', endpointId: made.endpointId, state: 'completed', planned: 1, sent: 1 }
    const nothing = { onItsWay: 0, noLongerStored: 0, changed: 0 }
    const { rows: jobs } = await made.engine.replays.list('w1', { limit: 10 })
    expect(jobs).toMatchObject([{ ...done, skipped: nothing, endedAt: jobs[0]?.createdAt }])
    // And once more.
    expect((await made.post()).status).toBe(202)
    await made.work()
    expect(made.sender.requests).toHaveLength(3)
  })

  it('loses the late settle of its earlier life', async () => {
    const made = await api({ history: true })
    await made.addEndpoint()
    await made.engine.publish(EVENT)
    const [stale] = (await claimDueEvents(made.db, { limit: 1 })).claims
    const outcome = await made.engine.worker.deliver(stale!, stale!.claimedAt)
    // The worker stalls before its settle. Its lease expires, and another delivers.
    await made.work({ now: Date.now() + 3_600_000 })
    const { gen } = await made.engine.deliveries.replay('w1', stale!.id)
    const [holder] = (await claimDueEvents(made.db, { limit: 1 })).claims
    expect(holder).toMatchObject({ id: stale!.id, gen: gen + 1 })
    for (let late = stale!.gen; late <= stale!.gen + 2; late++) {
      const { lost } = await made.engine.worker.settle([{ claim: { ...stale!, gen: late }, outcome }])
      expect(lost).toMatchObject([{ id: stale!.id, gen: late }])
    }
    const { lost } = await made.engine.worker.settle([{ claim: holder!, outcome }])
    expect([lost, await made.rows()]).toEqual([[], []])
  })

  it('begins above the last known gen even if the clock was set back', async () => {
    const made = await delivered()
    const future = Date.now() + 86_400_000
    await made.exec('update keepsend_attempts set gen = ?', future)
    expect(await made.engine.deliveries.replay('w1', made.id)).toMatchObject({ gen: future + 1, createdAt: future + 1 })
  })

  it('makes one row when two race, and the other gets 409', async () => {
    const made = await delivered()
    const replays = await Promise.allSettled(
      Array.from({ length: 4 }, () => made.engine.deliveries.replay('w1', made.id)),
    )
    const refused = replays.filter((one) => one.status === 'rejected').map(({ reason }) => reason as unknown)
    expect(refused).toEqual(Array(3).fill(expect.objectContaining({ code: 'conflict' })))
    expect(await made.rows()).toHaveLength(1)
    expect(await made.post('other')).toEqual(problem(409, 'conflict'))
  })

  it('is made once under an idempotency key, and a repeat gets the first answer', async () => {
    const made = await delivered()
    const first = await made.post('k1')
    expect(first).toMatchObject({ status: 202, body: { id: made.id, status: 'pending', attempts: 0 } })
    await made.work()
    expect(await made.post('k1')).toEqual(first)
    expect(await made.rows()).toEqual([])
    expect(made.sender.requests).toHaveLength(2)
  })

  it('of concurrent requests under two keys makes one row', async () => {
    const made = await delivered()
    const answers = await Promise.all([made.post('k1'), made.post('k2')])
    expect(answers.map(({ status }) => status).toSorted((a, b) => a - b)).toEqual([202, 409])
    expect(await made.rows()).toHaveLength(1)
  })

  it('notifies the queue of the row with its gen', async () => {
    const made = await delivered()
    made.messages.length = 0
    await made.post()
    const [row] = await made.rows()
    expect(made.messages).toMatchObject([{ outboxId: made.id, gen: row?.gen }])
  })

  it.each(['k1', undefined])('says that its payload is no longer stored, with the key %s', async (key) => {
    const made = await delivered()
    await made.exec('delete from keepsend_payloads')
    expect(await made.post(key)).toEqual({
      ...problem(404, 'not_retained'),
      body: expect.objectContaining({ detail: expect.stringContaining('payload') as string }) as unknown,
    })
    expect(await made.rows()).toEqual([])
  })

  it.each<EngineOptions['history']>([false, { events: false }])(
    'is refused without events (history: %j)',
    async (history) => {
      const made = await delivered(history)
      expect(await made.post()).toEqual(problem(404, 'not_retained'))
    },
  )

  it.each<[string, (made: Awaited<ReturnType<typeof delivered>>) => Promise<void>]>([
    ['did not deliver', ({ exec }) => exec(`update keepsend_attempts set outcome = 'failed'`)],
    [
      'is past the retention of the workspace',
      async ({ engine, exec }) => {
        await engine.workspaces.setRetention('w1', { attemptsMs: 60_000 })
        await exec('update keepsend_attempts set id = id - (id - 4096)')
      },
    ],
  ])('is refused if its last attempt %s', async (_name, change) => {
    const made = await delivered()
    await change(made)
    expect(await made.post()).toEqual({
      ...problem(404, 'not_retained'),
      body: expect.objectContaining({ detail: expect.stringContaining('does not exist') as string }) as unknown,
    })
    expect(await made.rows()).toEqual([])
  })

  it('is refused to another workspace like one that does not exist', async () => {
    const made = await delivered()
    const foreign = await made.post(undefined, made.keys.w2)
    const nobodys = await read(
      made.call('POST', `/deliveries/${made.id.replaceAll(/\d/g, '0')}/replay`, undefined, made.keys.w2),
    )
    const told = ({ status, body }: typeof foreign) => [status, body['code'], body['detail']]
    expect(told(foreign)).toEqual(told(nobodys))
    expect(await made.rows()).toEqual([])
  })

  it('of a deleted endpoint is refused, and nothing is written', async () => {
    const made = await delivered()
    await made.engine.endpoints.delete('w1', made.endpointId)
    for (const key of [undefined, 'k1'])
      expect(await made.post(key)).toEqual({
        ...problem(409, 'conflict'),
        body: expect.objectContaining({ detail: expect.stringContaining('was deleted') as string }) as unknown,
      })
    expect([await made.rows(), await made.count('keepsend_replays')]).toEqual([[], 0])
  })

  it('retains its payload beyond the retention of its event', async () => {
    const made = await delivered()
    await made.post()
    await made.exec('delete from keepsend_events')
    await made.engine.worker.maintain()
    await made.work()
    expect(made.sender.requests.map(({ body }) => body)).toEqual(['<a/>', '<a/>'])
  })
})

it('a replay of a stored delivery is one transaction, with history of one insert more', async () => {
  const numberOf = async (history: boolean) => {
    const made = await recordedRig({ history, answer: () => 400 })
    await made.addEndpoint()
    await made.engine.publish(EVENT)
    await made.work()
    const [row] = await made.rows()
    made.statements()
    await made.engine.deliveries.replay('w1', row!.id)
    return made.statements().length
  }
  // The audit, the job, the replay and its count, the refusal if it sent nothing, and the answer. Postgres counts in the replay.
  const counts = (await openDatabase()).db.dialect.name === 'postgres' ? [5, 6] : [6, 8]
  expect([await numberOf(false), await numberOf(true)]).toEqual(counts)
})
