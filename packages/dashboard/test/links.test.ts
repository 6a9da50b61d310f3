// Every page in its states: with history and without, with a catalog and without, with nothing in the database.
import { defineEvents, event } from '@keepsend/engine'
import { type TestEngineOptions, createTestEngine } from '@keepsend/testing'
import { expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

const catalog = defineEvents({
  'message.posted': event({
    schema: { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value: value as { id: string } }) } },
    description: 'A message was posted.',
    example: { id: 'm1' },
  }),
})

async function filled(options: TestEngineOptions) {
  const engine = await createTestEngine(options)
  engine.receiver.answer([401])
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks/in' })
  await engine.apiKeys.create({ workspaceId: 'w1', name: 'backend' })
  await engine.portalLinks.create('w1', { subject: 'mem_9', by: 'dana' })
  await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: { id: 'm1' } })
  await engine.deliverAll()
  await engine.endpoints.pause('w1', endpoint.id, { by: 'dana' })
  await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: { id: 'm2' } })
  return engine
}

/** Follows every link below the mount path, and returns the status of each page. */
async function follow(engine: Awaited<ReturnType<typeof createTestEngine>>): Promise<Map<string, number>> {
  const { page } = await openDashboard(undefined, engine)
  const seen = new Map<string, number>()
  const next = [MOUNT]
  for (let path = next.pop(); path !== undefined && seen.size < MAX_PAGES; path = next.pop()) {
    // Each page has its own way back to the preferences.
    const known = path.replace(/back=[^&]*/, 'back=')
    if (seen.has(known) || path.includes('/assets/')) continue
    const { status, html } = await page(path)
    seen.set(known, status)
    for (const [, href = ''] of html.matchAll(/href="([^"#]+)"/g)) {
      const address = href.replaceAll('&amp;', '&')
      if (address.startsWith(MOUNT)) next.push(address)
    }
  }
  return seen
}

const MAX_PAGES = 400

it.each<[string, number, () => ReturnType<typeof createTestEngine>]>([
  ['history and a catalog', 60, () => filled({ history: { search: ['data.id'] }, catalog })],
  ['history alone', 55, () => filled({ history: true })],
  ['failures alone', 55, () => filled({ history: { attempts: 'failed' } })],
  ['neither', 40, () => filled({})],
  ['an empty database', 15, () => createTestEngine({ history: true })],
  ['an empty database without history', 15, () => createTestEngine()],
])('every link leads to a page, with %s', async (_, least, open) => {
  const seen = await follow(await open())
  expect([...seen].filter(([, status]) => status !== 200)).toEqual([])
  expect(seen.size).toBeGreaterThan(least)
  expect(seen.size).toBeLessThan(MAX_PAGES)
})
