import { type OutboxDatabase, type SqlResult, enqueueEvents, newEventId } from '@keepsend/outbox'
import { describe, expect, it, vi } from 'vitest'
import { postgresRig } from './postgres-rig.ts'
import { copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS, until } from './rig.ts'

async function fill(db: OutboxDatabase, endpointId: string, count: number): Promise<void> {
  const row = () => ({ eventId: newEventId(), endpointId, workspaceId: 'w', type: 'message.created', payload: '{}' })
  await enqueueEvents(
    db,
    Array.from({ length: count }, () => row()),
  )
}

describe('four pollers on one Postgres', { timeout: PATIENCE_MS * 2 }, () => {
  it('share the rate limit of an endpoint: no two attempts are closer than it allows, and all arrive', async () => {
    const RATE = 100
    const COUNT = 400
    const receiver = await startReceiver()
    const first = await postgresRig()
    const pollers = [first, ...(await Promise.all([1, 2, 3].map(() => postgresRig({ url: first.url }))))]
    const { id } = await first.addEndpoint(receiver.url, { rateLimit: RATE })
    await fill(first.db, id, COUNT)

    // Each grant of slot times, by the database's time.
    const draws = pollers.map(({ db }) => vi.spyOn(db, 'run'))
    await Promise.all(pollers.map(({ queue, engine }) => queue.start(engine)))
    await receiver.arrived(COUNT)
    await first.untilRows((rows) => rows.length === 0)
    expect(new Set(copies(receiver.requests))).toEqual(new Set([1]))

    const moments: number[] = []
    for (const { mock } of draws) {
      for (const [at, [statement]] of mock.calls.entries()) {
        if (!('sql' in statement) || !statement.sql.includes('rate_granted as "granted"')) continue
        const result = mock.results[at]?.value as Promise<SqlResult> | undefined
        const rows = (await result)?.rows ?? []
        const row = rows[0] ?? {}
        const [granted, apart, next] = [row['granted'], row['interval'], row['next']].map(Number)
        for (let n = 1; n <= (granted ?? 0); n++) moments.push((next ?? 0) - n * (apart ?? 0))
      }
    }
    // An attempt whose slot time expired got another.
    expect(moments.length).toBeGreaterThanOrEqual(COUNT)
    moments.sort((one, other) => one - other)
    const gaps = moments.slice(1).map((moment, at) => moment - (moments[at] ?? 0))
    expect(Math.min(...gaps)).toBeGreaterThanOrEqual(1_000_000 / RATE)
    // In any second, by the same times: the limit and at most a twentieth more.
    const busiest = Math.max(
      ...moments.map((from) => moments.filter((at) => at >= from && at < from + 1_000_000).length),
    )
    expect(busiest).toBeLessThanOrEqual(RATE * 1.05)
  })
})

describe('two pollers on one Postgres', { timeout: PATIENCE_MS * 2 }, () => {
  it('send one probe between them while a circuit is open, and both continue when it closes', async () => {
    let mode: 'refuse' | 'probe' | 'well' = 'refuse'
    let [open, mostOpen] = [0, 0]
    let probes = 0
    const receiver = await startReceiver((request) => {
      if (mode === 'refuse') return request.answer(500)
      if (mode === 'well') return request.answer()
      probes++
      mostOpen = Math.max(mostOpen, ++open)
      setTimeout(() => {
        open--
        request.answer(500)
      }, 300)
    })
    const engine = { circuit: { openMs: 1000 }, retrySchedule: [3600, 3600, 3600, 3600] }
    const first = await postgresRig({ engine })
    const second = await postgresRig({ engine, url: first.url })
    const { id } = await first.addEndpoint(receiver.url)
    await fill(first.db, id, 200)
    await Promise.all([first, second].map((one) => one.queue.start(one.engine)))
    // Open, and the attempts that started before are over.
    await first.untilRows((rows) => rows.some(({ status }) => status === 'held'))
    mode = 'probe'
    await first.untilRows(
      (rows) => rows.filter(({ status, claimedAt }) => status === 'pending' && claimedAt !== null).length <= 1,
    )
    await until(() => open <= 1)
    ;[mostOpen, probes] = [0, 0]
    await until(() => probes >= 4)
    expect(mostOpen).toBe(1)
    const before = receiver.requests.length
    const waiting = (await first.rows()).filter(({ status }) => status === 'held').length
    expect(waiting).toBeGreaterThan(0)
    mode = 'well'
    await first.untilRows((rows) => rows.every(({ status }) => status !== 'held'))
    await receiver.arrived(before + 1)
    expect(await first.engine.endpoints.get('w', id)).toMatchObject({ circuit: 'closed', failingSince: null })
  })
})
