// Deliveries past the `expiresAt` of their event: at admission, in place of a retry, by maintenance. On each database.
import type { PendingEvent } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { event, ready } from './schedule-rig.ts'

describe('a delivery past its expiresAt', () => {
  it('fails as expired without a POST when a worker has claimed it', async () => {
    const { engine, work, row, sender } = await ready()
    await engine.publish({ ...event, expiresInMs: 60_000 })
    const { expiresAt } = await row()
    expect(await work({ now: expiresAt ?? 0 })).toMatchObject([{ kind: 'fail' }])
    expect(await row()).toMatchObject({ status: 'failed', lastError: 'expired: its expiresAt has passed' })
    expect(sender.requests).toEqual([])
  })

  it('fails with its attempt if the next one would begin past it, and the attempt has its own error', async () => {
    const made = await ready({
      history: true,
      retrySchedule: [1, 60],
      answer: () => 503,
      operatorWorkspaceId: 'operator',
    })
    await made.addEndpoint({ workspaceId: 'operator', eventTypes: ['keepsend.delivery.failed'] })
    await made.engine.publish({ ...event, expiresInMs: 30_000 })
    expect(await made.work()).toMatchObject([{ kind: 'reschedule', delayMs: 1000 }])
    const { dueAt } = (await made.rows()).find(({ workspaceId }) => workspaceId === 'w1') as PendingEvent
    await made.work({ now: dueAt ?? 0 })
    const lastError = 'expired: another attempt would begin past its expiresAt; the last error: HTTP 503'
    const rows = await made.rows()
    expect(rows.find(({ workspaceId }) => workspaceId === 'w1')).toMatchObject({
      status: 'failed',
      attempts: 2,
      lastError,
      lastStatus: 503,
    })
    const { rows: attempts } = await made.engine.attempts.list('w1', { limit: 10 })
    expect(attempts).toMatchObject([
      { outcome: 'failed', errorClass: 'http_5xx', error: 'HTTP 503' },
      { outcome: 'retry', errorClass: 'http_5xx' },
    ])
    const problems = await made.engine.problems.list('w1', { limit: 10 })
    expect(problems.rows).toMatchObject([{ errorClass: 'http_5xx', attempts: 2 }])
    const notified = rows.find(({ workspaceId }) => workspaceId === 'operator')
    expect(JSON.parse(notified?.payload ?? '')).toMatchObject({ data: { error: lastError, errorClass: 'expired' } })
    expect(made.sender.requests.filter(({ body }) => body.includes('"n":1'))).toHaveLength(2)
  })

  it('is expired by maintenance while it is held, and the operator is notified as of any failure', async () => {
    const made = await ready({ operatorWorkspaceId: 'operator' })
    await made.addEndpoint({ workspaceId: 'operator', eventTypes: ['keepsend.delivery.failed'] })
    await made.engine.endpoints.setStatus('w1', made.endpointId, 'disabled')
    await made.engine.publish({ ...event, expiresInMs: 60_000 })
    expect(await made.engine.worker.maintain()).toMatchObject({ expired: 0 })
    await made.exec('update pending_events set expires_at = created_at')
    expect(await made.engine.worker.maintain()).toMatchObject({ expired: 1, more: true })
    expect(await made.engine.worker.maintain()).toMatchObject({ expired: 0, more: false })
    const rows = await made.rows()
    expect(rows).toMatchObject([
      { status: 'failed', lastError: 'expired' },
      { workspaceId: 'operator', type: 'keepsend.delivery.failed' },
    ])
  })

  it('is sent nevertheless when a person replays it', async () => {
    const { engine, work, row, sender } = await ready()
    await engine.publish({ ...event, expiresInMs: 1000 })
    const { id, expiresAt } = await row()
    await work({ now: expiresAt ?? 0 })
    await engine.deliveries.replay('w1', id)
    expect(await row()).toMatchObject({ status: 'pending', expiresAt: null, deliverAt: null })
    expect(await work({ now: (expiresAt ?? 0) + 60_000 })).toMatchObject([{ kind: 'complete' }])
    expect(sender.requests).toHaveLength(1)
  })
})
