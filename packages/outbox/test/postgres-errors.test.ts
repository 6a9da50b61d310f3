import { type AddressInfo, createServer } from 'node:net'
import type pg from 'pg'
import { describe, expect, it } from 'vitest'
import { type OutboxDatabase, OutboxError, claimDueEvents, enqueueEvent, enqueueEventStatement } from '../src/index.ts'
import { sqlText } from '../src/internal.ts'
import { closedGate } from './gate.ts'
import { DRIVERS, DRIVER_NAMES, event, open } from './postgres.ts'

const rowsOf = async (host: pg.Pool) => (await host.query('select id from pending_events')).rows.length

/**
 * Expects later statements to succeed after a connection was lost. postgres.js may reject the next statement, which it
 * never sent, with the old error once more; that rejection is also correct: not accepted, or unconfirmed.
 */
async function expectServesAgain(db: OutboxDatabase): Promise<void> {
  for (let refused = 0; ; refused++) {
    try {
      expect(await enqueueEvent(db, event())).toMatchObject({ result: 'inserted' })
      return
    } catch (error) {
      if (!(error instanceof OutboxError) || refused === 1) throw error
    }
  }
}

const BYSTANDER = { sql: 'create table bystander (id text primary key)', params: [] }
const die = { sql: 'select pg_terminate_backend(pg_backend_pid())', params: [] }

