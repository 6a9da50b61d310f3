// Erasures of a SQLite file: its bytes, with each driver; and the example of the docs runs.
import { existsSync, readFileSync } from 'node:fs'
import { createEngine, insertQueuedEvent } from '@keepsend/engine'
import { claimDueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished } from 'vitest'
import { migrate, openSqlite } from '../src/index.ts'
import { runDocsExample } from './docs-example.ts'
import { TEST_KEYS } from './keys.ts'
import { PATIENCE_MS, keptLog, temporaryFile } from './rig.ts'

const LENGTHS = [200, 2000, 60_000]

/** How often each text occurs in the file and its log. */
function occurrences(file: string, texts: readonly string[]): Record<string, number> {
  const bytes = [file, `${file}-wal`].filter((one) => existsSync(one)).map((one) => readFileSync(one))
  return Object.fromEntries(
    texts.map((text) => [text, bytes.reduce((sum, one) => sum + one.toString('latin1').split(text).length - 1, 0)]),
  )
}

describe.each(['better-sqlite3', 'node:sqlite'] as const)('an erasure of a SQLite file with %s', (driver) => {
  it.each(['event', 'workspace'] as const)(
    'leaves no byte of any payload in the file and its log, whatever became of it: by %s',
    { timeout: PATIENCE_MS },
    async (what) => {
      const file = temporaryFile()
      const open = () => (driver === 'node:sqlite' ? openSqlite(file, { driver }) : openSqlite(file))
      const db = open()
      onTestFinished(() => db.close())
      await migrate(db)
      let status = 200
      const body = new TextEncoder().encode('read')
      const send = async () =>
        ({ kind: 'response', status, header: () => undefined, headers: () => ({}), body }) as const
      const engine = createEngine({
        db,
        queue: { send: async () => {} },
        sender: { send },
        secrets: TEST_KEYS,
        logger: keptLog(),
        history: { events: true, responses: 'all', search: ['data.note'] },
      })
      const { endpoint } = await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
      const work = async () => {
        const { claims } = await claimDueEvents(db, { limit: 100 })
        const finished = claims.map(async (claim) => ({
          claim,
          outcome: await engine.worker.deliver(claim, Date.now()),
        }))
        return { claims, finished: await Promise.all(finished) }
      }
      const canaries: string[] = []
      const eventIds: string[] = []
      const dataOf = (state: string, length: number) => {
        const canary = `canary-${state}-${length}-`
        canaries.push(canary)
        return { note: `${canary}note`, text: canary.repeat(Math.ceil(length / canary.length)).slice(0, length) }
      }
      const publish = async (state: string) => {
        for (const length of LENGTHS)
          eventIds.push((await engine.publish({ type: 'a', workspaceId: 'w1', data: dataOf(state, length) })).eventId)
      }
      for (const [state, answer] of [
        ['delivered', 200],
        ['failed', 400],
        ['retried', 500],
      ] as const) {
        status = answer
        await publish(state)
        await engine.worker.settle((await work()).finished)
      }
      await engine.endpoints.setStatus('w1', endpoint.id, 'disabled')
      await publish('held')
      await engine.endpoints.setStatus('w1', endpoint.id, 'enabled')
      for (const length of LENGTHS) {
        const data = dataOf('idempotent', length)
        const idempotencyKey = { key: `k${length}`, workspaceId: 'w1', method: 'POST', route: '/x', body: '{}' }
        const id = newEventId()
        const response = { status: 200, body: { eventId: id, ...data } }
        await engine.commit({
          writes: [],
          events: [{ id, type: 'a', workspaceId: 'w1', data }],
          response,
          idempotencyKey,
        })
        eventIds.push(id)
      }
      const degraded = LENGTHS.map((length) => {
        const eventId = newEventId()
        eventIds.push(eventId)
        return { eventId, type: 'a', workspaceId: 'w1', data: dataOf('degraded', length) }
      })
      const target = { db, rowsStart: 'now', recordsEvents: true } as const
      for (const message of degraded) expect(await insertQueuedEvent(target, message)).toHaveLength(1)
      await publish('flight')
      const { claims, finished } = await work()
      expect(claims.length).toBeGreaterThan(8)
      const before = occurrences(file, canaries)
      for (const canary of canaries) expect(before[canary], canary).toBeGreaterThan(0)

      if (what === 'workspace') await engine.erase({ workspaceId: 'w1', what })
      else for (const eventId of eventIds) await engine.erase({ workspaceId: 'w1', what, eventId })
      for (let steps = 0; steps < 100; steps++) {
        await db.run({ sql: 'update keepsend_erasures set due_at = 0', params: [] })
        if ((await engine.worker.stepErasures({ limit: 100 })).nextMs === null) break
      }
      expect((await engine.worker.settle(finished)).lost).toHaveLength(claims.length)
      for (const message of degraded) expect(await insertQueuedEvent(target, message)).toEqual([])
      expect(occurrences(file, canaries)).toEqual(Object.fromEntries(canaries.map((canary) => [canary, 0])))
    },
  )

  it('waits for a reader that keeps the log from being truncated, and says so', { timeout: PATIENCE_MS }, async () => {
    const file = temporaryFile()
    const [db, reader] = [1, 2].map(() => (driver === 'node:sqlite' ? openSqlite(file, { driver }) : openSqlite(file)))
    if (!db || !reader) throw new Error('two connections were opened')
    onTestFinished(() => [db, reader].forEach((one) => one.close()))
    await migrate(db)
    const engine = createEngine({ db, queue: { send: async () => {} }, secrets: TEST_KEYS, logger: keptLog() })
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    reader.connection.prepare('begin').run()
    reader.connection.prepare('select count(*) from pending_events').all()
    const { id } = await engine.erase({ workspaceId: 'w1', what: 'workspace' })
    const step = async () => {
      for (let times = 0; times < 3; times++) {
        await db.run({ sql: 'update keepsend_erasures set due_at = 0', params: [] })
        await engine.worker.stepErasures({ pages: 100 })
      }
      return engine.erasures.get('w1', id)
    }
    expect(await step()).toMatchObject({ state: 'running', reason: 'log_in_use' })
    reader.connection.prepare('commit').run()
    expect(await step()).toMatchObject({ state: 'completed', reason: null })
  })
})

it('the example of docs/erasure.md runs unchanged: a poller steps it', { timeout: PATIENCE_MS }, async () => {
  const stdout = await runDocsExample('erasure', { 'app.db': temporaryFile() })
  expect(stdout).toBe('dropped 1\nunsettled 1\ndropped 1 and then late_transactions\nleft 0\n')
})
