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
  it('opens in WAL mode, waiting for other writers outside of SQLite, and foreign keys enforced', () => {
    const { connection } = open(temporaryFile())
    expect(connection.pragma('journal_mode', { simple: true })).toBe('wal')
    expect(connection.pragma('busy_timeout', { simple: true })).toBe(5)
    expect(connection.pragma('foreign_keys', { simple: true })).toBe(1)
  })

  it('every commit is on the disk: synchronous is FULL, and still is after the first write', () => {
    const { connection } = open(temporaryFile())
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
    connection.exec('create table things (id integer)')
    connection.exec('insert into things values (1)')
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
  })

  it('the control: a plain connection in WAL mode has fallen back to NORMAL by its first write', () => {
    const connection = new Database(temporaryFile())
    onTestFinished(() => void connection.close())
    connection.pragma('journal_mode = WAL')
    connection.exec('create table things (id integer)')
    expect(connection.pragma('synchronous', { simple: true })).toBe(NORMAL)
  })

  it('a file that was made before opens FULL as well, its user_version as it was', () => {
    const file = temporaryFile()
    const before = new Database(file)
    before.pragma('journal_mode = WAL')
    before.pragma('user_version = 7')
    before.close()
    const { connection } = open(file)
    expect(connection.pragma('synchronous', { simple: true })).toBe(FULL)
    expect(connection.pragma('user_version', { simple: true })).toBe(7)
  })

  it('NORMAL and another patience are options', async () => {
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

  it('waits for nobody: what another connection of the process keeps from it is set up before the first statement', async () => {
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

  it('by node:sqlite it is the same: WAL, FULL, private, and no patience inside SQLite', async () => {
    const file = temporaryFile()
    const db = openSqlite<DatabaseSync>(file, { driver: 'node:sqlite' })
    onTestFinished(() => db.close())
    await migrate(db)
    const pragmas = ['journal_mode', 'synchronous', 'busy_timeout', 'foreign_keys', 'secure_delete']
    const values = pragmas.map((name) => Object.values(db.connection.prepare(`pragma ${name}`).get() ?? {})[0])
    expect(values).toEqual(['wal', FULL, 5, 1, 1])
  })

  it(':memory: opens too', async () => {
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
  it('a new file that four open at the same moment is opened by each, FULL, again and again', async () => {
    const children = Array.from({ length: 4 }, () =>
      fork(new URL('../../../test/open-process.ts', import.meta.url), { execArgv: ['--conditions=@keepsend/source'] }),
    )
    onTestFinished(() => children.forEach((child) => child.kill('SIGKILL')))
    const answers = () => Promise.all(children.map(async (child) => String((await once(child, 'message'))[0])))
    await answers()
    // Without patience for the switch to WAL, 3 of 100 of these were told that the file is locked.
    const folder = temporaryFile()
    for (let round = 0; round < 100; round++) {
      const file = `${folder}-${round}`
      const opened = answers()
      children.forEach((child) => child.send(file))
      expect(await opened).toEqual(children.map(() => `opened with ${FULL}`))
    }
  })

  it("version() changes by another process's commit, and not by one's own", async () => {
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
