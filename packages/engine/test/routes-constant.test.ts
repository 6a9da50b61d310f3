// What anybody may ask for without a key costs as little when it is asked often.
import { afterEach, describe, expect, it, vi } from 'vitest'
import { recordedRig } from './plans.ts'
import { rig } from './rig.ts'

afterEach(() => {
  vi.useRealTimers()
})

describe('the health check', () => {
  it('answers 503 after five seconds where the database hangs, and asks it again no sooner', async () => {
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

  it('looks at the database once for all who ask within a second', async () => {
    const { engine, addEndpoint, statements } = await recordedRig()
    await addEndpoint()
    await engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    statements()
    const answers = await Promise.all(Array.from({ length: 200 }, async () => engine.routes.request('/health')))
    const bodies = await Promise.all(answers.map(async (answer) => answer.json()))
    // One for what waits for a time, one for the lanes and one for what keys are checked by. The event waited for some
    // milliseconds at most when it was seen.
    expect(statements()).toHaveLength(3)
    expect(bodies).toEqual(bodies.map(() => bodies[0]))
    expect(bodies[0]).toMatchObject({ status: 'ok', oldestDueMs: expect.any(Number) as number })
  })

  it('says how long the oldest has waited, in line or for a time', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    await made.exec('update pending_events set due_at = due_at - 60000')
    const { oldestDueMs } = (await (await made.engine.routes.request('/health')).json()) as { oldestDueMs: number }
    expect(oldestDueMs).toBeGreaterThanOrEqual(60_000)
  })
})

describe('the OpenAPI document', () => {
  it('is made once, whoever asks how often, and is the same bytes for everybody', async () => {
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

  it('is not sent to whoever has it', async () => {
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
