// Tests of the pages in the app, on any database.
import { type Engine, createEngine, silentLogger } from '@keepsend/engine'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createApp } from '../src/app.ts'
import { type Catalog, catalog } from '../src/catalog.ts'
import { createPages } from '../src/pages.ts'
import { operatorLink } from '../src/sign-in.ts'
import type { TestApp } from './app-on.ts'
import { createBrowser, walkFrom } from './browse.ts'

const SECRET = 'a long random text'

/** Defines the tests. */
export function describePages(open: () => Promise<TestApp>): void {
  let demo: TestApp
  let engine: Engine<Catalog>

  beforeAll(async () => {
    demo = await open()
    engine = createEngine({
      db: demo.engine.db,
      queue: { send: async () => {} },
      secrets: 'plaintext-for-development',
      logger: silentLogger,
      history: { attempts: 'all', events: true, statistics: true },
      catalog,
    })
    await engine.publish({ type: 'member.added', workspaceId: 'w1', data: { ...member, workspaceId: 'w1' } })
  })

  afterAll(() => demo.close())

  const appWith = (signInSecret: string | undefined) =>
    createApp(engine, { pages: createPages({ engine, signInSecret, environment: 'development' }) })
  const browse = (app: ReturnType<typeof createApp>) => createBrowser((path, init) => app.request(path, init))

  it('show the operator who follows the link each page, with the deliveries of every workspace', async () => {
    const pages = await walkFrom(browse(appWith(SECRET)), operatorLink('', SECRET))
    const paths = [...pages.keys()]
    for (const page of ['', '/deliveries', '/endpoints', '/problems', '/replays', '/events', '/workspaces'])
      expect(paths).toContain(`/admin/webhooks${page}`)
    expect(paths.filter((path) => /\/deliveries\/evt_/.test(path)).length).toBeGreaterThan(0)
    expect(pages.get('/admin/webhooks/deliveries')).toContain('member.added')
  })

  it('are closed to everybody else: without the link, with a wrong one, and if there is no secret', async () => {
    for (const [secret, path] of [
      [SECRET, '/admin/webhooks'],
      [SECRET, '/admin/webhooks/deliveries'],
      [SECRET, operatorLink('', 'a long random texT')],
      [undefined, operatorLink('', 'undefined')],
      ['', '/admin/webhooks'],
    ] as const) {
      const browser = browse(appWith(secret))
      expect([path, (await browser.open(path)).status]).toEqual([path, 401])
      expect((await browser.open('/admin/webhooks')).status).toBe(401)
    }
  })

  it('show a customer the endpoints of their workspace, by a link that their key makes', async () => {
    const app = appWith(SECRET)
    const linkBy = (key: string) =>
      app.request('/portal-link', { method: 'POST', headers: { authorization: `Bearer ${key}` } })
    const { url } = (await (await linkBy(demo.keys.workspace)).json()) as { url: string }
    const customer = browse(app)
    const first = await customer.open(url)
    expect([first.status, first.html.includes('https://example.com/hook')]).toEqual([200, true])
    expect((await customer.open('/portal/events')).status).toBe(200)
    expect((await customer.open('/admin/webhooks')).status).toBe(401)

    expect((await browse(app).open('/portal')).status).toBe(401)
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['endpoints:read'] })
    expect([(await linkBy(key)).status, (await linkBy('ks_none')).status]).toEqual([403, 401])
  })

  it('take no API key for a sign-in, and leave the API to its keys', async () => {
    const app = appWith(SECRET)
    const headers = { authorization: `Bearer ${demo.keys.operator}` }
    const statuses = [
      (await app.request('/admin/webhooks', { headers })).status,
      (await app.request('/workspaces', { headers })).status,
      (await app.request('/workspaces', { headers: { cookie: `demo_operator=${SECRET}` } })).status,
    ]
    expect(statuses).toEqual([401, 200, 401])
  })
}

const member = { id: 'ann', name: 'Ann', role: 'owner' as const, createdAt: '2026-11-23T12:00:00.000Z' }
