// The effect of each response on the row, its message, the next message and the endpoint.
import { describe, expect, it } from 'vitest'
import { consumeBatch, sweep } from '../../src/index.ts'
import type { Answer } from './receiver.ts'
import { type RigOptions, batchOf, fates, rig } from './rig.ts'

const GRACE_MS = 300_000

/** One delivery, attempted once: its row, its acknowledged message and the next messages. */
async function attemptOnce(
  answer: Answer,
  options: RigOptions = {},
  { deadlineMs = null, between = () => {} }: { deadlineMs?: number | null; between?: () => void } = {},
) {
  const parts = await rig(options)
  const hook = await parts.addEndpoint(answer, { deadlineMs })
  const [id = ''] = await parts.publish(1)
  between()
  const before = await parts.now()
  const messages = await parts.consume()
  const after = await parts.now()
  const [row] = await parts.rows()
  expect(await hook.arrivals()).toHaveLength(1)
  return { ...parts, hook, id, messages, row, before, after }
}

type Once = Awaited<ReturnType<typeof attemptOnce>>

function expectDueAfter({ row, before, after }: Pick<Once, 'row' | 'before' | 'after'>, delayMs: number): void {
  expect(row?.dueAt).toBeGreaterThanOrEqual(before + delayMs)
  expect(row?.dueAt).toBeLessThanOrEqual(after + delayMs)
}

describe('a response', () => {
  it('500 counts an attempt: due after the grace of its message, which comes under the new gen after the delay', async () => {
    const once = await attemptOnce({ status: 500, body: 'oops' })
    expect(once.row).toMatchObject({
      status: 'pending',
      attempts: 1,
      deferrals: 0,
      moves: 1,
      claimedAt: null,
      lastStatus: 500,
      lastError: 'HTTP 500: oops',
    })
    expectDueAfter(once, 5000 + GRACE_MS)
    expect(fates(once.messages)).toEqual(['ack'])
    expect(once.sent).toEqual([{ body: { outboxId: once.id, gen: once.row?.gen, delaySeconds: 5 }, delaySeconds: 5 }])
  })

  it.each([429, 503])(
    '%i with Retry-After: held until the pause ends, uncounted and without a message',
    async (status) => {
      const once = await attemptOnce({ status, headers: { 'retry-after': '120' } })
      expect(once.row).toMatchObject({
        status: 'held',
        holdReason: 'endpoint_paused',
        attempts: 0,
        deferrals: 0,
        moves: 1,
        lastStatus: status,
        dueAt: null,
      })
      const paused = { level: 'warn', message: expect.stringMatching(/^endpoint paused/) }
      expect(once.log.slice(-1)).toMatchObject([{ ...paused, fields: { endpointId: once.hook.endpointId } }])
      const { pausedUntil } = await once.engine.endpoints.get('w', once.hook.endpointId)
      expect(pausedUntil).toBeGreaterThanOrEqual(once.before + 120_000)
      expect(pausedUntil).toBeLessThanOrEqual(once.after + 120_000)
      expect(fates(once.messages)).toEqual(['ack'])
      expect(once.sent).toEqual([])
    },
  )

  it('500 with a Retry-After shorter than the schedule keeps to the schedule', async () => {
    const once = await attemptOnce({ status: 500, headers: { 'retry-after': '1' } })
    expectDueAfter(once, 5000 + GRACE_MS)
    expect(once.sent).toMatchObject([{ delaySeconds: 5 }])
  })

  it('that does not come within the deadline counts as a failure, with the reason', async () => {
    const once = await attemptOnce({ status: 'never' }, {}, { deadlineMs: 1000 })
    expect(once.row).toMatchObject({
      status: 'pending',
      attempts: 1,
      moves: 1,
      lastStatus: null,
      lastError: 'timeout: no complete answer within 1000 ms',
    })
    expectDueAfter(once, 5000 + GRACE_MS)
    expect(fates(once.messages)).toEqual(['ack'])
    expect(once.sent).toEqual([{ body: { outboxId: once.id, gen: once.row?.gen, delaySeconds: 5 }, delaySeconds: 5 }])
  })

  it.each([301, 302, 303, 307, 308])(
    '%i: a failure like any other, and nobody goes where it points',
    async (status) => {
      const parts = await rig()
      const target = await parts.addEndpoint({ status: 200 }, { eventTypes: ['nothing.here'] })
      const { url } = await parts.engine.endpoints.get('w', target.endpointId)
      const hook = await parts.addEndpoint({ status, headers: { location: url } }, { eventTypes: ['message.created'] })
      const [id] = await parts.publish(1)
      expect(fates(await parts.consume())).toEqual(['ack'])
      expect(await hook.arrivals()).toHaveLength(1)
      expect(await target.arrivals()).toEqual([])
      const [row] = await parts.rows()
      expect(row).toMatchObject({ id, status: 'pending', attempts: 1, moves: 1, lastStatus: status })
      expect(parts.sent).toEqual([{ body: { outboxId: id, gen: row?.gen, delaySeconds: 5 }, delaySeconds: 5 }])
    },
  )

  it('400 fails the row, with the reason and no further message', async () => {
    const once = await attemptOnce({ status: 400, body: 'not like this' })
    expect(once.row).toMatchObject({
      status: 'failed',
      attempts: 1,
      dueAt: null,
      lastStatus: 400,
      lastError: 'HTTP 400: not like this',
    })
    expect(once.row?.completedAt).toBeGreaterThanOrEqual(once.before)
    expect(fates(once.messages)).toEqual(['ack'])
    expect(once.sent).toEqual([])
  })

  it('410 fails the row and disables the endpoint: its other rows are held and not sent', async () => {
    const { addEndpoint, consume, engine, log, policy, publish, rows, sent } = await rig()
    const hook = await addEndpoint({ status: 410 })
    await publish(2)
    const later = sent.splice(1)
    expect(fates(await consume())).toEqual(['ack'])
    expect(await rows()).toMatchObject([{ status: 'failed', attempts: 1, lastStatus: 410, dueAt: null }, { moves: 0 }])
    const endpoint = await engine.endpoints.get('w', hook.endpointId)
    expect(endpoint).toMatchObject({ status: 'disabled', disabledReason: 'gone' })
    expect(log.map(({ message }) => message)).toEqual([
      'receiver wants no more deliveries; disabling its endpoint',
      'endpoint disabled; holding its deliveries until a person enables it',
    ])

    const batch = batchOf(later.map(({ body }) => body))
    await consumeBatch(policy, batch)
    expect(fates(batch.messages)).toEqual(['ack'])
    expect((await rows())[1]).toMatchObject({
      status: 'held',
      holdReason: 'endpoint_disabled',
      attempts: 0,
      dueAt: null,
    })
    expect(await hook.arrivals()).toHaveLength(1)
    expect(sent).toEqual([])
  })

  it('with a delay beyond half of the queue’s retention leaves the retry to the sweep: due without grace, and no message', async () => {
    const once = await attemptOnce(
      { status: 500, headers: { 'retry-after': '301' } },
      { policy: { retentionSeconds: 600 } },
    )
    expectDueAfter(once, 301_000)
    expect(fates(once.messages)).toEqual(['ack'])
    expect(once.sent).toEqual([])
  })

  it('with a delay of exactly half of it sends a message', async () => {
    const once = await attemptOnce(
      { status: 500, headers: { 'retry-after': '300' } },
      { policy: { retentionSeconds: 600 } },
    )
    expectDueAfter(once, 300_000 + GRACE_MS)
    expect(once.sent).toMatchObject([{ delaySeconds: 300 }])
  })

  it('whose next message the queue refuses leaves the row due, and the sweep sends another', async () => {
    let fate: 'well' | 'refused' = 'well'
    const once = await attemptOnce({ status: 500 }, { queueFate: () => fate }, { between: () => (fate = 'refused') })
    expect(once.row).toMatchObject({ status: 'pending', attempts: 1, moves: 1 })
    expectDueAfter(once, 5000 + GRACE_MS)
    expect(fates(once.messages)).toEqual(['ack'])
    expect(once.sent).toEqual([])
    fate = 'well'
    await once.lapse()
    expect(await sweep(once.policy)).toMatchObject({ redispatched: 1 })
    await once.hook.answer({ status: 200 })
    await once.consume()
    expect(await once.rows()).toEqual([])
    expect(await once.hook.arrivals()).toHaveLength(2)
  })
})

