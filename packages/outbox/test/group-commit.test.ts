import { readFileSync, writeFileSync } from 'node:fs'
import Database from 'better-sqlite3'
import { describe, expect, it } from 'vitest'
import { OutboxError, type Statement, enqueueEvent, migrateOutbox, newEventId } from '../src/index.ts'
import { sqlText } from '../src/internal.ts'
import { type SqliteConnection, fromBetterSqlite } from '../src/sqlite.ts'
import { openFile, temporaryFolder } from './open.ts'

const SCHEMA = `
  create table kept (name text not null primary key);
  create table parents (id integer primary key);
  create table children (parent integer references parents (id) deferrable initially deferred);
  create trigger burn before insert on kept when new.name = 'burn' begin select raise(rollback, 'burnt'); end;
`

const keep = (name: string | null): Statement => sqlText`insert into kept (name) values (${name})`
const orphan = sqlText`insert into children (parent) values (42)`

/** The connection, which records each statement as it runs; the disk fails at the one given. */
function watched(connection: Database.Database, fails?: string): { connection: SqliteConnection; log: string[] } {
  const log: string[] = []
  return {
    log,
    connection: {
      get inTransaction() {
        return connection.inTransaction
      },
      prepare(sql) {
        const statement = connection.prepare(sql)
        const noted = <Result>(result: () => Result): Result => {
          log.push(sql.trim())
          if (sql === fails) throw Object.assign(new Error('disk I/O error'), { code: 'SQLITE_IOERR' })
          return result()
        }
        return {
          reader: statement.reader,
          readonly: statement.readonly,
          all: (...params) => noted(() => statement.all(...params)),
          run: (...params) => noted(() => statement.run(...params)),
        }
      },
    },
  }
}

function open() {
  const connection = new Database(':memory:')
  connection.pragma('foreign_keys = on')
  connection.exec(SCHEMA)
  const { connection: noting, log } = watched(connection)
  const names = () => connection.prepare('select name from kept order by name').pluck().all()
  const times = (sql: string) => log.filter((entry) => entry === sql).length
  return { connection, db: fromBetterSqlite(noting), log, names, times }
}

/** The result for each caller: `ok`, or the code of the error. */
async function resultsOf(answers: Promise<unknown>[]): Promise<string[]> {
  const settled = await Promise.allSettled(answers)
  return settled.map((one) => (one.status === 'fulfilled' ? 'ok' : String((one.reason as { code?: string }).code)))
}

