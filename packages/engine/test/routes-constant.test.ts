// Routes without a key must stay cheap when they are requested often.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { recordedRig } from './plans.ts'
import { rig } from './rig.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('the health check', () => {
  it('answers 503 after five seconds if the database hangs, and queries it no sooner again', async () => {
    let [hangs, looks] = [false, 0]
    const { engine } = await rig({
      wrap: (db) => ({
        ...db,
        run: (statement) => {
          if (!hangs) return db.run(statement)
          looks++
          return new Promise(() => {})
        },
      }),
    })
    hangs = true
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] })
    const answers: Promise<Response>[] = []
    for (let second = 0; second < 9; second++) {
      answers.push(Promise.resolve(engine.routes.request('/health')))
      await vi.advanceTimersByTimeAsync(1000)
    }
    await vi.advanceTimersByTimeAsync(5000)
    const statuses = await Promise.all(answers.map(async (answer) => (await answer).status))
    expect(statuses).toEqual(Array.from({ length: 9 }, () => 503))
    expect(looks).toBe(2)
  })

  it('queries the database once for all requests of a second', async () => {
    const { engine, addEndpoint, statements } = await recordedRig()
    await addEndpoint()
    await engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    statements()
    const answers = await Promise.all(Array.from({ length: 200 }, async () => engine.routes.request('/health')))
    const bodies = await Promise.all(answers.map(async (answer) => answer.json()))
    // One for the oldest row and one for the check of the keys. The event had waited for some milliseconds at most when it was
    // seen.
    expect(statements()).toHaveLength(2)
    expect(bodies).toEqual(bodies.map(() => bodies[0]))
    expect(bodies[0]).toMatchObject({ status: 'ok', oldestDueMs: expect.any(Number) as number })
  })

  it('reports how long the oldest due delivery has waited, in a lane or for a time', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    await made.exec('update pending_events set due_at = due_at - 60000')
    const { oldestDueMs } = (await (await made.engine.routes.request('/health')).json()) as { oldestDueMs: number }
    expect(oldestDueMs).toBeGreaterThanOrEqual(60_000)
  })
})

describe('the OpenAPI document', () => {
  it('is made once, and has the same bytes for every request', async () => {
    const { engine } = await rig()
    const { routes } = engine
    const make = routes.getOpenAPI31Document
    let made = 0
    routes.getOpenAPI31Document = (...args) => {
      made++
      return make(...args)
    }
    const answers = await Promise.all(Array.from({ length: 200 }, async () => routes.request('/openapi.json')))
    const texts = new Set(await Promise.all(answers.map(async (answer) => answer.text())))
    expect([made, texts.size]).toEqual([1, 1])
    expect(answers[0]?.headers.get('content-type')).toMatch(/^application\/json/)
  })

  it('is not sent again to a client that has it', async () => {
    const { routes } = (await rig()).engine
    const etag = (await routes.request('/openapi.json')).headers.get('etag') ?? ''
    expect(etag).toMatch(/^"[0-9a-f]{32}"$/)
    for (const asked of [etag, `W/${etag}`, `"other", ${etag}`, '*']) {
      const answer = await routes.request('/openapi.json', { headers: { 'if-none-match': asked } })
      expect([answer.status, answer.headers.get('etag'), await answer.text()], asked).toEqual([304, etag, ''])
    }
    const other = await routes.request('/openapi.json', { headers: { 'if-none-match': '"other"' } })
    expect(other.status).toBe(200)
  })
})
