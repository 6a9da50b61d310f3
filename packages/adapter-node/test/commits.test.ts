import Database from 'better-sqlite3'
import { describe, expect, it, onTestFinished } from 'vitest'
import { startReceiver } from './receiver.ts'
import { PATIENCE_MS, rig, until } from './rig.ts'

const commits = (statements: readonly string[]) => statements.filter((sql) => sql === 'commit').length

/** The statements of each transaction, in order. */
function transactions(statements: readonly string[]): string[][] {
  const all: string[][] = []
  for (const sql of statements) {
    if (sql === 'begin immediate') all.push([])
    else if (sql !== 'commit') all.at(-1)?.push(sql)
  }
  return all
}

// A sweep, which may share the transaction, takes rows by the same statement and leaves no mark in `claimed_at`.
const claims = (sql: string) => sql.startsWith('update pending_events set') && sql.includes('claimed_at = case when')
const settles = (sql: string) => sql.startsWith('delete from pending_events') && sql.includes('(id, gen) in')

describe('group settle', { timeout: PATIENCE_MS }, () => {
  it('commits 200 deliveries far fewer than 200 times, together with the next claims', async () => {
    const receiver = await startReceiver()
    const { engine, queue, statements, rows, addEndpoint, publish } = await rig({ queue: { concurrency: 32 } })
    await addEndpoint(receiver.url)
    await publish(200)
    const from = statements.length
    await queue.start(engine)
    await receiver.arrived(200)
    await until(() => rows().length === 0)
    const since = statements.slice(from)
    expect(commits(since)).toBeLessThan(100)
    const both = transactions(since).filter((sqls) => sqls.some(settles) && sqls.some(claims))
    expect(both.length).toBeGreaterThan(2)
    // The settle comes first, so that the claim sees its rows.
    for (const sqls of both) expect(sqls.findIndex(settles)).toBeLessThan(sqls.findIndex(claims))
  })
})

describe('group commit', { timeout: PATIENCE_MS }, () => {
  it('shares few transactions between 100 commits of one tick, and resolves each only after others can read its rows', async () => {
    const { engine, file, statements, addEndpoint } = await rig()
    await addEndpoint('http://127.0.0.1:9/')
    const other = new Database(file, { readonly: true })
    onTestFinished(() => void other.close())
    const found = other.prepare("select count(*) from pending_events where id like ? || '.%'").pluck()
    const from = statements.length
    const seen = await Promise.all(
      Array.from({ length: 100 }, async () => {
        const { eventIds } = await engine.commit({ writes: [], events: [{ type: 'a.b', workspaceId: 'w', data: {} }] })
        return found.get(eventIds[0])
      }),
    )
    expect(seen).toEqual(Array.from({ length: 100 }, () => 1))
    expect(commits(statements.slice(from))).toBeLessThanOrEqual(5)
  })

  it('rolls back only the commit of the caller whose write failed (trap 28)', async () => {
    const { engine, connection, rows, addEndpoint } = await rig()
    await addEndpoint('http://127.0.0.1:9/')
    connection.exec('create table things (id integer primary key)')
    const commit = (id: number) =>
      engine.commit({
        writes: [{ sql: 'insert into things values (?)', params: [id] }],
        events: [{ type: 'a.b', workspaceId: 'w', data: { id } }],
      })
    const answers = await Promise.allSettled([1, 2, 2, 3].map(commit))
    expect(answers.map(({ status }) => status)).toEqual(['fulfilled', 'fulfilled', 'rejected', 'fulfilled'])
    expect(connection.prepare('select id from things order by id').pluck().all()).toEqual([1, 2, 3])
    expect(rows()).toHaveLength(3)
  })
})

describe('transactions', { timeout: PATIENCE_MS }, () => {
  it('are never open during a request: another connection writes immediately while a receiver stalls (traps 25 and 28)', async () => {
    const receiver = await startReceiver(() => undefined)
    const { engine, queue, file, connection, rows, addEndpoint, publish } = await rig()
    await addEndpoint(receiver.url)
    await queue.start(engine)
    await publish(3)
    await receiver.arrived(3)
    expect(connection.inTransaction).toBe(false)
    // No busy time-out: if the file were locked, this would throw.
    const other = new Database(file, { timeout: 0 })
    onTestFinished(() => void other.close())
    other.exec('create table others (id integer)')
    expect(other.prepare('insert into others values (1)').run().changes).toBe(1)
    expect(receiver.open()).toBe(3)
    receiver.requests.forEach((request) => request.answer())
    await until(() => rows().length === 0)
  })
})
