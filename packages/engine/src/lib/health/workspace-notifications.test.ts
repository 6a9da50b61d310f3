import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { recordedRig } from '../../../test/plans.ts'
import { type Answer, rig } from '../../../test/rig.ts'

const FAILED = 'keepsend.delivery.failed'
const SUBSCRIBER = { url: 'https://notified.example.com/', eventTypes: ['keepsend.*'] }

/** A workspace with an endpoint that fails, and one that subscribes to the notifications about it. */
async function open({
  make = rig,
  ...options
}: Parameters<typeof rig>[0] & { make?: typeof rig | typeof recordedRig } = {}) {
  const answers = new Map<string, Answer>([['hooks', 400]])
  const made = await make({
    answer: ({ url }) => answers.get(new URL(url).hostname.split('.')[0] ?? '') ?? 200,
    workspaceNotifications: true,
    ...options,
  })
  const { id } = await made.addEndpoint()
  await made.addEndpoint(SUBSCRIBER)
  return {
    ...made,
    id,
    answer: (host: string, answer: Answer) => void answers.set(host, answer),
    publish: async (count: number, workspaceId = 'w1') => {
      const ids: string[] = []
      for (let n = 0; n < count; n++)
        ids.push((await made.engine.publish({ type: 'message.created', workspaceId, data: {} })).eventId)
      return ids
    },
    /** The notifications that receivers got since the last call, by type and host. */
    received: async () => {
      while ((await made.work()).length > 0);
      const sent = made.sender.requests.splice(0).map(({ url, body }) => ({
        host: new URL(url).hostname,
        event: JSON.parse(body) as { type: string; timestamp: string; data: Record<string, unknown> },
      }))
      return sent
        .filter(({ event }) => event.type.startsWith('keepsend.'))
        .map(({ host, event: { type, data } }): { to: string; type: string; [name: string]: unknown } => ({
          to: host.replace('.example.com', ''),
          type,
          ...data,
        }))
    },
    passMinute: () => made.exec('update keepsend_notifications set sent_at = sent_at - 60000'),
    isCollecting: async () =>
      made.select('select occurrences as "n" from keepsend_notifications where event_id is null'),
  }
}

