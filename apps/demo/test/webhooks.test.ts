// The webhooks of the app, tested as a user tests their own: with the test kit, without a network and without waiting.
import { migrate, openSqlite } from '@keepsend/adapter-node'
import { sqlText } from '@keepsend/outbox/internal'
import { createTestEngine } from '@keepsend/testing'
import '@keepsend/testing/vitest'
import { expect, it, onTestFinished } from 'vitest'
import { createApp } from '../src/app.ts'
import { catalog } from '../src/catalog.ts'

async function openChannel() {
  const db = openSqlite(':memory:')
  onTestFinished(() => db.close())
  await migrate(db, { directory: new URL('../migrations/sqlite/', import.meta.url) })
  await db.run(sqlText`insert into workspaces (id, name, created_at) values ('w1', 'Acme', '')`)
  const engine = await createTestEngine({ db, catalog })
  const app = createApp(engine)
  const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
  const post = async (path: string, body: object) => {
    const headers = { authorization: `Bearer ${key}` }
    const response = await app.request(path, { method: 'POST', headers, body: JSON.stringify(body) })
    return ((await response.json()) as { data?: { id: string } }).data?.id ?? ''
  }
  const channelId = await post('/channels', { name: 'general' })
  const authorId = await post('/members', { name: 'Ann' })
  return {
    engine,
    channelId,
    say: (text: string) => post(`/channels/${channelId}/messages`, { authorId, text }),
    addFile: (name: string, bytes: number) => post(`/channels/${channelId}/files`, { name, bytes }),
  }
}

it('a message is published with its text and channel, and a refused one is not', async () => {
  const { engine, channelId, say } = await openChannel()
  const id = await say('hello')
  await say('')
  await expect(engine).toHavePublishedTimes('message.posted', 1)
  await expect(engine).toHavePublished('message.posted', { id, channelId, text: 'hello', editedAt: null })
})

it('a customer gets each message in the end, whatever their receiver answered before', async () => {
  const { engine, say } = await openChannel()
  await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks', eventTypes: ['message.*'] })
  engine.receiver.answer([503, 'timeout', { status: 429, headers: { 'retry-after': '60' } }, 200])
  await say('hello')
  expect(await engine.deliverAll()).toMatchObject({ attempts: 4, delivered: 1 })
  expect(engine.receiver.requests.map(({ json, verified }) => ({ json, verified }))).toMatchObject(
    Array.from({ length: 4 }, () => ({ json: { type: 'message.posted', data: { text: 'hello' } }, verified: true })),
  )
})

it('a customer who began with the first version gets the size of a file in kilobytes, and others in bytes', async () => {
  const { engine, addFile } = await openChannel()
  for (const eventVersion of ['2026-01', '2026-11'])
    await engine.endpoints.create('w1', { url: `https://${eventVersion}.example.com/`, eventVersion })
  await addFile('plan.pdf', 48_213)
  await engine.deliverAll()
  const files = engine.receiver.requests
    .filter(({ json }) => (json as { type: string }).type === 'file.added')
    .map(({ url, headers, json }) => [
      new URL(url).hostname,
      headers['webhook-version'],
      (json as { data: object }).data,
    ])
  const byHost = files.toSorted((one, other) => JSON.stringify(one).localeCompare(JSON.stringify(other)))
  expect(byHost).toMatchObject([
    ['2026-01.example.com', '2026-01', { name: 'plan.pdf', kilobytes: 49 }],
    ['2026-11.example.com', '2026-11', { name: 'plan.pdf', bytes: 48_213 }],
  ])
})