describe('the attempts of a row', () => {
  it('end by the count of the row, whatever the message says: failed, acknowledged, and no further message', async () => {
    const { addEndpoint, consume, publish, rows, sent } = await rig()
    const hook = await addEndpoint({ status: 500 }, { retrySchedule: [1, 2] })
    await publish(1)
    await consume()
    expect(sent).toMatchObject([{ delaySeconds: 1 }])
    await consume()
    expect(sent).toMatchObject([{ delaySeconds: 2 }])
    expect(fates(await consume())).toEqual(['ack'])
    expect(await rows()).toMatchObject([{ status: 'failed', attempts: 3, lastError: 'HTTP 500: told so', dueAt: null }])
    expect(sent).toEqual([])
    expect(await hook.arrivals()).toHaveLength(3)
  })

  it('are its own: a failure of one receiver repeats nothing for another', async () => {
    const { addEndpoint, consume, publish, rows, sent } = await rig()
    const healthy = await addEndpoint()
    const failing = await addEndpoint({ status: 500 })
    await publish(3)
    expect(fates(await consume())).toEqual(Array(6).fill('ack'))
    const left = await rows()
    expect(left.map(({ endpointId, moves }) => [endpointId, moves])).toEqual(left.map(() => [failing.endpointId, 1]))
    expect(left).toHaveLength(3)
    expect(new Set(sent.map(({ body }) => (body as { outboxId: string }).outboxId))).toEqual(
      new Set(left.map(({ id }) => id)),
    )
    await consume()
    expect(await failing.arrivals()).toHaveLength(6)
    expect(await healthy.arrivals()).toHaveLength(3)
  })

  it('of a deleted endpoint end as endpoint_gone, without a send', async () => {
    const { addEndpoint, consume, engine, publish, rows, sent } = await rig()
    const hook = await addEndpoint()
    await publish(1)
    await engine.endpoints.delete('w', hook.endpointId)
    expect(fates(await consume())).toEqual(['ack'])
    expect(await rows()).toMatchObject([{ status: 'failed', lastError: expect.stringMatching(/^endpoint_gone/) }])
    expect(await hook.arrivals()).toEqual([])
    expect(sent).toEqual([])
  })
})
