// An erasure in several processes, and with a process that dies: it ends as in one, and no step is half done.
import type { OutboxDatabase } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { openDatabase, openFile, temporaryFile } from './database.ts'
import { FATES, dyingCalls } from './dying-calls.ts'
import { erasureRig } from './erasures.ts'

const COUNT = 230

/** Two engines, each with its own connection to one database, and an erasure of a workspace with more rows than a step deletes. */
async function twoEngines(wrap?: (db: OutboxDatabase) => OutboxDatabase) {
  const isPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
  const path = isPostgres ? '' : temporaryFile()
  const shared = isPostgres ? await openDatabase() : undefined
  const open = () => shared ?? openFile(path).database
  const made = await erasureRig({ on: open() })
  for (const workspaceId of ['w2', 'w1']) {
    await made.addEndpoint({ workspaceId })
    const publish = (n: number) =>
      made.engine.publish({ type: 'a', workspaceId, data: { n, note: `of ${workspaceId}` } })
    await Promise.all(Array.from({ length: COUNT / 2 }, (_, n) => publish(n)))
    await made.work({ limit: 1000 })
    await Promise.all(Array.from({ length: COUNT / 2 }, (_, n) => publish(n)))
  }
  const others = await of(made, 'w2')
  const other = await erasureRig({ on: open(), ...(wrap && { wrap }) })
  const { id } = await made.engine.erase({ workspaceId: 'w1', what: 'workspace' })
  return { made, other, id, others }
}

type Rig = Awaited<ReturnType<typeof erasureRig>>
type Two = Awaited<ReturnType<typeof twoEngines>>

const of = (made: Rig, workspaceId: string) => made.matching((value) => value === workspaceId)
const due = (made: Rig) => made.exec('update keepsend_erasures set due_at = 0')

/** Everything that steps write. */
async function written({ made }: Pick<Two, 'made'>) {
  const counted = `step, position, dropped, deliveries, attempts, events, state`
  return [await of(made, 'w1'), await made.select(`select ${counted} from keepsend_erasures`)]
}

/** Ends the job, and says what came of it. */
async function finish({ made, id, others }: Two) {
  await made.finish()
  const { state, dropped, deliveries, attempts, events } = await made.engine.erasures.get('w1', id)
  expect(await of(made, 'w2')).toEqual(others)
  return { state, dropped, deliveries, attempts, events, left: await of(made, 'w1') }
}

const WHOLE = {
  state: 'completed',
  dropped: COUNT / 2,
  deliveries: COUNT / 2,
  attempts: COUNT / 2,
  events: COUNT,
  left: { keepsend_audit: 1, keepsend_erasures: 1 },
}

// Each looks at every table after each step.
describe('an erasure', { timeout: 180_000 }, () => {
  it('is run by two engines as by one, and deletes at most 100 rows of a table in one step', async () => {
    const two = await twoEngines()
    const { made, other } = two
    let before = await of(made, 'w1')
    let stepsBefore = 0
    for (let rounds = 0; rounds < 8; rounds++) {
      await due(made)
      await Promise.all([made, other, made].map(({ engine }) => engine.worker.stepErasures({ pages: 1 })))
      const now = await of(made, 'w1')
      const [{ step = 0 } = {}] = await made.select('select step from keepsend_erasures')
      // One may begin when another has ended.
      const most = 100 * (Number(step) - stepsBefore)
      for (const [table, count] of Object.entries(before)) expect(count - (now[table] ?? 0)).toBeLessThanOrEqual(most)
      before = now
      stepsBefore = Number(step)
    }
    await Promise.all([made, other].map((one) => one.finish(one.engine)))
    expect(await finish(two)).toEqual(WHOLE)
  })

  it('lets one of two steps through that have read the same job', async () => {
    let meanwhile: (() => Promise<unknown>) | undefined
    const two = await twoEngines((db) => ({
      ...db,
      async atomic(statements) {
        const first = meanwhile
        if (statements.length > 2) meanwhile = undefined
        if (statements.length > 2) await first?.()
        return db.atomic(statements)
      },
    }))
    const { made, other } = two
    await due(made)
    // Its lease has ended while it stalled before its commit.
    meanwhile = async () => {
      await due(made)
      await made.engine.worker.stepErasures({ pages: 1 })
    }
    await other.engine.worker.stepErasures({ pages: 1 })
    expect(await made.select('select step, deliveries from keepsend_erasures')).toMatchObject([
      { step: 1, deliveries: 100 },
    ])
    expect(await finish(two)).toEqual(WHOLE)
  })

  it.each(FATES)('goes on after a process that died in any of its calls: one that %s', async (fate) => {
    const process = dyingCalls(fate)
    const two = await twoEngines(process.wrap)
    const { made, other } = two
    let died = 0
    for (let at = 0; at < 12; at++) {
      await due(made)
      if (await process.dieAt(at, () => other.engine.worker.stepErasures({ pages: 3 }))) died++
    }
    expect(died).toBeGreaterThan(5)
    expect(await finish(two)).toEqual(WHOLE)
  })

  it('writes nothing of a step that is killed at any of its statements', async () => {
    let broken = -1
    let length = 0
    const two = await twoEngines((db) => ({
      ...db,
      atomic(statements) {
        // On Postgres a read in the order of an index is a transaction of two statements.
        if (statements.length <= 2) return db.atomic(statements)
        length = statements.length
        if (broken < 0 || broken > statements.length) return db.atomic(statements)
        const killed = { sql: 'select * from no_such_table', params: [] }
        return db.atomic([...statements.slice(0, broken), killed, ...statements.slice(broken)])
      },
    }))
    const { made, other } = two
    const before = await written(two)
    for (broken = 0; broken === 0 || broken <= length; broken++) {
      await due(made)
      await other.engine.worker.stepErasures({ pages: 1 })
      expect(await written(two)).toEqual(before)
    }
    // The job, the counts, attempts, deliveries, payloads.
    expect(length).toBeGreaterThan(4)
    expect(await finish(two)).toEqual(WHOLE)
  })

  it('begins whole or not at all: killed at any statement of its first transaction it leaves no tombstone', async () => {
    let broken = -1
    let length = 0
    const { other, made } = await twoEngines((db) => ({
      ...db,
      atomic(statements) {
        if (statements.length <= 2) return db.atomic(statements)
        length = statements.length
        if (broken < 0 || broken > statements.length) return db.atomic(statements)
        const killed = { sql: 'select * from no_such_table', params: [] }
        return db.atomic([...statements.slice(0, broken), killed, ...statements.slice(broken)])
      },
    }))
    await made.finish()
    const before = await of(made, 'w2')
    for (broken = 0; broken === 0 || broken <= length; broken++) {
      await expect(other.engine.erase({ workspaceId: 'w2', what: 'workspace' })).rejects.toThrow()
      expect(await of(made, 'w2')).toEqual(before)
    }
    expect(length).toBeGreaterThan(5)
  })
})
