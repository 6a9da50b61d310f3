import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type Answer, LATER, rig } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }

/** A tenant's endpoint for all events, and an operator's endpoint for operational webhooks. */
async function watched({ isNamed = true, ...options }: Parameters<typeof rig>[0] & { isNamed?: boolean } = {}) {
  let answer: Answer = 500
  let operatorAnswer: Answer = 200
  const made = await rig({
    answer: ({ url }) => (url.includes('operator') ? operatorAnswer : answer),
    ...(isNamed && { operatorWorkspaceId: 'operator' }),
    retrySchedule: [3600, 3600],
    ...options,
  })
  const { id } = await made.addEndpoint()
  await made.addEndpoint({ workspaceId: 'operator', url: 'https://operator.example.com/', eventTypes: ['keepsend.*'] })
  const notifications = async () =>
    (await made.rows())
      .filter(({ type }) => type.startsWith('keepsend.'))
      .map(({ type, payload }) => [type, (JSON.parse(payload) as { data: Record<string, unknown> }).data] as const)
  const types = async () => (await notifications()).map(([type]) => type.replace('keepsend.', ''))
  return {
    ...made,
    id,
    notifications,
    types,
    answers: (next: Answer) => void (answer = next),
    operatorAnswers: (next: Answer) => void (operatorAnswer = next),
    publish: async (count: number) => {
      for (let n = 0; n < count; n++) await made.engine.publish(event)
    },
    ageBy: (ms: number) =>
      made.exec(`update keepsend_endpoints set resume_at = resume_at - ${ms}, failing_since = failing_since - ${ms}`),
    /** Attempts the due deliveries of the tenant, and none of the operator. */
    workTenant: async () => {
      const { claims } = await claimDueEvents(made.db, { limit: 100 })
      const own = claims.filter(({ workspaceId }) => workspaceId === 'w1')
      await made.engine.worker.settle(
        await Promise.all(
          own.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
        ),
      )
    },
  }
}

