import { cpSync, existsSync, realpathSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createEngine } from '@keepsend/engine'
import { DurableEventQueue, type SqliteDriver, createUndiciSender, migrate, openSqlite } from '../../index.ts'
import { TEST_KEYS } from '../../../test/keys.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { LOOPBACK, PATIENCE_MS, keptLog, temporaryFile, until } from '../../../test/rig.ts'

/** Linux reports the open files of a process. Elsewhere only Keepsend's own handles are known. */
const TELLS = existsSync('/proc/self/maps')

/** Whether the file is refused because of that library; on other systems it is opened. */
function isRefusedFor(library: string, file: string, driver: SqliteDriver): boolean {
  const open = () => closing(openSqlite(file, { driver }))
  if (!TELLS) return Boolean(open())
  const message = expect.stringContaining(library) as string
  expect(open).toThrow(expect.objectContaining({ code: 'second_library', message }))
  return true
}

function closing<Closable extends { close(): unknown }>(one: Closable): Closable {
  onTestFinished(() => void one.close())
  return one
}

/** Another copy of better-sqlite3, like a second version in node_modules. */
function copyBetterSqlite(): { folder: string; Copy: typeof Database } {
  const require = createRequire(import.meta.url)
  const folder = join(realpathSync(dirname(temporaryFile())), 'better-sqlite3')
  cpSync(dirname(require.resolve('better-sqlite3/package.json')), folder, { recursive: true, dereference: true })
  return { folder, Copy: require(folder) as typeof Database }
}

describe('a file that another SQLite library of the process has open', () => {
  it('is refused with a solution: node:sqlite has opened it, and done nothing yet', () => {
    const file = temporaryFile()
    closing(new DatabaseSync(file))
    expect(isRefusedFor('node:sqlite', file, 'better-sqlite3')).toBe(true)
  })

  it('is refused: node:sqlite has written to it in WAL mode', () => {
    const file = temporaryFile()
    closing(new DatabaseSync(file)).exec('pragma journal_mode = WAL; create table theirs (id integer)')
    expect(isRefusedFor('node:sqlite', file, 'better-sqlite3')).toBe(true)
  })

  it('is refused: better-sqlite3 has it open, and Keepsend opens it with node:sqlite', () => {
    const file = temporaryFile()
    closing(new Database(file)).exec('create table theirs (id integer)')
    expect(isRefusedFor('better-sqlite3', file, 'node:sqlite')).toBe(true)
  })

  it('is refused: another copy of better-sqlite3 has it open', () => {
    const file = temporaryFile()
    const { folder, Copy } = copyBetterSqlite()
    closing(new Copy(file)).exec('create table theirs (id integer)')
    expect(isRefusedFor(folder, file, 'better-sqlite3')).toBe(true)
  })

  it('is refused on every system if Keepsend itself opened it with another driver', () => {
    const file = temporaryFile()
    closing(openSqlite(file))
    expect(() => openSqlite(file, { driver: 'node:sqlite' })).toThrow(
      expect.objectContaining({
        code: 'second_library',
        message: expect.stringMatching(/better-sqlite3.*corrupt the file; use one library for it/),
      }),
    )
    expect(closing(openSqlite(file)).connection.open).toBe(true)
  })
})

describe('several connections of one library', () => {
  it.each(['better-sqlite3', 'node:sqlite'] as const)(
    'are allowed, although another library is loaded: %s',
    async (driver) => {
      const file = temporaryFile()
      const Driver = driver === 'node:sqlite' ? DatabaseSync : Database
      // Loaded, and working on a file of its own.
      closing(driver === 'node:sqlite' ? new Database(temporaryFile()) : new DatabaseSync(temporaryFile()))
      const db = closing(openSqlite(file, { driver }))
      await migrate(db)
      const [second, third] = [closing(openSqlite(file, { driver })), closing(new Driver(file))]
      third.exec('create table theirs (id integer)')
      third.prepare('insert into theirs values (1)').run()
      const count = { sql: 'select count(*) as rows from theirs', params: [] }
      expect((await db.run(count)).rows).toEqual([{ rows: 1 }])
      expect((await second.run(count)).rows).toEqual([{ rows: 1 }])
      const version = db.version()
      // Long enough for the next check of the open files.
      await new Promise((resolve) => setTimeout(resolve, 1500))
      expect(db.version()).toBe(version)
      await db.run({ sql: 'insert into theirs values (2)', params: [] })
      expect((await closing(openSqlite(file, { driver })).run(count)).rows).toEqual([{ rows: 2 }])
    },
  )
})

describe('a second library that opens the file later', { timeout: PATIENCE_MS }, () => {
  it.runIf(TELLS)('stops deliveries with an error in the log, and commits are refused', async () => {
    const file = temporaryFile()
    const log = keptLog()
    const db = closing(openSqlite(file))
    await migrate(db)
    const sender = closing(createUndiciSender({ urlPolicy: LOOPBACK }))
    const queue = new DurableEventQueue({ db, pollMs: 60_000 })
    const engine = createEngine({ db, queue, sender, secrets: TEST_KEYS, logger: log })
    const receiver = await startReceiver()
    await engine.endpoints.create('w', { url: receiver.url })
    await queue.start(engine)
    await engine.publish({ type: 'a.b', workspaceId: 'w', data: {} })
    await receiver.arrived(1)

    const second = closing(new DatabaseSync(file))
    second.prepare('select count(*) from pending_events').get()
    await until(() => log.messages.some((message) => message.startsWith('deliveries have stopped')))
    expect(log.fields).toContainEqual(
      expect.objectContaining({ code: 'storage_unsafe', error: expect.stringContaining('second SQLite library') }),
    )
    await expect(engine.commit({ writes: [], events: [] })).resolves.toBeDefined()
    await expect(engine.endpoints.list('w', { limit: 1 })).rejects.toMatchObject({ code: 'storage_unsafe' })
    const event = { type: 'a.b', workspaceId: 'w', data: {} }
    await expect(engine.commit({ writes: [], events: [event] })).rejects.toMatchObject({
      code: 'not_accepted',
      status: 503,
    })
    await queue.stop()
  })
})
