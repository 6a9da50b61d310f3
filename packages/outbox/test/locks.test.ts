import { setImmediate as nextTurn, setTimeout as delay } from 'node:timers/promises'
import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import type { Statement } from '../src/index.ts'
import { sqlText } from '../src/internal.ts'
import { type SqliteOptions, fromBetterSqlite, isSqliteBusy } from '../src/sqlite.ts'
import { openFile, temporaryFolder } from './open.ts'

const keep = (name: string): Statement => sqlText`insert into kept (name) values (${name})`

/** Two connections of one process to a file: Keepsend's, and one that does not know Keepsend. */
function openBoth({ journal = 'wal', ...options }: SqliteOptions & { journal?: 'wal' | 'delete' } = {}) {
  const folder = temporaryFolder()
  const path = folder.file('locks.db')
  const connection = openFile(path)
  connection.exec('create table kept (name text not null primary key)')
  connection.pragma(`journal_mode = ${journal}`)
  const host = new Database(path)
  onTestFinished(() => {
    host.close()
    connection.close()
    folder.remove()
  })
  const names = () => host.prepare('select name from kept order by rowid').pluck().all()
  const db = fromBetterSqlite(connection, { defer: setImmediate, ...options })
  return { db, connection, host, names }
}

// A connection of this process, like that of an asynchronous ORM, needs the event loop to end its transaction. If a
// caller waited for it inside SQLite, neither would ever finish.
describe('while another connection of the process has the lock', () => {
  it('a write waits without blocking the event loop, and commits when the lock is free', async () => {
    const { db, host, names } = openBoth()
    host.exec("begin immediate; insert into kept values ('theirs')")
    const mine = db.run(keep('mine'))
    for (let turn = 0; turn < 20; turn++) await nextTurn()
    setTimeout(() => host.exec('commit'), 20)
    expect(await mine).toEqual({ rows: [], changes: 1 })
    expect(names()).toEqual(['theirs', 'mine'])
  })

  it("transactions of an ORM and Keepsend's commits alternate, and all of them commit", async () => {
    const { db, host, names } = openBoth()
    const theirs = async () => {
      for (let n = 0; n < 30; n++) {
        while (!begins(host)) await delay(1)
        host.prepare('insert into kept values (?)').run(`theirs ${n}`)
        await delay(1)
        host.exec('commit')
        await nextTurn()
      }
    }
    const mine = async () => {
      for (let n = 0; n < 30; n++) await db.run(keep(`mine ${n}`))
    }
    await Promise.all([theirs(), mine()])
    expect(names()).toHaveLength(60)
  })

  it('later callers join the waiting group, and all commit together in their order', async () => {
    const { db, connection, host, names } = openBoth()
    host.exec('begin immediate')
    const answers = [db.run(keep('first'))]
    await delay(10)
    answers.push(db.run(keep('second')))
    await delay(10)
    answers.push(db.atomic([keep('third')]).then(([result]) => result ?? { rows: [], changes: 0 }))
    const before = connection.prepare('select count(*) from kept').pluck().get()
    host.exec('commit')
    await Promise.all(answers)
    expect(before).toBe(0)
    expect(names()).toEqual(['first', 'second', 'third'])
  })

  it('a write that has waited for busyTimeoutMs rejects with not_accepted, and a later one waits for its own time', async () => {
    const { db, host, names } = openBoth({ busyTimeoutMs: 40 })
    host.exec('begin immediate')
    await expect(db.run(keep('refused'))).rejects.toMatchObject({
      code: 'not_accepted',
      cause: { code: 'SQLITE_BUSY' },
    })
    const later = db.run(keep('later'))
    host.exec('commit')
    await later
    expect(names()).toEqual(['later'])
  })

  it('a write rejects immediately with a busyTimeoutMs of 0', async () => {
    const { db, host } = openBoth({ busyTimeoutMs: 0 })
    host.exec('begin immediate')
    await expect(db.run(keep('refused'))).rejects.toMatchObject({ code: 'not_accepted' })
    host.exec('rollback')
  })

  it('a read waits in the same way while a lock excludes readers', async () => {
    const { db, host } = openBoth({ journal: 'delete' })
    host.exec("begin exclusive; insert into kept values ('theirs')")
    const read = db.run<{ name: string }>({ sql: 'select name from kept', params: [] })
    setTimeout(() => host.exec('commit'), 20)
    expect((await read).rows).toEqual([{ name: 'theirs' }])
  })

  it('a read that has waited for busyTimeoutMs rejects with not_accepted', async () => {
    const { db, host } = openBoth({ journal: 'delete', busyTimeoutMs: 40 })
    host.exec('begin exclusive')
    await expect(db.run({ sql: 'select name from kept', params: [] })).rejects.toMatchObject({ code: 'not_accepted' })
    host.exec('rollback')
  })

  it('a commit waits for readers, and commits once', async () => {
    const { db, host, names } = openBoth({ journal: 'delete' })
    host.exec('begin')
    host.prepare('select * from kept').all()
    const mine = Promise.all([db.run(keep('a')), db.run(keep('b'))])
    setTimeout(() => host.exec('commit'), 20)
    expect(await mine).toEqual([1, 2].map(() => ({ rows: [], changes: 1 })))
    expect(names()).toEqual(['a', 'b'])
  })

  it('a write also waits for an open transaction of the host on the same connection', async () => {
    const { db, connection, names } = openBoth()
    connection.exec("begin; insert into kept values ('theirs')")
    const mine = db.run(keep('mine'))
    setTimeout(() => connection.exec('commit'), 20)
    await mine
    expect(names()).toEqual(['theirs', 'mine'])
  })

  it('a busy check before the first statement waits, too', async () => {
    let asked = 0
    const check = () => {
      if (++asked < 5) throw Object.assign(new Error('database is locked'), { code: 'SQLITE_BUSY' })
    }
    const { db } = openBoth({ check })
    expect((await db.run({ sql: 'select 1 as one', params: [] })).rows).toEqual([{ one: 1 }])
    expect(asked).toBe(5)
  })
})

function begins(host: Database.Database): boolean {
  try {
    host.pragma('busy_timeout = 0')
    host.exec('begin immediate')
    return true
  } catch (error) {
    if (isSqliteBusy(error)) return false
    throw error
  }
}