/** A server that accepts everybody and ends the connection in the same packet: "ready", followed by FATAL. */
async function startShuttingDown(): Promise<{ url: string; connections: () => number; stop: () => Promise<void> }> {
  const message = (type: string, body: Buffer) => {
    const length = Buffer.alloc(4)
    length.writeInt32BE(body.length + 4)
    return Buffer.concat([Buffer.from(type), length, body])
  }
  const fatal = 'SFATAL\0VFATAL\0C57P01\0Mterminating connection due to administrator command\0\0'
  const packet = Buffer.concat([
    message('R', Buffer.alloc(4)),
    message('Z', Buffer.from('I')),
    message('E', Buffer.from(fatal)),
  ])
  let connections = 0
  const server = createServer((socket) => {
    connections++
    socket.on('error', () => undefined)
    socket.once('data', () => socket.end(packet))
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `postgres://nobody@127.0.0.1:${(server.address() as AddressInfo).port}/none`,
    connections: () => connections,
    stop: () => new Promise((resolve) => void server.close(() => resolve())),
  }
}

it('a connection that ends as soon as it is ready rejects its statement, and does not end the process', async () => {
  const server = await startShuttingDown()
  const { db, end } = DRIVERS.pg(server.url, 2)
  const answers = await Promise.allSettled(Array.from({ length: 20 }, () => enqueueEvent(db, event())))
  const codes = answers.map((answer) =>
    answer.status === 'rejected' ? (answer.reason as OutboxError).code : 'inserted',
  )
  expect(codes.filter((code) => code !== 'not_accepted' && code !== 'commit_unconfirmed')).toEqual([])
  expect(server.connections()).toBeGreaterThan(0)
  await end()
  await server.stop()
})

describe.each(DRIVER_NAMES)('errors of Postgres, by %s', (driver) => {
  it('rejects with not_accepted if no server listens', async () => {
    const { db, end } = DRIVERS[driver]('postgres://postgres@127.0.0.1:1/postgres', 1)
    await expect(enqueueEvent(db, event())).rejects.toMatchObject({ code: 'not_accepted' })
    await expect(db.atomic([enqueueEventStatement(event()), die])).rejects.toMatchObject({ code: 'not_accepted' })
    await end()
  })

  it('rejects with not_accepted if the database does not exist or the login fails', async () => {
    const { schema } = await open(driver)
    const url = new URL(schema.url)
    url.pathname = '/nowhere'
    const { db, end } = DRIVERS[driver](url.href, 1)
    await expect(enqueueEvent(db, event())).rejects.toMatchObject({ code: 'not_accepted' })
    await end()
  })

  it('rejects with not_accepted after statement_timeout, and the connection remains usable', async () => {
    const { schema, host } = await open(driver)
    // Time enough for what postgres.js asks of its own when it connects: it rejects nothing when that fails.
    const { db, end } = DRIVERS[driver](`${schema.url}%20-c%20statement_timeout=2000`, 1)
    await expect(db.run({ sql: 'select pg_sleep(10)', params: [] })).rejects.toMatchObject({ code: 'not_accepted' })
    const unit = db.atomic([enqueueEventStatement(event()), { sql: 'select pg_sleep(10)', params: [] }])
    await expect(unit).rejects.toMatchObject({ code: 'not_accepted' })
    expect(await rowsOf(host)).toBe(0)
    expect(await enqueueEvent(db, event())).toMatchObject({ result: 'inserted' })
    await end()
  })

  it('rejects with not_accepted if the server became read-only', async () => {
    const { schema, host } = await open(driver)
    const { db, end } = DRIVERS[driver](`${schema.url}%20-c%20default_transaction_read_only=on`, 1)
    await expect(enqueueEvent(db, event())).rejects.toMatchObject({ code: 'not_accepted' })
    await expect(claimDueEvents(db, { limit: 1 })).rejects.toMatchObject({ code: 'not_accepted' })
    await expect(db.atomic([enqueueEventStatement(event()), die])).rejects.toMatchObject({ code: 'not_accepted' })
    expect(await rowsOf(host)).toBe(0)
    await end()
  })

  it('rejects with not_accepted if the connection ends before COMMIT, and opens a new one for the next transaction', async () => {
    const { db, host } = await open(driver, { max: 1 })
    await expect(db.atomic([enqueueEventStatement(event()), die])).rejects.toMatchObject({ code: 'not_accepted' })
    expect(await rowsOf(host)).toBe(0)
    await expectServesAgain(db)
  })

  it('rejects with commit_unconfirmed if the connection ends during COMMIT', async () => {
    const { db, host } = await open(driver, { max: 1 })
    await host.query(`
      create table kept (id text primary key);
      create function die() returns trigger language plpgsql as 'begin perform pg_terminate_backend(pg_backend_pid()); return null; end';
      create constraint trigger at_commit after insert on kept deferrable initially deferred for each row execute function die()`)
    const unit = db.atomic([sqlText`insert into kept values (${'a'})`, enqueueEventStatement(event())])
    await expect(unit).rejects.toMatchObject({ code: 'commit_unconfirmed' })
    await expectServesAgain(db)
  })

  it('rejects with commit_unconfirmed if the connection of a single statement ends', async () => {
    const { db } = await open(driver, { max: 1 })
    await expect(db.run(die)).rejects.toMatchObject({ code: 'commit_unconfirmed' })
    await expectServesAgain(db)
  })

  it('rejects one of two deadlocked transactions with not_accepted, and commits the other', async () => {
    const { db, host } = await open(driver)
    await db.run(BYSTANDER)
    await host.query("insert into bystander values ('a'), ('b')")
    const take = (id: string) => sqlText`update bystander set id = id where id = ${id}`
    // Each locks its first row, waits at the gate until both have, and meets the other at the second.
    const gate = await closedGate(host)
    const pass = { sql: `select ${gate.pass}`, params: [] }
    const units = Promise.allSettled([db.atomic([take('a'), pass, take('b')]), db.atomic([take('b'), pass, take('a')])])
    await gate.waiting(2)
    await gate.open()
    const results = await units
    const refused = results.filter((one) => one.status === 'rejected')
    expect(refused.map(({ reason }) => (reason as OutboxError).code)).toEqual(['not_accepted'])
  })

  it("rejects a broken constraint with the driver's error, at the statement and at the commit, and commits nothing", async () => {
    const { db, host } = await open(driver, { max: 1 })
    await host.query(`
      create table parents (id text primary key);
      create table children (parent text references parents deferrable initially deferred)`)
    const orphan = sqlText`insert into children values (${'nobody'})`
    const unit = db.atomic([orphan, enqueueEventStatement(event())])
    await expect(unit).rejects.toMatchObject({ code: '23503' })
    await expect(db.run(orphan)).rejects.toMatchObject({ code: '23503' })
    await expect(unit).rejects.not.toBeInstanceOf(OutboxError)
    expect(await rowsOf(host)).toBe(0)
    expect(await enqueueEvent(db, event())).toMatchObject({ result: 'inserted' })
  })
})
