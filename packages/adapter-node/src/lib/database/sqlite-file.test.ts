import { readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { createEngine, newEventId } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { DurableEventQueue, createUndiciSender, migrate, openSqlite } from '../../index.ts'
import { TEST_KEYS } from '../../../test/keys.ts'
import { LOOPBACK, PATIENCE_MS, keptLog, temporaryFile, until } from '../../../test/rig.ts'

async function start(file = temporaryFile()) {
  const db = openSqlite(file)
  await migrate(db)
  const log = keptLog()
  const sender = createUndiciSender({ urlPolicy: LOOPBACK })
  const queue = new DurableEventQueue({ db, pollMs: 60_000 })
  const engine = createEngine({ db, queue, sender, secrets: TEST_KEYS, logger: log })
  onTestFinished(async () => {
    await queue.stop({ drainMs: 0 })
    await sender.close()
    db.close()
  })
  const stopped = () => log.messages.some((message) => message.startsWith('deliveries have stopped'))
  const publish = (text = '') => {
    const event = () => ({ id: newEventId(), type: 'a.b', workspaceId: 'w', data: { text } })
    return engine.commit({ writes: [], events: Array.from({ length: 50 }, event) })
  }
  return { file, db, queue, engine, log, stopped, publish }
}

describe('a file that changes under the process', { timeout: PATIENCE_MS }, () => {
  it.each([
    ['was replaced', (file: string) => renameSync(copyOf(file), file)],
    ['was removed', (file: string) => rmSync(file)],
    ['lost its write-ahead log', (file: string) => rmSync(`${file}-wal`)],
  ])('and %s stops an idle poller with a log line; commits are refused', async (_how, change) => {
    const { file, queue, engine, log, stopped, publish } = await start()
    await engine.endpoints.create('w', { url: 'http://127.0.0.1:1/' })
    await queue.start(engine)
    await publish()
    change(file)
    await until(stopped)
    expect(log.fields).toContainEqual(
      expect.objectContaining({ code: 'storage_unsafe', error: expect.stringContaining('replaced or removed') }),
    )
    await expect(publish()).rejects.toMatchObject({ code: 'not_accepted' })
  })

  it('is refused in the first commit a second later by a process that only publishes', async () => {
    const { file, engine, publish } = await start()
    await engine.endpoints.create('w', { url: 'http://127.0.0.1:1/' })
    renameSync(copyOf(file), file)
    await new Promise((resolve) => setTimeout(resolve, 1100))
    await expect(publish()).rejects.toMatchObject({ code: 'not_accepted' })
  })

  it('and is damaged stops the poller, which would only retry forever', async () => {
    const file = temporaryFile()
    const before = openSqlite(file)
    await migrate(before)
    const root = before.connection.prepare("select rootpage from sqlite_schema where name = 'pending_events_ready'")
    const page = Number(root.pluck().get())
    before.close()
    writeFileSync(file, readFileSync(file).fill(0xff, (page - 1) * 4096, page * 4096))

    const { queue, engine, log, stopped } = await start(file)
    await queue.start(engine)
    await until(stopped)
    expect(log.fields).toContainEqual(expect.objectContaining({ code: 'storage_unsafe' }))
    expect(log.messages).not.toContain('database error; retrying')
  })
})

describe('a database file', () => {
  it('is readable only by its owner, and so are the files that SQLite creates beside it', async () => {
    const { file } = await start()
    const modes = ['', '-wal', '-shm'].map((end) => (statSync(`${file}${end}`).mode & 0o777).toString(8))
    expect(modes).toEqual(['600', '600', '600'])
  })

  it('retains its mode if it exists already', () => {
    const file = temporaryFile()
    writeFileSync(file, '', { mode: 0o640 })
    const db = openSqlite(file)
    onTestFinished(() => db.close())
    expect(statSync(file).mode & 0o777).toBe(0o640)
  })

  it('overwrites deleted rows', () => {
    const db = openSqlite(temporaryFile())
    onTestFinished(() => db.close())
    expect(db.connection.pragma('secure_delete', { simple: true })).toBe(1)
  })

  it('has a log that shrinks after a long read, by maintenance or by writes', async () => {
    const { file, engine, publish } = await start()
    const size = () => statSync(`${file}-wal`).size
    const LIMIT = 16 * 1024 * 1024
    await engine.endpoints.create('w', { url: 'http://127.0.0.1:1/' })
    for (const end of ['by maintenance', 'by writing']) {
      const reader = new Database(file, { readonly: true })
      reader.exec('begin')
      reader.prepare('select count(*) from pending_events').get()
      while (size() <= 2 * LIMIT) await publish('x'.repeat(20_000))
      reader.exec('commit')
      reader.close()
      if (end === 'by maintenance') await engine.worker.maintain()
      else for (let n = 0; n < 3; n++) await publish()
      expect(size(), end).toBeLessThanOrEqual(LIMIT)
    }
  })
})

function copyOf(file: string): string {
  const copy = `${file}.copy`
  const connection = new Database(file)
  connection.exec(`vacuum into '${copy}'`)
  connection.close()
  return copy
}
