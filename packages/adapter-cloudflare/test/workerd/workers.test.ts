// The heartbeat on Workers: the cron's tick is it.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { expect, it } from 'vitest'
import { sweep } from '../../src/index.ts'
import { metered } from './metered.ts'
import { rig } from './rig.ts'

it('the ticks of all isolates are one worker without counts', async () => {
  const made = await rig({ engine: { history: true } })
  await sweep(made.policy)
  await env.DB.exec('update keepsend_workers set seen_at = seen_at - 60000')
  const [before] = await made.engine.workers.list()
  await sweep(made.newIsolate())
  const listed = await made.engine.workers.list()
  expect(listed).toMatchObject([{ id: 'cron', kind: 'cron', claimed: null, claimsPerSecond: null }])
  expect((listed[0]?.seenAt ?? 0) - (before?.seenAt ?? 0)).toBeGreaterThanOrEqual(60_000)
})

it('a tick writes the row of its heartbeat, and nothing without history', async () => {
  const costs: number[] = []
  for (const history of [false, true]) {
    const meter = metered(env.DB)
    let now = 0
    const made = await rig({ engine: { history, monotonic: () => now }, wrap: () => fromD1(meter.d1) })
    await sweep(made.policy)
    meter.read()
    now += 60_000
    await sweep(made.policy)
    const { kinds, rowsWritten } = meter.read()
    expect(kinds.includes('insert into')).toBe(history)
    costs.push(rowsWritten)
  }
  expect(costs[1]).toBe((costs[0] ?? 0) + 1)
})
