import { TEST_KEYS } from './keys.ts'
import { completeEvent } from '@keepsend/outbox'
import { pendingEvents, sqlText } from '@keepsend/outbox/internal'
import pg from 'pg'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createSchema } from '../../../test/postgres/schema.ts'
import { DurableEventQueue, createNodeServer, openPostgres } from '../src/index.ts'
import { type PostgresRig, postgresRig } from './postgres-rig.ts'
import { copies, startReceiver } from './receiver.ts'
import { LOOPBACK, PATIENCE_MS, type StandingRow, delivered, standingRows, until } from './rig.ts'
import { startWorker } from './worker.ts'

/** The test's own connection to the URL. */
async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client(url)
  await client.connect()
  onTestFinished(() => client.end())
  return client
}

/** Records each row as it is when its delivery deletes it; the function reads them. */
async function recordDeletedRows({ url, db }: PostgresRig): Promise<() => Promise<StandingRow[]>> {
  const client = await connect(url)
  await client.query(`
    create table deleted_events (like pending_events);
    create function record_deleted() returns trigger language plpgsql as $$
      begin
        insert into deleted_events select old.*;
        return old;
      end $$;
    create trigger record_deleted before delete on pending_events for each row execute function record_deleted()`)
  const all = sqlText`select ${pendingEvents.all} from deleted_events order by id`
  return async () => standingRows((await db.run(all)).rows)
}

describe('on Postgres', { timeout: PATIENCE_MS }, () => {
  it('createNodeServer publishes, delivers signed and shows the delivery as completed', async () => {
    const schema = await createSchema()
    onTestFinished(() => schema.drop())
    const receiver = await startReceiver()
    const server = await createNodeServer({
      postgres: schema.url,
      port: 0,
      signals: false,
      secrets: TEST_KEYS,
      engine: { urlPolicy: LOOPBACK },
    })
    const { secret } = await server.engine.endpoints.create('w', { url: receiver.url })
    const { key } = await server.engine.apiKeys.create({ workspaceId: 'w' })
    const response = await fetch(`${server.url}/webhooks/events`, {
      method: 'POST',
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      body: '{"type":"message.created","data":{"text":"hello"}}',
    })
    expect(response.status).toBe(202)
    await receiver.arrived(1)
    receiver.verifyAll(secret)
    await expect.poll(() => delivered(server.engine), { timeout: PATIENCE_MS }).toBe(1)
    await Promise.all([server.stop(), server.stop()])
  })

  it('refuses an option out of bounds by name, and another kind of URL', async () => {
    const url = 'postgres://localhost/x'
    for (const [option, value] of [
      ['max', 1],
      ['statementTimeoutMs', -1],
      ['lockTimeoutMs', 60_001],
      ['connectTimeoutMs', 1],
    ] as const) {
      await expect(openPostgres({ url, [option]: value })).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining(option) as string,
      })
    }
    await expect(openPostgres('app.db')).rejects.toMatchObject({ code: 'invalid_option' })
  })
})

// The safety poll comes after a minute, longer than any of these tests waits, except the one that says so.
describe('a poller on Postgres looks again', { timeout: PATIENCE_MS - 5000 }, () => {
  it("on another process's commit, by LISTEN", async () => {
    const receiver = await startReceiver()
    const { engine, url, queue, untilRows, addEndpoint } = await postgresRig()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const other = await startWorker({ postgres: url })
    for (let round = 1; round <= 3; round++) {
      await other.publish(2)
      await receiver.arrived(round * 2)
      await untilRows((rows) => rows.length === 0)
    }
    expect(receiver.requests).toHaveLength(6)
    await other.stop()
  })

  it('also after another queue on the handle has stopped, and no connection listens once both have', async () => {
    const receiver = await startReceiver()
    const { engine, db, url, queue, untilRows, addEndpoint } = await postgresRig()
    await addEndpoint(receiver.url)
    const second = new DurableEventQueue({ db, pollMs: 60_000 })
    onTestFinished(() => second.stop({ drainMs: 0 }))
    await second.start(engine)
    await queue.start(engine)
    const mine = await connect(url)
    const listeners = `select pid from pg_stat_activity
      where application_name = 'keepsend listen' and query like '%' || current_schema || '%'`
    const listening = async () => (await mine.query(listeners)).rows.length
    await expect.poll(listening, { timeout: PATIENCE_MS }).toBe(1)
    await queue.stop()
    await queue.stop()
    const other = await startWorker({ postgres: url })
    await other.publish(1)
    await receiver.arrived(1)
    await untilRows((rows) => rows.length === 0)
    await second.stop()
    await expect.poll(listening, { timeout: PATIENCE_MS }).toBe(0)
    await other.stop()
  })

  it('also after the LISTEN connection was lost: it is reopened, and the loss logged', async () => {
    const receiver = await startReceiver()
    const { engine, db, url, queue, log, untilRows, addEndpoint } = await postgresRig()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const other = await startWorker({ postgres: url })
    const mine = await connect(url)
    const listeners = `select pid from pg_stat_activity
      where application_name = 'keepsend listen' and query like '%' || current_schema || '%'`
    const listening = async () => (await mine.query(listeners)).rows.length
    await expect.poll(listening, { timeout: PATIENCE_MS }).toBe(1)
    const before = db.version()
    await mine.query(`select pg_terminate_backend(pid) from (${listeners}) as theirs`)
    await until(() => log.messages.includes('LISTEN connection lost; falling back to polling'))
    await until(() => db.version() > before)
    await other.publish(1)
    await receiver.arrived(1)
    await untilRows((rows) => rows.length === 0)
    expect(await listening()).toBe(1)
    await other.stop()
  })

  it('by polling alone without LISTEN', async () => {
    const receiver = await startReceiver()
    const { engine, url, queue, untilRows, addEndpoint } = await postgresRig({
      database: { listen: false },
      queue: { pollMs: 100 },
    })
    await addEndpoint(receiver.url)
    await queue.start(engine)
    const other = await startWorker({ postgres: url })
    await other.publish(3)
    await receiver.arrived(3)
    await untilRows((rows) => rows.length === 0)
    expect(receiver.requests).toHaveLength(3)
    await other.stop()
  })

  it('for a burst of commits after few notifications, none of them in a commit itself', async () => {
    const { engine, url, queue, addEndpoint } = await postgresRig()
    await addEndpoint('http://127.0.0.1:9/')
    const heard: string[] = []
    const ear = await connect(url)
    ear.on('notification', ({ payload }) => heard.push(payload ?? ''))
    await ear.query(
      `listen ${(await ear.query("select quote_ident('keepsend_' || current_schema) as name")).rows[0].name}`,
    )
    const event = { type: 'a', workspaceId: 'w', data: {} }
    for (let n = 0; n < 100; n++) await engine.publish(event)
    await until(() => heard.length > 0)
    expect(heard.length).toBeLessThan(50)
    await queue.stop()
  })
})