describe.each([false, true])('notifications of a workspace, with history: %s,', (history) => {
  const notified = (options: Parameters<typeof open>[0] = {}) => open({ history, ...options })

  it('say of 300 failures in a minute that the first ones failed, and after the minute how many more', async () => {
    const made = await notified()
    const ids = (await made.publish(300)).map((event) => `${event}.${made.id}`)
    await made.work({ limit: 15 })
    while ((await made.work({ limit: 40 })).length > 0);
    const failed = {
      to: 'notified',
      type: FAILED,
      endpointId: made.id,
      workspaceId: 'w1',
      eventType: 'message.created',
    }
    const details = { error: 'HTTP 400', errorClass: 'http_4xx', httpStatus: 400 }
    expect(await made.received()).toMatchObject([
      { ...failed, ...details, count: 15, deliveryId: ids[0], deliveryIds: ids.slice(0, 10) },
    ])
    await made.engine.worker.maintain()
    expect(await made.received()).toEqual([])
    await made.passMinute()
    expect(await made.engine.worker.maintain()).toMatchObject({ more: false })
    expect(await made.received()).toMatchObject([
      { ...failed, ...details, count: 285, deliveryId: ids[15], deliveryIds: ids.slice(15, 25) },
    ])
    await made.passMinute()
    await made.engine.worker.maintain()
    expect([await made.received(), await made.count('keepsend_notifications')]).toEqual([[], 0])
  })

  it('list the first ten of failures that come one by one, in order', async () => {
    const made = await notified()
    const ids: string[] = []
    for (let n = 0; n < 13; n++) {
      ids.push(...(await made.publish(1)).map((event) => `${event}.${made.id}`))
      await made.work()
    }
    expect(await made.received()).toMatchObject([{ count: 1, deliveryIds: [ids[0]] }])
    await made.passMinute()
    await made.engine.worker.maintain()
    expect(await made.received()).toMatchObject([{ count: 12, deliveryIds: ids.slice(1, 11) }])
  })

  it('list each delivery once, if another process sends what was read and as many are collected again', async () => {
    let meanwhile: (() => Promise<void>) | undefined
    const made = await notified({
      wrap: (db) => ({
        ...db,
        async atomic(statements) {
          const happens = meanwhile
          if (happens && JSON.stringify(statements).includes('update keepsend_notifications set event_id')) {
            meanwhile = undefined
            await happens()
          }
          return db.atomic(statements)
        },
      }),
    })
    const fail = async () => {
      const [event] = await made.publish(1)
      await made.work()
      return `${event}.${made.id}`
    }
    const ids = [await fail(), await fail()]
    await made.passMinute()
    meanwhile = async () => {
      await made.engine.worker.maintain()
      ids.push(await fail())
    }
    await made.engine.worker.maintain()
    await made.passMinute()
    await made.engine.worker.maintain()
    expect(ids).toHaveLength(3)
    expect((await made.received()).map(({ deliveryIds }) => deliveryIds)).toEqual(ids.map((id) => [id]))
  })

  it('are sent by the settle again after a minute without any', async () => {
    const made = await notified()
    for (let n = 0; n < 2; n++) {
      await made.publish(1)
      await made.work()
      expect(await made.received()).toMatchObject([{ type: FAILED, count: 1 }])
      await made.passMinute()
    }
  })

  it('reach no other workspace, and not those who subscribe to `*`', async () => {
    const made = await notified()
    await made.addEndpoint({ url: 'https://all.example.com/', eventTypes: ['*'] })
    await made.addEndpoint({ workspaceId: 'w2', url: 'https://other.example.com/', eventTypes: ['keepsend.*'] })
    await made.addEndpoint({ workspaceId: 'w2' })
    await made.publish(1)
    expect(await made.received()).toMatchObject([{ to: 'notified', workspaceId: 'w1' }])
    await made.publish(1, 'w2')
    expect(await made.received()).toMatchObject([{ to: 'other', workspaceId: 'w2', count: 1 }])
  })

  it('announce that the circuit of another endpoint opened and closed, and that it was disabled', async () => {
    const made = await notified({ circuit: { failuresInRow: 1 }, retrySchedule: [3600] })
    await made.addEndpoint({ url: 'https://state.example.com/', eventTypes: ['keepsend.endpoint.*'] })
    made.answer('hooks', 500)
    await made.publish(1)
    const about = { endpointId: made.id, workspaceId: 'w1', count: 1 }
    const both = (type: string, more = {}) =>
      ['notified', 'state'].map((to) => ({ to, type: `keepsend.endpoint.${type}`, ...about, ...more }))
    const sorted = async () => (await made.received()).toSorted((one, other) => (one.to < other.to ? -1 : 1))
    expect(await sorted()).toEqual(both('circuit_opened'))
    await made.publish(1)
    await made.work()
    made.answer('hooks', 200)
    await made.exec('update keepsend_endpoints set resume_at = resume_at - 60000 where resume_at is not null')
    await made.engine.worker.resumeHeld()
    expect(await sorted()).toEqual(both('recovered'))
    made.answer('hooks', 410)
    await made.publish(1)
    const sent = await made.received()
    expect(sent.filter(({ type }) => type !== FAILED).toSorted((one, other) => (one.to < other.to ? -1 : 1))).toEqual(
      both('disabled', { reason: 'gone' }),
    )
    expect(sent.filter(({ type }) => type === FAILED)).toMatchObject([{ to: 'notified', httpStatus: 410 }])
  })

  it('count what happens again to an endpoint within the minute', async () => {
    const made = await notified({ circuit: { failuresInRow: 1 }, retrySchedule: [3600] })
    for (let n = 0; n < 3; n++) {
      made.answer('hooks', 500)
      await made.publish(1)
      await made.work()
      await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
      await made.engine.endpoints.setStatus('w1', made.id, 'enabled')
      await made.exec(`delete from pending_events where endpoint_id = ?`, made.id)
    }
    const opened = { to: 'notified', type: 'keepsend.endpoint.circuit_opened', endpointId: made.id }
    expect(await made.received()).toMatchObject([{ ...opened, count: 1 }])
    await made.passMinute()
    await made.engine.worker.maintain()
    expect(await made.received()).toMatchObject([{ ...opened, count: 2 }])
  })

  it('are never sent to the endpoint that they are about, and a failed one makes no other', async () => {
    const made = await notified({ circuit: { failuresInRow: 1 }, retrySchedule: [] })
    const own = { eventTypes: ['message.created', 'keepsend.*'] }
    const { id } = await made.addEndpoint({ ...own, url: 'https://own.example.com/' })
    made.answer('hooks', 200)
    made.answer('own', 500)
    made.answer('notified', 500)
    await made.publish(1)
    const sent = await made.received()
    expect(sent.map(({ to, type, endpointId }) => `${to} ${type} ${String(endpointId)}`).toSorted()).toEqual([
      `notified ${FAILED} ${id}`,
      `notified keepsend.endpoint.circuit_opened ${id}`,
    ])
    await made.passMinute()
    await made.engine.worker.maintain()
    expect(await made.received()).toEqual([])
  })

  it('are not sent for a lost settle, and count those of a group whose claims are current', async () => {
    const made = await notified()
    const [, second, third] = await made.publish(3)
    const { claims } = await claimDueEvents(made.db, { limit: 3 })
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    await made.exec('update pending_events set gen = gen + 1 where id = ?', claims[0]?.id ?? '')
    expect(await made.engine.worker.settle(finished.slice(0, 1))).toMatchObject({ lost: [claims[0]] })
    expect(await made.count('keepsend_notifications')).toBe(0)
    await made.engine.worker.settle(finished)
    expect(await made.isCollecting()).toMatchObject([{ n: 2 }])
    await made.engine.worker.maintain()
    const [deliveryId, other] = [`${second}.${made.id}`, `${third}.${made.id}`]
    expect(await made.received()).toMatchObject([{ count: 2, deliveryId, deliveryIds: [deliveryId, other] }])
  })

  it('announce deliveries that expire', async () => {
    const made = await notified()
    await made.publish(60)
    await made.exec('update pending_events set created_at = created_at - 2700000000')
    await made.exec('update keepsend_sweep_pass set expiry_ended_at = 0')
    await made.engine.worker.maintain()
    await made.engine.worker.maintain()
    await made.passMinute()
    await made.engine.worker.maintain()
    // Sent concurrently: in no order.
    const counts = (await made.received()).map(({ error, count }) => `${String(error)} ${String(count)}`)
    expect(counts.toSorted()).toEqual(['expired 10', 'expired 50'])
  })

  it('of the operator’s workspace are those of the operator alone', async () => {
    const made = await notified({ operatorWorkspaceId: 'w1' })
    await made.publish(1)
    const [only, ...others] = await made.received()
    expect([only?.type, only?.['count'], others]).toEqual([FAILED, undefined, []])
  })

  it('are sent beside those of the operator', async () => {
    const made = await notified({ operatorWorkspaceId: 'ops' })
    await made.addEndpoint({ workspaceId: 'ops', url: 'https://ops.example.com/', eventTypes: [FAILED] })
    await made.publish(1)
    expect((await made.received()).map(({ to, count }) => `${to} ${String(count)}`).toSorted()).toEqual([
      'notified 1',
      'ops undefined',
    ])
  })

  it('write nothing while no other endpoint of the workspace subscribes', async () => {
    const made = await notified()
    const { id } = await made.addEndpoint({ workspaceId: 'w3', eventTypes: ['*', 'keepsend.*'] })
    await made.publish(1, 'w3')
    expect(await made.received()).toEqual([])
    expect((await made.rows()).map(({ endpointId, type }) => [endpointId, type])).toEqual([[id, 'message.created']])
    expect(await made.count('keepsend_notifications')).toBe(0)
  })
})

it('notifications of a workspace are off by default, and then add no statement', async () => {
  const made = await recordedRig({ answer: () => 410 })
  await made.addEndpoint(SUBSCRIBER)
  await made.addEndpoint()
  await made.engine.publish({ type: 'message.created', workspaceId: 'w1', data: {} })
  made.statements()
  await made.work()
  await made.engine.worker.maintain()
  const statements = made.statements()
  expect(statements.length).toBeGreaterThan(0)
  expect(statements.filter(({ sql }) => /keepsend_notifications|keepsend_subscriptions/.test(sql))).toEqual([])
  expect((await made.rows()).map(({ type }) => type)).toEqual(['message.created'])
})
