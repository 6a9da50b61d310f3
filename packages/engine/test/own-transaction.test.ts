import { toSql } from '@keepsend/outbox'
import { drizzle } from 'drizzle-orm/better-sqlite3'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { expect, it } from 'vitest'
import { newEventId } from '../src/index.ts'
import { openFile, temporaryFile } from './database.ts'
import { moves, rig } from './rig.ts'

const messages = sqliteTable('messages', { id: text('id').primaryKey(), text: text('text').notNull() })
async function openWithConnection() {
  const { database, connection } = openFile(temporaryFile())
  return { connection, ...(await rig({ on: database })) }
}

const event = () => ({
  id: newEventId(),
  type: 'message.created',
  workspaceId: 'w1',
  data: { question: 'what?', list: ['?', "'"] },
})

it("publishStatements commit with drizzle's own transaction, and dispatch notifies the queue of each row with its gen", async () => {
  const made = await openWithConnection()
  const { id: endpointId } = await made.addEndpoint()
  const one = event()
  drizzle(made.connection).transaction((tx) => {
    tx.insert(messages).values({ id: 'm1', text: 'hi' }).run()
    for (const statement of made.engine.publishStatements(one)) tx.run(statement)
  })
  expect([
    await made.count('messages'),
    (await made.rows()).map(({ payload }) => (JSON.parse(payload) as { data: unknown }).data),
  ]).toEqual([1, [one.data]])
  expect(made.messages).toEqual([])
  await made.engine.dispatch(one.id)
  const gen = (await made.rows())[0]?.gen
  expect(made.messages).toEqual([
    { type: one.type, workspaceId: 'w1', outboxId: `${one.id}.${endpointId}`, gen, eventId: one.id, endpointId },
  ])
})

it('publishStatements roll back with it, and dispatch then sends no message', async () => {
  const made = await openWithConnection()
  await made.addEndpoint()
  const one = event()
  const failing = () =>
    drizzle(made.connection).transaction((tx) => {
      for (const statement of made.engine.publishStatements(one)) tx.run(statement)
      tx.insert(messages).values({ id: 'm1', text: 'hi' }).run()
      throw new Error('changed my mind')
    })
  expect(failing).toThrow('changed my mind')
  await made.engine.dispatch(one.id)
  expect([await made.count('messages'), await made.count('pending_events'), made.messages]).toEqual([0, 0, []])
})

it('publishStatements give text and parameters for any driver', async () => {
  const made = await openWithConnection()
  await made.addEndpoint()
  const statements = made.engine.publishStatements(event()).map((statement) => toSql(statement, 'sqlite'))
  made.connection.transaction(() => {
    for (const { sql, params } of statements) {
      const prepared = made.connection.prepare(sql)
      if (prepared.reader) prepared.all(...params)
      else prepared.run(...params)
    }
  })()
  expect(await made.rows()).toHaveLength(1)
})

it('dispatch sends the current gen of each row, and skips settled rows', async () => {
  const made = await rig({ answer: ({ url }) => (url.includes('good') ? 200 : 500) })
  await made.addEndpoint({ url: 'https://good.example.com/' })
  const bad = await made.addEndpoint({ url: 'https://bad.example.com/' })
  const { eventId } = await made.engine.publish(event())
  await made.work()
  made.messages.length = 0
  await made.engine.dispatch(eventId)
  const [waiting] = await made.rows()
  expect(made.messages).toMatchObject([{ endpointId: bad.id, gen: waiting?.gen }])
  expect(waiting && moves(waiting)).toBe(2)
})

it('dispatch accepts an event id and nothing else', async () => {
  const { engine } = await rig()
  await expect(engine.dispatch('message.created')).rejects.toMatchObject({ code: 'invalid_event' })
})