describe('several processes on one Postgres', { timeout: PATIENCE_MS }, () => {
  it('deliver each of 300 rows exactly once, and both take part', async () => {
    const WINDOW = 8
    const receiver = await startReceiver((request) => {
      // No response until both have `concurrency` requests in flight, so that neither does it alone.
      if (receiver.requests.length === 2 * WINDOW) receiver.requests.forEach((earlier) => earlier.answer())
      else if (receiver.requests.length > 2 * WINDOW) request.answer()
    })
    const { engine, url, queue, untilRows, addEndpoint, publish } = await postgresRig({
      queue: { concurrency: WINDOW, leaseMs: 40_000 },
      engine: { userAgent: 'here', deadlineMs: 30_000, maxDeadlineMs: 30_000 },
    })
    const { secret } = await addEndpoint(receiver.url, { deadlineMs: 30_000 })
    const worker = await startWorker({ postgres: url, queue: { concurrency: WINDOW }, userAgent: 'there' })
    const ids = await publish(300)
    await queue.start(engine)
    await receiver.arrived(300)
    await untilRows((rows) => rows.length === 0)
    expect(receiver.requests.map(({ id }) => id).sort()).toEqual(ids.sort())
    receiver.verifyAll(secret)
    await worker.stop()
  })

  it('take over the rows of a killed one when its leases expire, and go on meanwhile', async () => {
    const receiver = await startReceiver((request) => {
      // The dying one has all slots in use and gets no response.
      if (request.headers['user-agent'] !== 'dying') request.answer()
    })
    const made = await postgresRig()
    const { engine, url, queue, rows, untilRows, addEndpoint, publish } = made
    const deletedRows = await recordDeletedRows(made)
    await addEndpoint(receiver.url)
    const worker = await startWorker({
      postgres: url,
      queue: { concurrency: 4 },
      userAgent: 'dying',
    })
    const [first] = [await publish(4)]
    await receiver.arrived(4)
    worker.kill('SIGKILL')
    await worker.exited
    const orphans = (await rows()).filter(({ claimedAt }) => claimedAt !== null)
    expect(orphans.map(({ id }) => id.slice(0, 40)).sort()).toEqual(first.toSorted())

    await queue.start(engine)
    const second = await publish(20)
    await receiver.arrived(24)
    // All rows of the second arrive before the leases of the first expire.
    const meanwhile = receiver.requests.slice(4, 24).map(({ id }) => id)
    expect(meanwhile.sort()).toEqual(second.toSorted())
    await untilRows((all) => all.length === 0)
    expect(new Set(receiver.requests.map(({ id }) => id))).toEqual(new Set([...first, ...second]))
    const marked = (await deletedRows()).filter(({ crashes }) => crashes > 0)
    expect(marked.map(({ id }) => id)).toEqual(orphans.map(({ id }) => id))
    expect(Math.max(...copies(receiver.requests))).toBe(2)
  })

  it("reject the settle of one that was frozen past its lease, and accept the other's", async () => {
    const receiver = await startReceiver((request) => {
      if (request.headers['user-agent'] !== 'frozen') request.answer()
    })
    const made = await postgresRig()
    const { engine, url, queue, db, rows, untilRows, addEndpoint, publish } = made
    const deletedRows = await recordDeletedRows(made)
    await addEndpoint(receiver.url)
    const worker = await startWorker({ postgres: url, queue: {}, userAgent: 'frozen' })
    await publish(1)
    await receiver.arrived(1)
    worker.kill('SIGSTOP')
    const [claimed] = await rows()
    expect(claimed).toMatchObject({ status: 'pending', moves: 1, attempts: 1 })
    // The lease expires, because it is not renewed.
    await queue.start(engine)
    await untilRows((all) => all.length === 0)
    const after = await deletedRows()
    expect(after).toMatchObject([{ moves: 2, attempts: 1, crashes: 1 }])

    // The response to the first attempt lies in the worker's socket when it continues.
    receiver.requests[0]?.answer()
    worker.kill('SIGCONT')
    await worker.logged('settle rejected: lease lost, another worker owns the delivery')
    expect([await rows(), await deletedRows()]).toEqual([[], after])
    expect(await completeEvent(db, { id: claimed?.id ?? '', gen: claimed?.gen ?? 0 })).toBe('lost')
    expect(receiver.requests).toHaveLength(2)
    await worker.stop()
  })
})
