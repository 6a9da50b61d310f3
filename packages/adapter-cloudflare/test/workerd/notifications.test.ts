// Notifications of a workspace on D1: what they cost, by D1's own count, and that the cron sends what was collected.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, it } from 'vitest'
import { consumeBatch, sweep } from '../../src/index.ts'
import { metered } from './metered.ts'
import { batchOf, rig } from './rig.ts'

async function failing(workspaceNotifications: boolean) {
  const meter = metered(env.DB)
  const parts = await rig({ engine: { workspaceNotifications }, wrap: () => fromD1(meter.d1) })
  const { endpointId } = await parts.addEndpoint({ status: 400 }, { eventTypes: ['message.created'] })
  return {
    ...parts,
    endpointId,
    meter,
    /** Publishes, delivers, and returns what the delivery wrote. */
    async fail(count: number) {
      await parts.publish(count)
      meter.read()
      await consumeBatch(parts.policy, batchOf(parts.sent.splice(0).map(({ body }) => body)))
      return meter.read().rowsWritten
    },
  }
}

it('without a subscriber a failed delivery writes as many rows as without notifications', async () => {
  const costs: number[] = []
  for (const isOn of [false, true]) costs.push(await (await failing(isOn)).fail(1))
  expect(costs[1]).toBe(costs[0])
})

it('the first failure of a minute writes the notification, each later settle one row, and the cron sends their count', async () => {
  const made = await failing(true)
  const without = await made.fail(1)
  const hook = await made.addEndpoint({ status: 200 }, { eventTypes: ['keepsend.delivery.failed'] })
  // The row of keepsend_notifications, the delivery and its index of due rows.
  expect(await made.fail(1)).toBe(without + 3)
  // The notification waits for the cron, and later rows of the workspace do not wait behind it.
  expect(await made.fail(1)).toBe(without + 1)
  await made.fail(5)
  await sweep(made.policy)
  await env.DB.exec('update keepsend_notifications set sent_at = sent_at - 60000')
  await sweep(made.policy)
  await sweep(made.policy)
  await made.consume()
  const counts = (await hook.arrivals()).map(({ body }) => {
    const { data } = JSON.parse(body) as { data: { endpointId: string; count: number; deliveryIds: string[] } }
    return [data.endpointId, data.count, data.deliveryIds.length]
  })
  expect(counts).toEqual([
    [made.endpointId, 1, 1],
    [made.endpointId, 6, 6],
  ])
})

it('the cron asks D1 once more for them, and not at all without the option', async () => {
  const calls: number[] = []
  for (const isOn of [false, true]) {
    const { meter, policy } = await failing(isOn)
    meter.read()
    await sweep(policy)
    calls.push(meter.read().calls)
  }
  expect(calls[1]).toBe((calls[0] ?? 0) + 1)
})
