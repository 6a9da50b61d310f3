// A replay job in several processes, and with a process that dies: each delivery is taken once, and none is lost.
import type { OutboxDatabase } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { openDatabase, openFile, temporaryFile } from './database.ts'
import { FATES, dyingCalls } from './dying-calls.ts'
import { drain, replayRig } from './replays.ts'

const COUNT = 40

/** Two engines, each with its own connection to one database, and a job of failed and delivered deliveries of an endpoint. */
async function twoEngines(wrap?: (db: OutboxDatabase) => OutboxDatabase) {
  const isPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
  const path = isPostgres ? '' : temporaryFile()
  const shared = isPostgres ? await openDatabase() : undefined
  const open = () => shared ?? openFile(path).database
  const made = await replayRig({ on: open() })
  const { id } = await made.addEndpoint()
  const ids = (await made.publish(COUNT)).map((eventId) => `${eventId}.${id}`)
  made.accept()
  const delivered = (await made.publish(COUNT)).map((eventId) => `${eventId}.${id}`)
  await made.age()
  made.sender.requests.length = 0
  const other = await replayRig({ on: open(), ...(wrap && { wrap }) })
  const job = await made.create({ what: 'ids', ids: [...ids, ...delivered] })
  expect(job).toMatchObject({ planned: 2 * COUNT })
  return { made, other, job, deliveryIds: [...ids, ...delivered] }
}

type Two = Awaited<ReturnType<typeof twoEngines>>

/** Steps and delivers until the job has ended, and says what came of it. */
async function finish({ made, job }: Two) {
  for (let rounds = 0; rounds < 50; rounds++) {
    await made.exec('update keepsend_replays set due_at = 0')
    await made.engine.worker.stepReplays({ batch: 16 })
    await drain(made)
    const { endedAt } = await made.engine.replays.get('w1', job.id)
    if (endedAt !== null) break
  }
  const { state, planned, sent, skipped } = await made.engine.replays.get('w1', job.id)
  return { state, planned, sent, skipped, requests: made.sender.requests.length, rows: await made.rows() }
}

/** Each was sent once. */
const WHOLE = {
  state: 'completed',
  planned: 2 * COUNT,
  sent: 2 * COUNT,
  skipped: { onItsWay: 0, noLongerStored: 0, changed: 0 },
  requests: 2 * COUNT,
  rows: [],
}

describe('a replay job', () => {
  it('is run by two engines as by one, while events are published', async () => {
    const two = await twoEngines()
    const { made, other } = two
    for (let rounds = 0; rounds < 6; rounds++) {
      await made.exec('update keepsend_replays set due_at = 0')
      const engines = [made.engine, other.engine, made.engine, other.engine]
      await Promise.all([
        ...engines.map((engine) => engine.worker.stepReplays({ batch: 16 })),
        made.engine.publish({ type: 'new', workspaceId: 'w1', data: {} }),
      ])
      await drain(made)
    }
    expect(await finish(two)).toEqual({ ...WHOLE, requests: 2 * COUNT + 6 })
  })

  it('lets one of two steps through that have read the same job', async () => {
    let meanwhile: (() => Promise<unknown>) | undefined
    const two = await twoEngines((db) => ({
      ...db,
      async atomic(statements) {
        const first = meanwhile
        meanwhile = undefined
        await first?.()
        return db.atomic(statements)
      },
    }))
    const { made, other } = two
    const step = (engine: typeof made.engine) => engine.worker.stepReplays({ batch: 16 })
    const due = () => made.exec('update keepsend_replays set due_at = 0')
    await due()
    // Its lease has ended while it stalled before its commit.
    meanwhile = async () => {
      await due()
      expect((await step(made.engine)).steps).toHaveLength(1)
    }
    expect((await step(other.engine)).steps).toEqual([])
    expect(await made.states()).toEqual({ replay: 16, failed: COUNT - 16 })
    expect(await made.select('select step, seen, sent, gone from keepsend_replays')).toMatchObject([
      { step: 1, seen: 16, sent: 16, gone: 0 },
    ])
    expect(await finish(two)).toEqual(WHOLE)
  })

  it.each(FATES)('goes on after a process that died in any of its calls: one that %s', async (fate) => {
    const process = dyingCalls(fate)
    const two = await twoEngines(process.wrap)
    const { made, other } = two
    let died = 0
    for (let at = 0; at < 6; at++) {
      await made.exec('update keepsend_replays set due_at = 0')
      if (await process.dieAt(at, () => other.engine.worker.stepReplays({ batch: 4 }))) died++
      await drain(made)
    }
    // Two looks for due jobs, the claim, the endpoint, and the step.
    expect(died).toBe(5)
    expect(await finish(two)).toEqual(WHOLE)
  })

  it('writes nothing of a step that is killed at any of its statements', async () => {
    let broken = -1
    let length = 0
    const two = await twoEngines((db) => ({
      ...db,
      atomic(statements) {
        length = statements.length
        if (broken < 0 || broken > statements.length) return db.atomic(statements)
        const killed = { sql: 'select * from no_such_table', params: [] }
        return db.atomic([...statements.slice(0, broken), killed, ...statements.slice(broken)])
      },
    }))
    const { made, other } = two
    const before = [
      await made.rows(),
      await made.select('select seen, sent, gone, step, position from keepsend_replays'),
    ]
    for (broken = 0; broken === 0 || broken <= length; broken++) {
      await made.exec('update keepsend_replays set due_at = 0')
      expect(await other.engine.worker.stepReplays({ batch: 16 })).toMatchObject({ steps: [] })
      expect([
        await made.rows(),
        await made.select('select seen, sent, gone, step, position from keepsend_replays'),
      ]).toEqual(before)
    }
    // On SQLite: the job, the rows and their number, those that are inserted and their number, those gone, the time to resume.
    expect(length).toBeGreaterThan(4)
    expect(await finish(two)).toEqual(WHOLE)
  })

  it('is left as it is by a step that finds it paused, cancelled or deleted in its transaction', async () => {
    for (const change of [
      `update keepsend_replays set state = 'paused'`,
      `update keepsend_replays set state = 'cancelled', ended_at = 1`,
      `update keepsend_endpoints set status = 'disabled'`,
      'delete from keepsend_replays',
    ]) {
      let armed = false
      const two = await twoEngines((db) => ({
        ...db,
        async atomic(statements) {
          if (armed) await db.run({ sql: change, params: [] })
          return db.atomic(statements)
        },
      }))
      const { made, other } = two
      const before = await made.rows()
      armed = true
      await made.exec('update keepsend_replays set due_at = 0')
      expect(await other.engine.worker.stepReplays({ batch: 16 })).toMatchObject({
        steps: expect.any(Array) as unknown[],
      })
      expect(await made.rows(), change).toEqual(before)
    }
  })
})
