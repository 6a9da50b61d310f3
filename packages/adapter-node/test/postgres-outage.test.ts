// A server of these tests, which they stop, crash and turn into a standby.
import pg from 'pg'
import { beforeAll, describe, expect, it } from 'vitest'
import { type PostgresServer, startPostgres } from '../../../scripts/postgres-server.ts'
import type { OpenPostgresOptions } from '../src/index.ts'
import { type PostgresRig, postgresRig } from './postgres-rig.ts'
import { copies, startReceiver } from './receiver.ts'
import { PATIENCE_MS, signal, until } from './rig.ts'

let server: PostgresServer

beforeAll(async () => {
  server = await startPostgres()
  return () => server.end()
}, PATIENCE_MS)

async function admin(sql: string): Promise<void> {
  const client = new pg.Client(server.url)
  client.on('error', () => undefined)
  await client.connect()
  await client.query(sql)
  await client.end()
}

const REFUSED = 'database error; retrying'
let databases = 0

interface MidFlight extends PostgresRig {
  url: string
  /** Ends every connection to the database. */
  disconnectAll: () => Promise<void>
  /** Lets the receiver answer again. */
  answer: () => void
  /** Does that, and resolves when the poller has logged a database error. */
  refused: () => Promise<void>
}

/** Runs a queue on a database of its own and calls `during` meanwhile; in the end nothing may be lost. */
async function expectNoneLost(
  during: (made: MidFlight) => Promise<void>,
  database: Partial<OpenPostgresOptions> = {},
): Promise<void> {
  const EVENTS = 300
  const IN_HAND = 16
  const name = `outage_${++databases}`
  await admin(`create database ${name}`)
  const url = server.url.replace(/postgres$/, name)
  const { promise: inTheMiddle, resolve: reached } = signal()
  const { promise: answering, resolve: answer } = signal()
  // From the hundredth on they wait, or a quick poller would have settled all before the database is what the test makes of it.
  const receiver = await startReceiver((request) => {
    if (receiver.requests.length < 100) return request.answer()
    reached()
    return void answering.then(() => request.answer())
  })
  const made = await postgresRig({
    url,
    database,
    queue: { concurrency: IN_HAND / 2, settleBatch: IN_HAND / 2, pollMs: 500 },
  })
  const { secret } = await made.addEndpoint(receiver.url)
  const ids = await made.publish(EVENTS)
  await made.queue.start(made.engine)
  await inTheMiddle
  await during({
    ...made,
    url,
    disconnectAll: () => admin(`select pg_terminate_backend(pid) from pg_stat_activity where datname = '${name}'`),
    answer,
    refused() {
      answer()
      return until(() => made.log.messages.includes(REFUSED))
    },
  })
  answer()
  await made.untilRows((rows) => rows.length === 0)
  expect(new Set(receiver.requests.map(({ id }) => id))).toEqual(new Set(ids))
  receiver.verifyAll(secret)
  // At most the rows in flight can have been sent twice: running, or waiting for their settle.
  expect(copies(receiver.requests).filter((count) => count > 1).length).toBeLessThanOrEqual(IN_HAND)
}

describe('a working poller loses nothing, logs the error, and goes on', { timeout: PATIENCE_MS }, () => {
  it('when Postgres is restarted', async () => {
    await expectNoneLost(async ({ refused }) => {
      await server.stop()
      await refused()
      await server.start()
    })
  })

  it('when Postgres crashes', async () => {
    await expectNoneLost(async ({ refused, log }) => {
      await server.crash()
      await refused()
      await server.start()
      // The back-off grows up to 5 s.
      const waits = log.fields.flatMap(({ backoffMs }) => (typeof backoffMs === 'number' ? [backoffMs] : []))
      expect(waits[0]).toBeGreaterThanOrEqual(100)
      expect(Math.max(...waits)).toBeLessThanOrEqual(5000)
    })
  })

  it('when every connection is dropped, repeatedly', async () => {
    await expectNoneLost(async ({ answer, disconnectAll }) => {
      answer()
      for (let round = 0; round < 5; round++) await disconnectAll()
    })
  })

  it('when statements time out', async () => {
    await expectNoneLost(
      async ({ url, refused }) => {
        const other = new pg.Client(url)
        await other.connect()
        await other.query('begin')
        await other.query('lock table pending_events in access exclusive mode')
        await refused()
        await other.query('commit')
        await other.end()
      },
      { statementTimeoutMs: 200 },
    )
  })

  it('when its server is a read-only standby, until that becomes the primary', async () => {
    await expectNoneLost(async ({ url, disconnectAll, refused }) => {
      const name = new URL(url).pathname.slice(1)
      await admin(`alter database ${name} set default_transaction_read_only = on`)
      await disconnectAll()
      await refused()
      await admin(`alter database ${name} reset default_transaction_read_only`)
    })
  })
})

describe('a server that does not run yet', { timeout: PATIENCE_MS }, () => {
  it('is awaited: rows published before are delivered when it comes back', async () => {
    await admin('create database waiting')
    const url = server.url.replace(/postgres$/, 'waiting')
    const receiver = await startReceiver()
    const made = await postgresRig({ url })
    await made.addEndpoint(receiver.url)
    await made.publish(3)
    await server.stop()
    const refusal = made.engine.commit({ writes: [], events: [{ type: 'a', workspaceId: 'w', data: {} }] })
    await expect(refusal).rejects.toMatchObject({ code: 'not_accepted', retryAfterSeconds: 1 })
    await made.queue.start(made.engine)
    await until(() => made.log.messages.includes(REFUSED))
    await server.start()
    await receiver.arrived(3)
    await made.untilRows((rows) => rows.length === 0)
    expect(receiver.requests).toHaveLength(3)
  })
})
