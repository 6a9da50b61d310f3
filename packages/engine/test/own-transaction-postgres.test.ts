// Races that need a database with many writers, and the engine's statements in a host's own transaction on Postgres.
import { drizzle } from 'drizzle-orm/node-postgres'
import { pgTable, text } from 'drizzle-orm/pg-core'
import { claimDueEvents } from '@keepsend/outbox'
import pg from 'pg'
import { expect, it, onTestFinished, vi } from 'vitest'
import { newEventId } from '../src/index.ts'
import { openPostgres } from './database.ts'
import { api, problem, read } from './routes.ts'
import { rig } from './rig.ts'

const messages = pgTable('messages', { id: text('id').primaryKey(), text: text('text').notNull() })
const event = () => ({
  id: newEventId(),
  type: 'message.created',
  workspaceId: 'w1',
  data: { question: 'what?', list: ['?', "'", '$1', '\\'] },
})

async function open() {
  const { url, ...on } = await openPostgres()
  const pool = new pg.Pool({ connectionString: url })
  onTestFinished(() => pool.end())
  return { ...(await rig({ on })), orm: drizzle({ client: pool }), pool }
}

it("publishStatements commit with drizzle's own transaction, and dispatch notifies the queue of each row with its gen", async () => {
  const made = await open()
  const { id: endpointId } = await made.addEndpoint()
  const one = event()
  await made.orm.transaction(async (tx) => {
    await tx.insert(messages).values({ id: 'm1', text: 'hi' })
    for (const statement of made.engine.publishStatements(one)) await tx.execute(statement)
  })
  const payloads = (await made.rows()).map(({ payload }) => (JSON.parse(payload) as { data: unknown }).data)
  expect([await made.count('messages'), payloads]).toEqual([1, [one.data]])
  await made.engine.dispatch(one.id)
  const gen = (await made.rows())[0]?.gen
  expect(gen).toBeGreaterThan(0)
  expect(made.messages).toMatchObject([{ outboxId: `${one.id}.${endpointId}`, gen }])
})

it('publishStatements roll back with it, and dispatch then sends no message', async () => {
  const made = await open()
  await made.addEndpoint()
  const one = event()
  const failing = made.orm.transaction(async (tx) => {
    for (const statement of made.engine.publishStatements(one)) await tx.execute(statement)
    await tx.insert(messages).values({ id: 'm1', text: 'hi' })
    throw new Error('changed my mind')
  })
  await expect(failing).rejects.toThrow('changed my mind')
  await made.engine.dispatch(one.id)
  expect([await made.count('messages'), await made.count('pending_events'), made.messages]).toEqual([0, 0, []])
})

it('a row that is held while its endpoint is being enabled is not orphaned', async () => {
  const made = await open()
  const { id } = await made.addEndpoint()
  await made.engine.publish(event())
  await made.engine.endpoints.setStatus('w1', id, 'disabled')
  const { claims } = await claimDueEvents(made.db, { limit: 1 })
  const finished = claims.map((claim) => ({ claim, outcome: { kind: 'hold', reason: 'endpoint_disabled' } as const }))

  // Another process enables it and resumes all rows that it sees; its commit follows this statement's read of the endpoint.
  const enabling = await made.pool.connect()
  await enabling.query('begin')
  await enabling.query("update keepsend_endpoints set status = 'enabled', version = version + 1")
  const settling = made.engine.worker.settle(finished)
  await vi.waitFor(
    async () => {
      const { rows } = await made.pool.query('select 1 from pg_stat_activity where $1 = any (pg_blocking_pids(pid))', [
        (await enabling.query('select pg_backend_pid() as pid')).rows[0].pid,
      ])
      expect(rows).toHaveLength(1)
    },
    { timeout: 10_000, interval: 10 },
  )
  await enabling.query('commit')
  enabling.release()
  await settling
  expect(await made.rows()).toMatchObject([{ status: 'pending', holdReason: null }])
})

it('concurrent changes of one endpoint are made one after the other, and a deletion ends them', async () => {
  const { engine, addEndpoint, select } = await open()
  const { id } = await addEndpoint()
  await Promise.all(Array.from({ length: 6 }, () => engine.endpoints.rotateSecret('w1', id)))
  const versions = await select('select version from keepsend_secrets order by version')
  expect(versions.map(({ version }) => version)).toEqual([1, 2, 3, 4, 5, 6, 7])
  const results = await Promise.allSettled([
    ...Array.from({ length: 4 }, (_, n) => engine.endpoints.update('w1', id, { eventTypes: [`a.${n}`, 'b.*'] })),
    engine.endpoints.delete('w1', id),
    engine.endpoints.rotateSecret('w1', id),
  ])
  const refused = results.flatMap((one) => (one.status === 'rejected' ? [(one.reason as { code?: string }).code] : []))
  expect(new Set([...refused, 'not_found'])).toEqual(new Set(['not_found']))
  expect(await select('select endpoint_id from keepsend_subscriptions')).toEqual([])
})

it('two concurrent commits of the same events insert each row once', async () => {
  const { engine, addEndpoint, count } = await open()
  for (let n = 0; n < 5; n++) await addEndpoint()
  const events = Array.from({ length: 5 }, event)
  await Promise.all(
    [events, events.toReversed(), events].map((some) => engine.commit({ writes: [], events: some }).catch(() => null)),
  )
  expect(await count('pending_events')).toBe(25)
})

it('a NUL, which Postgres does not accept, is a bad request in every place, never an internal error', async () => {
  const { url: _, ...on } = await openPostgres()
  const { call } = await api({ on })
  for (const query of ['type=%00', 'endpointId=%00', 'eventId=%00', 'before=%00']) {
    expect((await call('GET', `/deliveries?${query}`)).status, query).toBeLessThan(500)
  }
  for (const path of ['/endpoints/%00', '/deliveries/%00', '/events/%00', '/endpoints?after=%00']) {
    expect((await call('GET', path)).status, path).toBeLessThan(500)
  }
  const endpoint = { url: 'https://hooks.example.com/', description: 'a\0b' }
  expect(await read(call('POST', '/endpoints', endpoint))).toMatchObject(problem(422, 'invalid_endpoint'))
  expect((await call('POST', '/events', { type: 'a\0', data: {} })).status).toBeLessThan(500)
  expect((await call('POST', '/events', { type: 'a', data: { text: 'a\0b \ud800' } })).status).toBe(202)
})
