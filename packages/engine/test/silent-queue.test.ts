import { newEventId } from '@keepsend/outbox'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type EventQueue, createEngine } from '../src/index.ts'
import { TEST_KEYS, rig, settled } from './rig.ts'
import { api, read } from './routes.ts'

const SILENT: EventQueue = { send: () => new Promise<never>(() => {}) }
const event = { type: 'message.created', workspaceId: 'w1', data: {} }

/** An endpoint with one failed and one held delivery, of an engine whose queue never answers. */
async function world() {
  const made = await api({ queue: SILENT, retrySchedule: [], answer: () => 400 })
  const { id } = await made.addEndpoint()
  await made.engine.publish(event)
  await made.work()
  await made.engine.endpoints.setStatus('w1', id, 'disabled')
  await made.engine.publish(event)
  const [failed, held] = await made.rows()
  expect([failed?.status, held?.status]).toEqual(['failed', 'held'])
  return { ...made, id, failedId: failed?.id ?? '' }
}

describe('a queue whose send never resolves', () => {
  it('delays no request: publish, test, enable, resume and replays are answered', async () => {
    const { call, id, failedId, rows } = await world()
    for (const [path, body, status] of [
      ['/events', { type: 'a.b', data: {} }, 202],
      [`/endpoints/${id}/test`, undefined, 202],
      [`/endpoints/${id}/enable`, undefined, 200],
      [`/endpoints/${id}/pause`, {}, 200],
      [`/endpoints/${id}/resume`, undefined, 200],
      [`/deliveries/${failedId}/replay`, undefined, 202],
      [`/endpoints/${id}/replay`, {}, 201],
    ] as const) {
      expect((await read(call('POST', path, body))).status, path).toBe(status)
    }
    expect((await rows()).map(({ status }) => status)).toEqual(['pending', 'pending', 'pending', 'pending'])
  })

  it('delays no call in code, and `background` gets the work that continues', async () => {
    const { engine, id } = await world()
    const goesOn: Promise<void>[] = []
    const background = (work: Promise<void>): void => void goesOn.push(work)
    const { eventIds } = await engine.commit({ writes: [], events: [{ ...event, id: newEventId() }], background })
    await engine.publish(event, background)
    await engine.publishTest('w1', id, { background })
    await engine.endpoints.setStatus('w1', id, 'enabled', { background })
    await engine.endpoints.pause('w1', id)
    await engine.endpoints.resume('w1', id, { background })
    await engine.dispatch(eventIds[0] ?? '', background)
    expect(goesOn).toHaveLength(6)
  })

  it('is waited for at most a minute, counted and logged', async () => {
    const { db, log, addEndpoint, rows } = await rig()
    await addEndpoint()
    const engine = createEngine({ db, queue: SILENT, secrets: TEST_KEYS, logger: log })
    const { eventId } = await engine.publish(event)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let isOver = false
    const dispatched = engine.dispatch(eventId).finally(() => (isOver = true))
    const waits = (): boolean => !isOver
    // The query for its rows comes first, in real time.
    while (waits()) {
      await settled()
      vi.advanceTimersByTime(30_000)
    }
    await dispatched
    expect(engine.counters.queueErrors).toBeGreaterThan(0)
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { error: 'the queue took longer than 60000 ms' } }])
    expect(await rows()).toMatchObject([{ status: 'pending' }])
  })
})
