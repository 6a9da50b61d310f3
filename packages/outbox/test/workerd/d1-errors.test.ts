import { reset } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { type OutboxDatabase, enqueueEvent, migrateOutbox, newEventId, outboxStats } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { type D1Binding, fromD1 } from '@keepsend/outbox/d1'
import { beforeEach, describe, expect, it } from 'vitest'

const event = () => ({ eventId: newEventId(), workspaceId: 'w', type: 't', payload: '{}' })

let db: OutboxDatabase
beforeEach(async () => {
  await reset()
  db = fromD1(env.DB)
})

/** A D1 whose response is lost: the statement runs, and then the call fails. */
function deafAfter(message: string): D1Binding {
  const fail = (): never => {
    throw new Error(message)
  }
  return {
    prepare(sql) {
      const wrap = (statement: D1PreparedStatement): ReturnType<D1Binding['prepare']> => ({
        bind: (...params) => wrap(statement.bind(...params)),
        all: async () => statement.all().then(fail),
      })
      return wrap(env.DB.prepare(sql))
    },
    batch: (statements) => env.DB.batch(statements as unknown as D1PreparedStatement[]).then(fail),
  }
}

/** A D1 that refuses before it runs anything. */
function refusing(message: string): D1Binding {
  const fail = async (): Promise<never> => {
    throw new Error(message)
  }
  const statement = { bind: () => statement, all: fail }
  return { prepare: () => statement, batch: fail }
}

describe('errors of D1', () => {
  it('become not_migrated for a missing table', async () => {
    await expect(enqueueEvent(db, event())).rejects.toMatchObject({ name: 'OutboxError', code: 'not_migrated' })
    await expect(outboxStats(db)).rejects.toMatchObject({ code: 'not_migrated' })
  })

  it("stay the driver's for a broken constraint, and nothing of its transaction is committed", async () => {
    await migrateOutbox(db)
    await db.run({ sql: 'create table things (id text primary key)', params: [] })
    const unit = [sqlText`insert into things values ('a')`, sqlText`insert into things values ('a')`]
    const error = await db.atomic(unit).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({
      name: 'Error',
      message: expect.stringContaining('UNIQUE constraint failed: things.id'),
    })
    expect((await db.run({ sql: 'select * from things', params: [] })).rows).toEqual([])
  })

  it("stay the driver's for a wrong statement", async () => {
    const error = await db.run({ sql: 'selekt 1', params: [] }).catch((thrown: unknown) => thrown)
    expect(error).toMatchObject({ name: 'Error', message: expect.stringContaining('syntax error') })
  })

  it('become commit_unconfirmed when the response is lost after the commit, and a repeat inserts no second row', async () => {
    await migrateOutbox(db)
    const deaf = fromD1(deafAfter('D1_ERROR: Network connection lost.'))
    const one = event()
    await expect(enqueueEvent(deaf, one)).rejects.toMatchObject({ name: 'OutboxError', code: 'commit_unconfirmed' })
    expect(await enqueueEvent(db, one)).toMatchObject({ result: 'exists' })
    expect(await outboxStats(db)).toMatchObject({ due: 1 })
  })

  it.each([
    'D1 DB is overloaded. Too many requests queued.',
    'D1_ERROR: Exceeded maximum DB size.',
    'D1_ERROR: database or disk is full: SQLITE_FULL',
    'D1_ERROR: Your account has exceeded D1 free tier daily row write limit',
  ])('become not_accepted for "%s"', async (message) => {
    const refused = fromD1(refusing(message))
    await expect(enqueueEvent(refused, event())).rejects.toMatchObject({ code: 'not_accepted' })
    await expect(refused.atomic([sqlText`select 1`])).rejects.toMatchObject({ code: 'not_accepted' })
  })

  it.each([
    'D1_ERROR: Network connection lost.',
    'D1_ERROR: D1 storage operation exceeded timeout which caused object to be reset.',
    'D1_ERROR: Internal error in D1 storage caused object to be reset.',
    'D1_ERROR: D1 reset because its code was updated.',
  ])('become commit_unconfirmed for "%s"', async (message) => {
    await expect(enqueueEvent(fromD1(refusing(message)), event())).rejects.toMatchObject({ code: 'commit_unconfirmed' })
  })
})

describe('limits of D1 that its local simulation does not enforce', () => {
  it('refuse a value of more than 2,000,000 bytes before it is sent, with its size', async () => {
    await migrateOutbox(db)
    await db.run({ sql: 'create table things (text text)', params: [] })
    const insert = (bytes: number) => db.run(sqlText`insert into things values (${'é'.repeat(bytes / 2)})`)
    await expect(insert(2_000_002)).rejects.toMatchObject({
      code: 'not_accepted',
      message: expect.stringMatching(/at most 2000000 bytes .* found 2000002 for insert into things/),
    })
    await insert(2_000_000)
    expect((await db.run({ sql: 'select count(*) as n from things', params: [] })).rows).toEqual([{ n: 1 }])
  })
})
