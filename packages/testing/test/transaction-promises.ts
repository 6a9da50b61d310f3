import '../src/vitest.ts'
import { expect, it } from 'vitest'
import type { OwnTransaction } from '../src/index.ts'
import { openEngine } from './open-engine.ts'

/** A connection of a test's own, on a database with Keepsend's tables and a table `messages`. */
export interface OwnConnection {
  /** Runs the work in a transaction, which is rolled back or committed after it. */
  within(end: 'rollback' | 'commit', work: (db: OwnTransaction) => Promise<void>): Promise<void>
  /** Reads what is committed, by another connection. */
  committed(sql: string): Promise<unknown[]>
  /** A statement of the test's own on the connection, inside the transaction. */
  exec(sql: string): Promise<unknown>
}

const event = { type: 'message.created', workspaceId: 'w1', data: { text: 'hi' } }
const write = { sql: `insert into messages (id, text) values ('m1', 'hi')`, params: [] }
const TABLES = ['messages', 'pending_events', 'keepsend_events', 'keepsend_endpoints', 'keepsend_attempts']

/** The promises of an engine inside a transaction of the test's own, on any driver. */
export function transactionPromises(open: () => Promise<OwnConnection>): void {
  it('publishes, delivers and asserts inside the transaction, and its rollback leaves nothing', async () => {
    const own = await open()
    await own.within('rollback', async (db) => {
      const engine = await openEngine({ db })
      await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
      await own.exec(`insert into messages (id, text) values ('m0', 'of the test')`)
      const key = { key: 'k', workspaceId: 'w1', method: 'POST', route: '/messages', body: '{}' }
      await engine.commit({ writes: [write], events: [event], idempotencyKey: key })
      expect(await engine.commit({ writes: [write], events: [event], idempotencyKey: key })).toMatchObject({
        replayed: true,
      })
      engine.receiver.answer([500, 200])
      await expect(engine).toHavePublished('message.created', { text: 'hi' })
      expect(await engine.deliverAll()).toMatchObject({ attempts: 2, delivered: 1 })
      expect(await own.committed('select 1 from keepsend_events')).toEqual([])
    })
    for (const table of TABLES) expect(await own.committed(`select 1 from ${table}`), table).toEqual([])
  })

  it('keeps the transaction usable after an error of the engine, which undoes its own statements alone', async () => {
    const own = await open()
    await own.within('commit', async (db) => {
      const engine = await openEngine({ db })
      await engine.commit({ writes: [write], events: [event] })
      const other = { sql: `insert into messages (id, text) values ('m2', 'bye')`, params: [] }
      const failed = [
        engine.commit({ writes: [other, write], events: [event] }),
        engine.db.run(write),
        engine.db.run({ sql: 'select no_such_column from messages', params: [] }),
        engine.publish(event),
      ]
      const results = await Promise.allSettled(failed)
      expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected', 'fulfilled'])
      await expect(engine).toHavePublishedTimes('message.created', 2)
      await own.exec(`insert into messages (id, text) values ('m3', 'of the test')`)
    })
    expect(await own.committed('select id from messages order by id')).toEqual([{ id: 'm1' }, { id: 'm3' }])
    expect(await own.committed('select 1 as one from keepsend_events')).toHaveLength(2)
  })

  it('commits concurrent calls of the engine one after the other', async () => {
    const own = await open()
    await own.within('rollback', async (db) => {
      const engine = await openEngine({ db })
      await engine.endpoints.create('w1', { url: 'https://hooks.example.com/' })
      await Promise.all(Array.from({ length: 20 }, () => engine.commit({ writes: [], events: [event] })))
      await Promise.all([engine.deliverAll(), engine.publish(event), engine.published()])
      await engine.deliverAll()
      expect(engine.receiver.requests).toHaveLength(21)
    })
  })
}
