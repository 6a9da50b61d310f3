import { setTimeout as delay } from 'node:timers/promises'
import type { EngineError } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { type PostgresRig, postgresRig } from './postgres-rig.ts'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS } from './rig.ts'

const ENDPOINTS = 16
const CHANGES = 150
const STATUS: Record<string, number> = { '/refuses': 400, '/fails': 500 }

/** The changes of a person or a script to each endpoint, while pollers settle its deliveries. */
const OPERATIONS: ((made: PostgresRig, id: string, n: number) => Promise<unknown>)[] = [
  ({ engine }, id) => engine.endpoints.setStatus('w', id, 'disabled'),
  ({ engine }, id) => engine.endpoints.setStatus('w', id, 'enabled'),
  ({ engine }, id, n) => engine.endpoints.update('w', id, { description: `change ${n}` }),
  ({ engine }, id, n) => engine.endpoints.update('w', id, { eventTypes: ['*', `type.n${n % 3}`] }),
  ({ engine }, id) =>
    engine.replays.create('w', { what: 'failed', endpointId: id }).catch((error: EngineError) => {
      // One of an endpoint and ten of a workspace have not ended.
      if (!['conflict', 'too_many_replays'].includes(error.code)) throw error
    }),
  ({ engine }, id) => engine.endpoints.rotateSecret('w', id, { overlapMs: 0 }),
  ({ engine }) => engine.worker.maintain(),
  ({ publish }) => publish(20),
]

describe('four pollers on one Postgres', { timeout: PATIENCE_MS * 4 }, () => {
  it('and constant changes of every endpoint cause no deadlock, and no lease is lost', async () => {
    const receiver = await startReceiver((request) => request.answer(STATUS[request.path]))
    const engine = { retrySchedule: [0.05, 0.05, 0.1], circuit: { failuresInRow: 5, openMs: 1000 } }
    const queue = { slotsPerEndpoint: 2 }
    // A busy machine may let a lock wait for longer than the default; a deadlock is still found, by the server, in a second.
    const database = { lockTimeoutMs: 60_000 }
    const first = await postgresRig({ engine, queue, database })
    const pollers = [
      first,
      ...(await Promise.all([1, 2, 3].map(() => postgresRig({ url: first.url, engine, queue, database })))),
    ]
    const ids: string[] = []
    for (let n = 0; n < ENDPOINTS; n++) {
      const path = ['/takes', '/refuses', '/fails', '/takes'][n % 4] ?? ''
      ids.push((await first.addEndpoint(new URL(path, receiver.url).href)).id)
    }
    await first.publish(300)
    await Promise.all(pollers.map((made) => made.queue.start(made.engine)))

    const refused: unknown[] = []
    await Promise.all(
      pollers.flatMap((made, poller) =>
        [0, 1].map(async (loop) => {
          for (let n = 0; n < CHANGES; n++) {
            const operation = OPERATIONS[(n * 3 + poller + loop * 5) % OPERATIONS.length]
            const id = ids[(n * 7 + poller * 5 + loop * 11) % ids.length] ?? ''
            await operation?.(made, id, n).catch((error: unknown) => refused.push(error))
            if (n % 10 === 0) await delay(1)
          }
        }),
      ),
    )
    const fields = pollers.flatMap(({ log }) => log.fields).filter((one) => JSON.stringify(one).includes('40P01'))
    const messages = pollers.flatMap(({ log }) => log.messages).filter((one) => /lease|settle|database/.test(one))
    expect({ refused, fields, messages }).toEqual({ refused: [], fields: [], messages: [] })
  })
})
