import { expect, it } from 'vitest'
import { openApp } from './app-postgres.ts'
import { describeEveryRoute, routesOf } from './walk.ts'

describeEveryRoute(await routesOf(() => openApp()), () => openApp())

it('answers 400 to a text that Postgres cannot store, and stores nothing', async () => {
  const demo = await openApp()
  const before = await demo.version()
  const { workspace: key } = demo.keys
  const body = JSON.stringify({ name: 'a\0b' })
  const made = await demo.send({ method: 'POST', path: '/channels', body }, { key, idempotencyKey: 'k' })
  const looked = await demo.send({ method: 'GET', path: '/channels/%00/messages' }, { key })
  expect([made.status, looked.status]).toEqual([400, 400])
  expect((await demo.send({ method: 'GET', path: '/channels' }, { key })).status).toBe(200)
  expect(await demo.version()).toBe(before)
  await demo.close()
})
