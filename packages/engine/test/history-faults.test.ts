// History never costs a delivery: deliveries go on while attempts cannot be recorded, and each failure is logged.
import { claimDueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, insertQueuedEvent } from '../src/index.ts'
import { openFile, temporaryFile } from './database.ts'
import { type Rig, rig } from './rig.ts'

const EVENT = { type: 'message.created', workspaceId: 'w1', data: {} }
const LARGE = 65_536

async function recorded(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig({ history: true, retrySchedule: [1], ...options })
  await made.addEndpoint()
  return made
}

/** Publishes, delivers and settles as a poller does: in a group, and if that is refused row by row. */
async function deliver({ db, engine }: Rig, count: number, damage?: (record: object) => void) {
  for (let n = 0; n < count; n++) await engine.publish(EVENT)
  const { claims } = await claimDueEvents(db, { limit: count })
  const finished = await Promise.all(
    claims.map(async (claim) => ({ claim, outcome: await engine.worker.deliver(claim, claim.claimedAt) })),
  )
  if (damage && finished[0]?.outcome.record) damage(finished[0].outcome.record)
  const { results } = await engine.worker.settleEach(finished, { claim: { due: 10 } })
  return results.map(({ settle }) => settle)
}

const errors = ({ log }: Rig) => log.entries.filter(({ level }) => level === 'error').map(({ message }) => message)

describe('deliveries go on', () => {
  it('without the table of attempts, and so does maintenance', async () => {
    const made = await recorded()
    await made.exec('drop table keepsend_attempts')
    expect(await deliver(made, 3)).toEqual(['settled', 'settled', 'settled'])
    expect(await made.count('pending_events')).toBe(0)
    expect(errors(made)).toEqual(['failed to record attempts; their outcomes were recorded'])
    await made.engine.publish(EVENT)
    await made.exec('update pending_events set created_at = 0')
    await made.exec('update keepsend_sweep_pass set expiry_ended_at = 0')
    expect(await made.engine.worker.maintain()).toMatchObject({ expired: 1, deletedAttempts: 0 })
    expect(errors(made)).toContain('the maintenance of attempts failed; trying again at the next one')
  })

  it('without the table of workspaces, and attempts are recorded', async () => {
    const made = await recorded()
    await made.exec('drop table keepsend_workspaces')
    expect(await deliver(made, 2)).toEqual(['settled', 'settled'])
    expect(await made.count('keepsend_attempts')).toBe(2)
    expect(await made.engine.worker.maintain()).toMatchObject({ expired: 0 })
  })

  it('without the tables of workers and of notifications, and maintenance writes the heartbeat whatever else fails', async () => {
    const made = await recorded({ workspaceNotifications: true })
    await made.exec('drop table keepsend_notifications')
    await expect(made.engine.worker.maintain()).rejects.toThrow('keepsend_notifications')
    expect(await made.count('keepsend_workers')).toBe(1)
    const other = await recorded()
    await other.exec('drop table keepsend_workers')
    expect(await other.engine.worker.maintain()).toMatchObject({ more: false })
    expect(errors(other)).toEqual(['the maintenance of workers failed; trying again at the next one'])
  })

  it('without the table of events: by publish, and from a message without rows', async () => {
    const made = await recorded()
    await made.exec('drop table keepsend_events')
    expect(await made.engine.publish(EVENT)).toMatchObject({ accepted: true, deliveries: 1 })
    const { db, engine, log } = made
    const target = { db, rowsStart: 'now', recordsEvents: engine.recordsEvents, logger: log } as const
    expect(await insertQueuedEvent(target, { ...EVENT, eventId: newEventId() })).toHaveLength(1)
    const message = 'failed to record an event; its deliveries were inserted'
    expect([errors(made), engine.counters.degraded]).toEqual([[message, message], 0])
    await made.work()
    expect(made.sender.requests).toHaveLength(2)
    // The transaction of the host fails as a whole.
    await expect(engine.commit({ writes: [], events: [EVENT] })).rejects.toThrow('keepsend_events')
    expect(await made.count('pending_events')).toBe(0)
  })

  it('on a disk that has no room for attempts, but lets the settled rows go', async () => {
    const { database, connection } = openFile(temporaryFile())
    const history = { responses: 'all', bodyBytes: LARGE } satisfies EngineOptions['history']
    const made = await recorded({ on: database, history, answer: () => ({ status: 200, body: 'x'.repeat(LARGE) }) })
    for (let n = 0; n < 3; n++) await made.engine.publish(EVENT)
    const pages = Number(connection.pragma('page_count', { simple: true }))
    connection.pragma(`max_page_count = ${pages}`)
    const { claims } = await claimDueEvents(made.db, { limit: 3 })
    const finished = await Promise.all(
      claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
    )
    const { results } = await made.engine.worker.settleEach(finished)
    expect(results.map(({ settle }) => settle)).toEqual(['settled', 'settled', 'settled'])
    expect([await made.count('pending_events'), await made.count('keepsend_attempts')]).toEqual([0, 0])
    expect(errors(made)).toEqual(['failed to record attempts; their outcomes were recorded'])
    connection.pragma('max_page_count = 1000000')
    expect(await deliver(made, 1)).toEqual(['settled'])
    expect(await made.count('keepsend_attempts')).toBe(1)
  })

  it('beside a broken attempt, which alone is not recorded', async () => {
    const made = await recorded()
    const settled = await deliver(made, 3, (record) => Object.assign(record, { url: null }))
    expect(settled).toEqual(['settled', 'settled', 'settled'])
    expect([await made.count('pending_events'), await made.count('keepsend_attempts')]).toEqual([0, 2])
    expect(errors(made)).toEqual(['failed to record an attempt; its outcome was recorded'])
  })
})

it('a database that accepts nothing settles nothing, with attempts or without', async () => {
  const made = await recorded()
  for (let n = 0; n < 2; n++) await made.engine.publish(EVENT)
  const { claims } = await claimDueEvents(made.db, { limit: 2 })
  const finished = await Promise.all(
    claims.map(async (claim) => ({ claim, outcome: await made.engine.worker.deliver(claim, claim.claimedAt) })),
  )
  await made.readOnly(true)
  const refused = await made.engine.worker.settleEach(finished)
  expect(refused.results.map(({ settle }) => settle)).toEqual(['unsettled', 'unsettled'])
  expect(refused.storageError).toBeInstanceOf(Error)
  await made.readOnly(false)
  const { results } = await made.engine.worker.settleEach(finished)
  expect(results.map(({ settle }) => settle)).toEqual(['settled', 'settled'])
  expect(await made.count('keepsend_attempts')).toBe(2)
})