describe('operational webhooks', () => {
  it('notify once each of a circuit that opens and one that closes, signed and sent like any event', async () => {
    const made = await watched()
    await made.publish(10)
    await made.workTenant()
    expect(await made.notifications()).toEqual([
      ['keepsend.endpoint.circuit_opened', { endpointId: made.id, workspaceId: 'w1' }],
    ])
    await made.publish(1)
    await made.workTenant()
    await made.ageBy(60_000)
    await made.engine.worker.resumeHeld()
    made.answers(200)
    await made.workTenant()
    expect(await made.types()).toEqual(['endpoint.circuit_opened', 'endpoint.recovered'])
    expect(await made.work({ now: LATER })).toMatchObject(Array.from({ length: 12 }, () => ({ kind: 'complete' })))
    expect(made.sender.requests.filter(({ url }) => url.includes('operator'))).toHaveLength(2)
  })

  it('notify at 50, 75 and 90 percent of the time to disabling, and of the disabling', async () => {
    const made = await watched()
    await made.publish(10)
    await made.workTenant()
    await made.publish(9)
    await made.workTenant()
    const day = 86_400_000
    for (const age of [2 * day, 0.6 * day, 0.1 * day, 1.2 * day, 0.7 * day, 0.5 * day]) {
      await made.ageBy(age)
      await made.engine.worker.resumeHeld()
      await made.workTenant()
    }
    const sent = (await made.notifications()).map(([type, { percent, reason }]) => [
      type.replace('keepsend.endpoint.', ''),
      percent ?? reason,
    ])
    expect(sent).toEqual([
      ['circuit_opened', undefined],
      ['failing', 50],
      ['failing', 75],
      ['failing', 90],
      ['disabled', 'failing'],
    ])
  })

  it('notify of a delivery that has failed for good, and of an endpoint that a 410 disabled', async () => {
    const made = await watched()
    made.answers({ status: 400, body: 'no thanks' })
    const { eventId } = await made.engine.publish(event)
    await made.workTenant()
    made.answers(410)
    await made.publish(1)
    await made.workTenant()
    expect(await made.notifications()).toMatchObject([
      [
        'keepsend.delivery.failed',
        {
          deliveryId: `${eventId}.${made.id}`,
          endpointId: made.id,
          workspaceId: 'w1',
          eventType: 'message.created',
          error: 'HTTP 400: no thanks',
          httpStatus: 400,
        },
      ],
      ['keepsend.endpoint.disabled', { endpointId: made.id, reason: 'gone' }],
      ['keepsend.delivery.failed', { httpStatus: 410 }],
    ])
  })

  it('notify of a due delivery whose endpoint was deleted, and of none that was held for it', async () => {
    const made = await watched()
    await made.publish(1)
    await made.engine.endpoints.setStatus('w1', made.id, 'disabled')
    await made.publish(2)
    await made.engine.endpoints.delete('w1', made.id)
    await made.workTenant()
    expect((await made.rows()).filter(({ status }) => status === 'failed')).toHaveLength(3)
    expect(await made.notifications()).toMatchObject([
      ['keepsend.delivery.failed', { endpointId: made.id, error: 'endpoint_gone: the endpoint does not exist' }],
    ])
  })

  it('notify of nothing when the settle is lost: notification and change are one transaction', async () => {
    for (const status of [500, 400, 410]) {
      const made = await watched({ circuit: { failuresInRow: 1 } })
      made.answers(status)
      await made.publish(1)
      const { claims } = await claimDueEvents(made.db, { limit: 1 })
      const [claim] = claims
      if (!claim) throw new Error('nothing was claimed')
      const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
      await claimDueEvents(made.db, { limit: 1, now: LATER })
      expect(await made.engine.worker.settle([{ claim, outcome }])).toMatchObject({ lost: [claim] })
      expect([await made.types(), (await made.engine.endpoints.get('w1', made.id)).circuit]).toEqual([[], 'closed'])
    }
  })

  it('notify of nothing when the transaction is refused', async () => {
    const made = await watched({ circuit: { failuresInRow: 1 } })
    await made.publish(1)
    const { claims } = await claimDueEvents(made.db, { limit: 1 })
    const [claim] = claims
    if (!claim) throw new Error('nothing was claimed')
    const outcome = await made.engine.worker.deliver(claim, claim.claimedAt)
    await made.readOnly(true)
    await expect(made.engine.worker.settle([{ claim, outcome }])).rejects.toThrow()
    await made.readOnly(false)
    expect(await made.types()).toEqual([])
    await made.engine.worker.settle([{ claim, outcome }])
    expect(await made.types()).toEqual(['endpoint.circuit_opened'])
  })

  it('notify of nothing about themselves: a failed one makes no other', async () => {
    const made = await watched({ retrySchedule: [], circuit: { failuresInRow: 1 } })
    made.operatorAnswers(500)
    await made.publish(1)
    await made.work()
    expect((await made.types()).toSorted()).toEqual(['delivery.failed', 'endpoint.circuit_opened'])
    await made.work()
    await made.work({ now: LATER })
    expect((await made.types()).toSorted()).toEqual(['delivery.failed', 'endpoint.circuit_opened'])
    expect((await made.rows()).every(({ status }) => status === 'failed' || status === 'held')).toBe(true)
  })

  it('are not sent to endpoints that subscribe to `*` only, of the operator or of a tenant', async () => {
    const made = await rig({ answer: () => 500, operatorWorkspaceId: 'w1', circuit: { failuresInRow: 1 } })
    await made.addEndpoint({ eventTypes: ['*'] })
    await made.addEndpoint({ workspaceId: 'w2', eventTypes: ['*', 'keepsend.*'] })
    await made.engine.publish(event)
    await made.work()
    expect((await made.rows()).map(({ type }) => type)).toEqual(['message.created'])
  })

  it('are not sent without operatorWorkspaceId', async () => {
    const made = await watched({ isNamed: false, circuit: { failuresInRow: 1 } })
    await made.publish(1)
    await made.work()
    expect(await made.types()).toEqual([])
  })
})
