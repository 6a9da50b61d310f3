// How long the history is retained, by kind: attempts, their bodies, those of a workspace. On each database.
import { raw } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import type { EngineOptions } from '../src/index.ts'
import { createAttemptMaintenance } from '../src/lib/history/attempt-maintenance.ts'
import { readHistory } from '../src/lib/history/history-options.ts'
import { rig } from './rig.ts'

const MINUTE = 60_000
const DAY = 86_400_000

/** An engine with history, whose attempts fail with a body, and a function that makes the database's clock later. */
async function aging(options: Partial<EngineOptions> = {}) {
  const made = await rig({ history: true, answer: () => ({ status: 400, body: 'no' }), ...options })
  for (const workspaceId of ['w1', 'w2']) await made.addEndpoint({ workspaceId })
  const list = async (workspaceId = 'w1') => (await made.engine.attempts.list(workspaceId, { limit: 1000 })).rows
  const onPostgres = made.db.dialect.name === 'postgres'
  const perMs = onPostgres ? 1_048_576 : 4096
  return {
    ...made,
    list,
    async publish(count: number, workspaceId = 'w1') {
      for (let n = 0; n < count; n++) await made.engine.publish({ type: 'message.created', workspaceId, data: {} })
      await made.work()
    },
    /** Makes all attempts older; ids contain the time. In two steps, because SQLite checks the key row by row. */
    async age(ms: number) {
      await made.exec(`update keepsend_attempts set id = -id`)
      await made.exec(`update keepsend_attempts set id = -id - ${ms * perMs}`)
    },
    bodies: async () => Number((await made.select('select count(body) as n from keepsend_attempts'))[0]?.['n']),
  }
}

describe('bodies', () => {
  it('are removed before their attempts, in bounded steps that continue, and are not shown from then on', async () => {
    const made = await aging({ history: { bodiesRetentionMs: MINUTE } })
    await made.publish(60)
    await made.age(2 * MINUTE)
    expect((await made.list()).map(({ body }) => body)).toEqual(Array.from({ length: 60 }, () => null))
    expect(await made.bodies()).toBe(60)
    await made.engine.worker.maintain()
    expect(await made.bodies()).toBe(0)
    await made.publish(1)
    expect((await made.list())[0]).toMatchObject({ body: 'no' })
    await made.engine.worker.maintain()
    expect([await made.bodies(), await made.count('keepsend_attempts')]).toEqual([1, 61])
  })

  it('are retained no longer than their attempts', async () => {
    await expect(rig({ history: { retentionMs: DAY, bodiesRetentionMs: DAY + 1 } })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('history.bodiesRetentionMs') as string,
    })
  })

  it('cost no statement while they are retained as long as their attempts', async () => {
    const made = await aging()
    await made.publish(1)
    await made.engine.worker.maintain()
    expect(await made.count('keepsend_workspaces')).toBe(0)
  })
})

describe('the retention of a workspace', () => {
  it('hides its older attempts immediately, deletes them in maintenance, and leaves those of others', async () => {
    const made = await aging()
    await made.publish(3, 'w1')
    await made.publish(3, 'w2')
    await made.age(2 * MINUTE)
    await made.engine.workspaces.setRetention('w1', { attemptsMs: MINUTE })
    expect([(await made.list('w1')).length, (await made.list('w2')).length]).toEqual([0, 3])
    await made.publish(1, 'w1')
    expect(await made.list('w1')).toHaveLength(1)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 3 })
    expect(await made.count('keepsend_attempts')).toBe(4)
  })

  it('deletes none that is not counted yet', async () => {
    const made = await aging()
    await made.publish(3)
    await made.age(2 * MINUTE)
    const oldest = (await made.list()).at(-1)?.id
    await made.engine.workspaces.setRetention('w1', { attemptsMs: MINUTE })
    const maintain = createAttemptMaintenance({
      db: made.db,
      logger: made.log,
      history: readHistory(true, false)!,
      limit: 10,
      upTo: raw(String(oldest)),
    })
    expect([await maintain(), await maintain()]).toMatchObject([{ deletedAttempts: 1 }, { deletedAttempts: 0 }])
    expect(await made.count('keepsend_attempts')).toBe(2)
  })

  it('ends with null, and is never longer than that of the engine', async () => {
    const made = await aging({ history: { retentionMs: DAY, bodiesRetentionMs: DAY / 2 } })
    const { workspaces } = made.engine
    expect(await workspaces.getRetention('w1')).toEqual({ attemptsMs: DAY, bodiesMs: DAY / 2 })
    await workspaces.setRetention('w1', { attemptsMs: MINUTE })
    expect(await workspaces.getRetention('w1')).toEqual({ attemptsMs: MINUTE, bodiesMs: MINUTE })
    await made.publish(1)
    await made.age(2 * MINUTE)
    await workspaces.setRetention('w1', null)
    expect(await workspaces.getRetention('w1')).toEqual({ attemptsMs: DAY, bodiesMs: DAY / 2 })
    expect(await made.list()).toHaveLength(1)
    await expect(workspaces.setRetention('w1', { attemptsMs: DAY + 1 })).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining('attemptsMs') as string,
    })
    await expect(workspaces.setRetention('w1', { bodiesMs: 1 })).rejects.toMatchObject({ code: 'invalid_option' })
    await expect(workspaces.setRetention('', {})).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('removes its bodies alone', async () => {
    const made = await aging()
    await made.publish(2, 'w1')
    await made.publish(2, 'w2')
    await made.age(2 * MINUTE)
    await made.engine.workspaces.setRetention('w1', { bodiesMs: MINUTE })
    expect((await made.list('w1')).map(({ body }) => body)).toEqual([null, null])
    expect((await made.list('w2')).map(({ body }) => body)).toEqual(['no', 'no'])
    await made.engine.worker.maintain()
    const rows = await made.select('select workspace_id as w, body from keepsend_attempts order by id')
    expect(rows.map(({ w, body }) => [w, body])).toEqual([
      ['w1', null],
      ['w1', null],
      ['w2', 'no'],
      ['w2', 'no'],
    ])
  })

  it('is carried out for each of many workspaces, page by page', async () => {
    const made = await aging()
    await made.publish(2, 'w1')
    await made.publish(2, 'w2')
    await made.age(2 * MINUTE)
    for (let n = 0; n < 120; n++) await made.engine.workspaces.setRetention(`a${n}`, { attemptsMs: MINUTE })
    await made.engine.workspaces.setRetention('w2', { attemptsMs: MINUTE })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 0, more: true })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 2, more: false })
    expect(await made.list('w1')).toHaveLength(2)
  })

  it('needs history', async () => {
    const made = await rig()
    await expect(made.engine.workspaces.setRetention('w1', null)).rejects.toMatchObject({ code: 'not_retained' })
    await expect(made.engine.workspaces.getRetention('w1')).rejects.toMatchObject({ code: 'not_retained' })
  })
})

describe('maxAgeMs', () => {
  it('is 30 days with history and 7 without, and failed rows are retained as long', async () => {
    expect((await rig({ history: true })).engine.maxAgeMs).toBe(30 * DAY)
    expect((await rig()).engine.maxAgeMs).toBe(7 * DAY)
    expect((await rig({ history: true, maxAgeMs: 8 * DAY })).engine.maxAgeMs).toBe(8 * DAY)
    const made = await aging()
    await made.publish(1)
    await made.exec(`update pending_events set completed_at = completed_at - ${30 * DAY - MINUTE}`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedRows: 0 })
    await made.exec(`update pending_events set completed_at = completed_at - ${2 * MINUTE}`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedRows: 1 })
  })
})
