import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { NodeAdapterError, migrate, openSqlite } from '../../index.ts'
import { PATIENCE_MS, rig, temporaryFile } from '../../../test/rig.ts'
import { startWorker } from '../../../test/worker.ts'

function open(...args: Parameters<typeof openSqlite>) {
  const db = openSqlite(...args)
  onTestFinished(() => db.close())
  return db
}

const FULL = 2
const NORMAL = 1

describe('openSqlite', () => {
  it('opens in WAL mode, without a busy time-out in SQLite, and with foreign keys enforced', () => {
    const { connection } = open(temporaryFile())
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(connection.pragma('busy_timeout', { simple: true })).toBe(5)
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1)
  })

  it('sets synchronous to FULL, which holds after the first write', () => {
    const { connection } = open(temporaryFile())
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
    connection.exec('create table things (id integer)')
    connection.exec('insert into things values (1)')
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
  })

  it('control: a plain connection in WAL mode falls back to NORMAL at its first write', () => {
    const connection = new Database(temporaryFile())
    onTestFinished(() => void connection.close())
    connection.pragma('journal_mode = WAL')
    connection.exec('create table things (id integer)')
    expect(connection.pragma('synchronous', { simple: true })).toBe(NORMAL)
  })

  it('opens an existing file as FULL too, and retains its user_version', () => {
    const file = temporaryFile()
    const before = new Database(file)
    before.pragma('journal_mode = WAL')
    before.pragma('user_version = 7')
    before.close()
    const { connection } = open(file)
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
    expect(connection.pragma('user_version', { simple: true })).toBe(7)
  })

  it('accepts NORMAL and another busy time-out', async () => {
    const file = temporaryFile()
    const db = open(file, { synchronous: 'NORMAL', busyTimeoutMs: 20 })
    expect(db.connection.pragma('synchronous', { simple: true })).toBe(NORMAL)
    const other = new Database(file)
    onTestFinished(() => void other.close())
    other.exec('begin immediate')
    await expect(db.run({ sql: 'create table things (id integer)', params: [] })).rejects.toMatchObject({
      code: 'not_accepted',
    })
  })

  it('does not wait for locks: settings that another connection blocks are applied before the first statement', async () => {
    const file = temporaryFile()
    const other = new Database(file)
    onTestFinished(() => void other.close())
    other.exec('create table theirs (id integer); begin immediate; insert into theirs values (1)')
    const db = open(file)
    const read = db.run({ sql: 'select id from theirs', params: [] })
    setTimeout(() => other.exec('commit'), 20)
    expect((await read).rows).toEqual([{ id: 1 }])
    expect(db.connection.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(db.connection.pragma('synchronous', { simple: true })).toBe(FULL)
  })

  it('does the same with node:sqlite: WAL, FULL, private, and no busy time-out in SQLite', async () => {
    const file = temporaryFile()
    const db = openSqlite<DatabaseSync>(file, { driver: 'node:sqlite' })
    onTestFinished(() => db.close())
    await migrate(db)
    const pragmas = ['journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys', 'secure_delete']
    const values = pragmas.map((name) => Object.values(db.connection.prepare(`pragma ${name}`).get() ?? {})[0])
    expect(values).toEqual(['wal', FULL, 5, 1, 1])
  })

  it('opens :memory: too', async () => {
    const db = open(':memory:')
    expect((await migrate(db)).length).toBeGreaterThan(0)
  })

  it.each([
    [{ busyTimeoutMs: -1 }, 'busyTimeoutMs must be a whole number from 0 to 60000; found -1'],
    [{ busyTimeoutMs: 60_001 }, 'busyTimeoutMs must be a whole number from 0 to 60000; found 60001'],
    [{ busyTimeoutMs: 0.5 }, 'busyTimeoutMs must be a whole number from 0 to 60000; found 0.5'],
    [{ synchronous: 'OFF' as 'FULL' }, 'synchronous must be FULL or NORMAL; found OFF'],
    [{ driver: 'sqlite3' as 'node:sqlite' }, 'driver must be better-sqlite3 or node:sqlite; found sqlite3'],
  ])('%j is refused, naming option, expectation and value', (options, message) => {
    const refused = () => openSqlite(temporaryFile(), options)
    expect(refused).toThrow(message)
    expect(refused).toThrow(NodeAdapterError)
  })
})

describe('several processes', { timeout: PATIENCE_MS }, () => {
  it('open a new file concurrently, each as FULL', async () => {
    const children = Array.from({ length: 4 }, () =>
      fork(new URL('../../../test/open-process.ts', import.meta.url), { execArgv: ['--conditions=@keepsend/source'] }),
    )
    onTestFinished(() => children.forEach((child) => child.kill('SIGKILL')))
    const answers = () => Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])))
    await answers()
    // Without a wait for the switch to WAL, 3 of 100 of these failed because the file was locked.
    const folder = temporaryFile()
    for (let round = 0; round < 100; round++) {
      const file = `${folder}-${round}`
      const opened = answers()
      children.forEach((child) => child.send(file))
      expect(await opened).toEqual(children.map(() => `opened with ${FULL}`))
    }
  })

  it("change version() by each other's commits, and not by their own", async () => {
    const { db, file, addEndpoint, publish } = await rig()
    const before = db.version()
    await addEndpoint('http://127.0.0.1:9/')
    await publish(1)
    expect(db.version()).toBe(before)

    const other = await startWorker({ file })
    await other.publish(1)
    expect(db.version()).not.toBe(before)
    await other.stop()
  })
})
