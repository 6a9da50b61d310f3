// The app's responses when the database fails: a client must learn whether to repeat its request.
import pg from 'pg'
import { v7 as uuidv7 } from 'uuid'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { openApp } from './app-postgres.ts'

let demo: Awaited<ReturnType<typeof openApp>>
/** Another connection, whose locks block the app. */
let other: pg.Client

beforeAll(async () => {
  demo = await openApp({ statementTimeoutMs: 1000 })
  other = new pg.Client(demo.url)
  await other.connect()
})

afterAll(async () => {
  await other.end()
  await demo.close()
})

/** The result of the work while the table is locked. */
async function whileLocked<T>(table: string, work: () => Promise<T>): Promise<T> {
  await other.query('begin')
  await other.query(`lock table ${table} in access exclusive mode`)
  try {
    return await work()
  } finally {
    await other.query('commit')
  }
}

async function told(response: Response): Promise<unknown[]> {
  const { code } = (await response.json()) as { code?: string }
  return [response.status, response.headers.get('retry-after'), code]
}

const list = { method: 'GET', path: '/channels' }

it('answers 503 with Retry-After when a read before the commit is refused', async () => {
  const { workspace: key } = demo.keys
  const answer = await whileLocked('keepsend_api_keys', () => demo.send(list, { key }))
  expect(await told(answer)).toEqual([503, '1', 'not_accepted'])
  expect((await demo.send(list, { key })).status).toBe(200)
})

it('answers 500 commit_unconfirmed when the connection ends before the response to the commit', async () => {
  const { workspace: key } = demo.keys
  const answer = await whileLocked('channels', async () => {
    const asked = demo.send(list, { key })
    const waiting = `select pg_terminate_backend(pid) from pg_stat_activity where pid = any (array(
      select pid from pg_locks where relation = 'channels'::regclass and not granted))`
    await expect.poll(async () => (await other.query(waiting)).rowCount, { interval: 5, timeout: 10_000 }).toBe(1)
    return asked
  })
  expect(await told(answer)).toEqual([500, null, 'commit_unconfirmed'])
})

it('answers 503 when the change is committed and its event is not; the repeat publishes one event', async () => {
  const { workspace: key } = demo.keys
  const made = await demo.send({ method: 'POST', path: '/channels', body: '{"name":"general"}' }, { key })
  const { data: channel } = (await made.json()) as { data: { id: string } }
  const path = `/channels/${channel.id}/commands/${uuidv7()}`
  const command = { method: 'PUT', path, body: '{"name":"/remind"}' }
  const answer = await whileLocked('pending_events', () => demo.send(command, { key }))
  expect(await told(answer)).toEqual([503, '1', 'not_accepted'])
  expect(await demo.countOf('command.run')).toBe(0)

  const repeat = await demo.send(command, { key })
  expect([repeat.status, await demo.countOf('command.run')]).toEqual([201, 1])
  const listed = await demo.send({ method: 'GET', path: `/channels/${channel.id}/commands` }, { key })
  expect(((await listed.json()) as { data: unknown[] }).data).toHaveLength(1)
})
