// engine.on: each event with its fields, after its commit; a listener that fails changes nothing.
import { claimDueEvents } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import type { Engine, LifecycleEvents, LifecycleName } from '../src/index.ts'
import { LATER, type Rig, rig, settled } from './rig.ts'

const EVENT = { type: 'message.created', workspaceId: 'w1', data: { n: 1 } }
const NAMES: LifecycleName[] = [
  'published',
  'claimed',
  'attempt',
  'settled',
  'held',
  'resumed',
  'exhausted',
  'leaseLost',
  'swept',
  'endpoint',
]

function throwing(): never {
  throw new Error('again')
}

/** All events of an engine, in their order. */
function heard(engine: Engine): { name: LifecycleName; event: LifecycleEvents[LifecycleName] }[] {
  const events: { name: LifecycleName; event: LifecycleEvents[LifecycleName] }[] = []
  for (const name of NAMES) engine.on(name, (event) => events.push({ name, event }))
  return events
}

async function takeAll({ db, engine }: Pick<Rig, 'db' | 'engine'>, now?: number) {
  const claimed = await claimDueEvents(db, { limit: 100, ...(now !== undefined && { now }) })
  engine.worker.noteClaim(claimed)
  return claimed.claims
}

describe('engine.on', () => {
  it('tells the way of a delivery: published, claimed, attempt, settled', async () => {
    const made = await rig({ answer: () => 200 })
    const { id: endpointId } = await made.addEndpoint()
    const events = heard(made.engine)
    const { eventId } = await made.engine.publish(EVENT)
    const [claim] = await takeAll(made)
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    await made.engine.worker.settle([{ claim: claim!, outcome }])
    const ids = { deliveryId: `${eventId}.${endpointId}`, endpointId, workspaceId: 'w1', type: EVENT.type }
    expect(events).toEqual([
      { name: 'published', event: { eventId, workspaceId: 'w1', type: EVENT.type, deliveries: 1 } },
      { name: 'claimed', event: { ...ids, attempt: 1 } },
      {
        name: 'attempt',
        event: {
          ...ids,
          attempt: 1,
          outcome: 'delivered',
          httpStatus: 200,
          errorClass: null,
          tookMs: expect.any(Number) as number,
        },
      },
      { name: 'settled', event: { ...ids, outcome: 'completed' } },
    ])
  })

  it('tells each event of a commit, and of a repeat none', async () => {
    const made = await rig()
    await made.addEndpoint()
    const events = heard(made.engine)
    const idempotencyKey = { workspaceId: 'w1', method: 'POST', route: '/m', key: 'k1', body: '{}' }
    const commit = { writes: [], events: [EVENT, { ...EVENT, type: 'message.deleted' }], idempotencyKey }
    await made.engine.commit(commit)
    await made.engine.commit(commit)
    expect(events.map(({ name, event }) => [name, event])).toMatchObject([
      ['published', { type: 'message.created', deliveries: 1 }],
      ['published', { type: 'message.deleted', deliveries: 1 }],
    ])
  })

  it('tells a hold, a pause of its endpoint, and what resumes', async () => {
    const made = await rig({ answer: () => ({ status: 429, headers: { 'retry-after': '60' } }) })
    const { id: endpointId } = await made.addEndpoint()
    const events = heard(made.engine)
    await made.engine.publish(EVENT)
    await made.work()
    expect(events.slice(1)).toMatchObject([
      { name: 'attempt', event: { outcome: 'deferred', httpStatus: 429, errorClass: 'http_4xx' } },
      { name: 'settled', event: { outcome: 'held' } },
      { name: 'held', event: { reason: 'endpoint_paused' } },
      { name: 'endpoint', event: { endpointId, change: 'paused' } },
    ])
    events.length = 0
    await made.exec('update keepsend_endpoints set paused_until = 1, resume_at = 1')
    await made.engine.worker.resumeHeld()
    expect(events).toEqual([{ name: 'resumed', event: { endpointId, deliveries: 1 } }])
  })

  it('tells a lost lease, and a delivery whose attempts are exhausted', async () => {
    const made = await rig({ answer: () => 200, retrySchedule: [] })
    await made.addEndpoint({ retrySchedule: [] })
    await made.engine.publish(EVENT)
    const events = heard(made.engine)
    // Each worker dies: four crashes use up the one attempt, of which three do not count.
    let last = await takeAll(made)
    for (let crash = 1; crash <= 4; crash++) {
      const claims = await takeAll(made, LATER + crash * 1_000_000)
      if (claims.length > 0) last = claims
    }
    expect(events.at(-1)).toMatchObject({ name: 'exhausted', event: { errorClass: 'delivery_unconfirmed' } })
    const [claim] = last
    await made.engine.worker.settle([{ claim: claim!, outcome: { kind: 'complete', httpStatus: 200 } }])
    expect(events.at(-1)).toMatchObject({ name: 'leaseLost', event: { deliveryId: claim!.id, workspaceId: 'w1' } })
  })

  it('tells a sweep of an adapter', async () => {
    const { engine } = await rig()
    const events = heard(engine)
    const swept = { redispatched: 1, resumed: 2, released: 3, exhausted: 4 }
    engine.worker.noteSweep(swept)
    expect(events).toEqual([{ name: 'swept', event: swept }])
  })

  it('logs a listener that throws or rejects; the delivery and the other listeners are not affected', async () => {
    const made = await rig({ answer: () => 200 })
    await made.addEndpoint()
    let heardOnes = 0
    made.engine.on('settled', () => {
      throw new Error('thrown')
    })
    made.engine.on('settled', async () => {
      throw new Error('rejected')
    })
    made.engine.on('settled', () => heardOnes++)
    await made.engine.publish(EVENT)
    await made.work()
    await settled()
    expect(await made.count('pending_events')).toBe(0)
    expect(heardOnes).toBe(1)
    const lines = made.log.entries.filter(({ message }) => message.startsWith('a listener failed'))
    expect(lines.map(({ fields }) => fields['error'])).toEqual(['thrown', 'rejected'])
  })

  it.each<[string, unknown]>([
    ['no prototype', Object.create(null)],
    ['a text that throws', { toString: throwing }],
    ['a message that throws', Object.defineProperty(new Error('x'), 'message', { get: throwing })],
  ])('logs what a listener throws or rejects with that has %s', async (_what, thrown) => {
    const made = await rig({ answer: () => 200 })
    await made.addEndpoint()
    made.engine.on('attempt', () => {
      throw thrown
    })
    made.engine.on('claimed', () => {
      throw thrown
    })
    made.engine.on('settled', () => Promise.reject(thrown as Error))
    // Any thenable may reject.
    // oxlint-disable-next-line unicorn/no-thenable -- that is what is tested
    made.engine.on('published', () => ({ then: (_done: unknown, refuse: (error: unknown) => void) => refuse(thrown) }))
    await made.engine.publish(EVENT)
    const [claim] = await takeAll(made)
    const outcome = await made.engine.worker.deliver(claim!, claim!.claimedAt)
    expect(outcome.kind).toBe('complete')
    await made.engine.worker.settle([{ claim: claim!, outcome }])
    await settled()
    expect(await made.count('pending_events')).toBe(0)
    expect(made.log.entries.filter(({ message }) => message.startsWith('a listener failed'))).toHaveLength(4)
  })

  it('calls a listener once an event, also one that stops and listens again in it', async () => {
    const { engine, addEndpoint } = await rig()
    await addEndpoint()
    let calls = 0
    const again = () => {
      stop()
      // A bound, so that the test ends if each call is told the event too.
      if (++calls < 100) stop = engine.on('published', again)
    }
    let stop = engine.on('published', again)
    await engine.publish(EVENT)
    expect(calls).toBe(1)
    await engine.publish(EVENT)
    expect(calls).toBe(2)
  })

  it('stops a listener by the function that it returned, once each', async () => {
    const { engine, addEndpoint } = await rig()
    await addEndpoint()
    let calls = 0
    const listener = () => calls++
    const stop = engine.on('published', listener)
    engine.on('published', listener)
    await engine.publish(EVENT)
    stop()
    stop()
    await engine.publish(EVENT)
    expect(calls).toBe(3)
  })

  it('refuses an unknown event and what is not a function, by name', async () => {
    const { engine } = await rig()
    expect(() => engine.on('deliverd' as LifecycleName, () => {})).toThrow(
      /^engine.on has no event deliverd; it has published, claimed, attempt/,
    )
    const nothing: unknown = undefined
    expect(() => engine.on('settled', nothing as () => void)).toThrow('engine.on takes a function; found undefined')
  })
})