describe('group commit', () => {
  it('gives callers of one event-loop tick one commit', async () => {
    const { db, names, times } = open()
    expect(new Set(await resultsOf(Array.from({ length: 100 }, (_, n) => db.run(keep(`n${n}`)))))).toEqual(
      new Set(['ok']),
    )
    expect(names()).toHaveLength(100)
    expect([times('begin immediate'), times('commit')]).toEqual([1, 1])
  })

  it('gives a caller of a later tick a commit of its own', async () => {
    const { db, times } = open()
    await db.run(keep('a'))
    await db.run(keep('b'))
    expect(times('commit')).toBe(2)
  })

  it('answers no caller before the shared commit has returned', async () => {
    const { db, log } = open()
    await Promise.all(['a', 'b', 'c'].map((name) => db.run(keep(name)).then(() => log.push(`answered ${name}`))))
    expect(log.slice(log.indexOf('commit'))).toEqual(['commit', 'answered a', 'answered b', 'answered c'])
  })

  it('lets the opener choose when a group is closed', async () => {
    const { connection, names } = open()
    const flushes: (() => void)[] = []
    const db = fromBetterSqlite(connection, { defer: (flush) => void flushes.push(flush) })
    const answers = [db.run(keep('a')), db.atomic([keep('b'), keep('c')])]
    await Promise.resolve()
    expect([flushes.length, names()]).toEqual([1, []])
    flushes[0]?.()
    expect(names()).toEqual(['a', 'b', 'c'])
    await Promise.all(answers)
  })

  it('splits more than 512 callers into several commits, and answers each', async () => {
    const { db, names, times } = open()
    await Promise.all(Array.from({ length: 1300 }, (_, n) => db.run(keep(`n${n}`))))
    expect(names()).toHaveLength(1300)
    expect(times('commit')).toBe(3)
  })

  it("undoes only the caller whose write failed, and rejects with the driver's own error", async () => {
    const { db, names, times } = open()
    const answers = [
      db.run(keep('a')),
      db.atomic([keep('b'), keep('c'), keep('a')]),
      db.run(keep(null)),
      db.run(keep('d')),
    ]
    expect(await resultsOf(answers)).toEqual(['ok', 'SQLITE_CONSTRAINT_PRIMARYKEY', 'SQLITE_CONSTRAINT_NOTNULL', 'ok'])
    expect(names()).toEqual(['a', 'd'])
    expect(times('commit')).toBe(1)
  })

  it('undoes only the caller whose statement cannot be prepared', async () => {
    const { db, names } = open()
    const answers = [db.atomic([keep('a'), { sql: 'insert into nowhere values (1)', params: [] }]), db.run(keep('b'))]
    expect(await resultsOf(answers)).toEqual(['SQLITE_ERROR', 'ok'])
    expect(names()).toEqual(['b'])
  })

  it('uses no savepoint if no caller fails', async () => {
    const { db, log } = open()
    await Promise.all([db.run(keep('a')), db.atomic([keep('b'), keep('c')])])
    expect(log.filter((sql) => sql.includes('savepoint'))).toEqual([])
  })

  it('commits nothing if every caller fails', async () => {
    const { db, names, times, connection } = open()
    expect(await resultsOf([db.run(keep(null)), db.run(keep(null))])).toEqual(
      Array.from({ length: 2 }, () => 'SQLITE_CONSTRAINT_NOTNULL'),
    )
    expect([names(), times('commit'), connection.inTransaction]).toEqual([[], 0, false])
  })

  it('refuses the caller of a RAISE(ROLLBACK) with its own error, and commits the others without it', async () => {
    const { db, names, log, connection } = open()
    const answers = ['a', 'burn', 'c'].map((name) => db.run(keep(name)))
    expect(await resultsOf(answers)).toEqual(['ok', 'SQLITE_CONSTRAINT_TRIGGER', 'ok'])
    expect([names(), connection.inTransaction]).toEqual([['a', 'c'], false])
    // Once without and once with savepoints, both times up to the RAISE(ROLLBACK); then without that caller.
    expect(log.filter((sql) => sql.startsWith('insert'))).toHaveLength(6)
    await expect(answers[1]).rejects.toThrow(/burnt/)
    expect(await resultsOf([db.run(keep('later'))])).toEqual(['ok'])
    expect(names()).toEqual(['a', 'c', 'later'])
  })

  it('commits nothing of a lone caller after RAISE(ROLLBACK) in the middle of its statements', async () => {
    const { db, names } = open()
    expect(await resultsOf([db.atomic([keep('a'), keep('burn'), keep('c')])])).toEqual(['SQLITE_CONSTRAINT_TRIGGER'])
    expect(names()).toEqual([])
  })

  it('commits nothing of a failed caller that cannot be undone by itself, and commits the others', async () => {
    const { connection, names } = open()
    const broken = watched(connection, 'rollback to keepsend_unit')
    const db = fromBetterSqlite(broken.connection)
    const answers = [db.run(keep('a')), db.atomic([keep('b'), keep('a')]), db.run(keep('c'))]
    expect(await resultsOf(answers)).toEqual(['ok', 'SQLITE_CONSTRAINT_PRIMARYKEY', 'ok'])
    expect([names(), connection.inTransaction]).toEqual([['a', 'c'], false])
  })

  it('rejects every caller with commit_unconfirmed if the disk fails in the commit, and retries nothing', async () => {
    const { connection } = open()
    const { connection: broken, log } = watched(connection, 'commit')
    const db = fromBetterSqlite(broken)
    expect(await resultsOf([db.run(keep('a')), db.run(keep('b'))])).toEqual([
      'commit_unconfirmed',
      'commit_unconfirmed',
    ])
    expect(log.filter((sql) => sql.startsWith('insert'))).toHaveLength(2)
    expect(connection.inTransaction).toBe(false)
  })

  it('rejects every caller with not_accepted if the disk fails before the commit', async () => {
    const { connection } = open()
    const db = fromBetterSqlite(watched(connection, 'begin immediate').connection)
    expect(await resultsOf([db.run(keep('a')), db.run(keep('b'))])).toEqual(['not_accepted', 'not_accepted'])
  })

  it('distinguishes a damaged file from a storage that refuses for now', async () => {
    const folder = temporaryFolder()
    const path = folder.file('damaged.db')
    const before = openFile(path)
    before.exec("create table kept (name text not null primary key); insert into kept values ('a')")
    before.close()
    const bytes = readFileSync(path)
    // Every page but the first, which holds the schema.
    writeFileSync(path, bytes.fill(0xff, 4096))
    const connection = new Database(path)
    const db = fromBetterSqlite(connection)
    expect(await resultsOf([db.run({ sql: 'select * from kept', params: [] }), db.run(keep('b'))])).toEqual([
      'storage_unsafe',
      'storage_unsafe',
    ])
    connection.close()
    folder.remove()
  })

  it('runs each caller alone if a deferred foreign key fails at the commit, and refuses only the one that broke it', async () => {
    const { db, names, log, connection } = open()
    const answers = [db.run(keep('a')), db.atomic([keep('b'), orphan]), db.run(keep('c'))]
    expect(await resultsOf(answers)).toEqual(['ok', 'SQLITE_CONSTRAINT_FOREIGNKEY', 'ok'])
    expect([names(), connection.inTransaction]).toEqual([['a', 'c'], false])
    // Once in the group and once alone, three callers with four statements.
    expect(log.filter((sql) => sql.startsWith('insert'))).toHaveLength(8)
    expect(log.filter((sql) => sql === 'begin immediate')).toHaveLength(4)
  })

  it("refuses a lone caller's deferred foreign key without a second attempt", async () => {
    const { db, log, connection } = open()
    expect(await resultsOf([db.run(orphan)])).toEqual(['SQLITE_CONSTRAINT_FOREIGNKEY'])
    expect(log.filter((sql) => sql === 'begin immediate')).toHaveLength(1)
    expect(connection.inTransaction).toBe(false)
  })

  it('runs reads immediately and outside of transactions', async () => {
    const { db, log } = open()
    const from = log.length
    await db.run({ sql: 'select name from kept', params: [] })
    expect(log.slice(from)).toEqual(['select name from kept'])
  })

  it('begins every write immediate, so that another writer makes it wait and never fail halfway', async () => {
    const { db, log } = open()
    await db.run(keep('a'))
    await db.atomic([{ sql: 'select name from kept', params: [] }, keep('b')])
    await db.run({ sql: "insert into kept values ('c') returning name", params: [] })
    expect(log.filter((sql) => sql.startsWith('begin'))).toEqual(Array.from({ length: 3 }, () => 'begin immediate'))
  })

  it('rejects every caller with not_accepted if another connection writes for longer than the busy time-out', async () => {
    const folder = temporaryFolder()
    const connection = openFile(folder.file('busy.db'))
    const db = fromBetterSqlite(connection, { busyTimeoutMs: 1 })
    await migrateOutbox(db)
    const other = openFile(folder.file('busy.db'))
    other.exec('begin immediate')
    const event = () => ({ eventId: newEventId(), workspaceId: 'w', type: 't', payload: '' })
    const answers = [enqueueEvent(db, event()), enqueueEvent(db, event())]
    expect(await resultsOf(answers)).toEqual(['not_accepted', 'not_accepted'])
    await expect(answers[0]).rejects.toBeInstanceOf(OutboxError)
    other.exec('rollback')
    expect(await resultsOf([enqueueEvent(db, event())])).toEqual(['ok'])
    expect(connection.prepare('select count(*) from pending_events').pluck().get()).toBe(1)
    other.close()
    connection.close()
    folder.remove()
  })

  it('rejects every caller with not_accepted if the disk fills up, and leaves earlier rows', async () => {
    const connection = new Database(':memory:')
    const db = fromBetterSqlite(connection)
    await migrateOutbox(db)
    const pages = connection.pragma('page_count', { simple: true }) as number
    connection.pragma(`max_page_count = ${pages + 10}`)
    const event = (bytes: number) => ({
      eventId: newEventId(),
      workspaceId: 'w',
      type: 't',
      payload: 'x'.repeat(bytes),
    })
    expect(await resultsOf([enqueueEvent(db, event(10))])).toEqual(['ok'])
    const answers = [enqueueEvent(db, event(10)), enqueueEvent(db, event(200_000)), enqueueEvent(db, event(10))]
    expect(await resultsOf(answers)).toEqual(['not_accepted', 'not_accepted', 'not_accepted'])
    expect(connection.prepare('select count(*) from pending_events').pluck().get()).toBe(1)
  })
})
