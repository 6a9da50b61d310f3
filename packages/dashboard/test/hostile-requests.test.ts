// Requests that no page of ours sends. Each is answered with a page, and a failure of ours leaves one line in the log.
import { createDashboard, createPortal } from '@keepsend/dashboard'
import { type LogLine, createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { PORTAL, openPortal } from './open-portal.ts'

const SITES = {
  dashboard: async () => ({ mount: MOUNT, ...(await openDashboard()) }),
  portal: async () => ({ mount: PORTAL, ...(await openPortal()) }),
}
/** The lines that somebody has to read. */
const troublesOf = ({ lines }: { lines: readonly LogLine[] }) =>
  lines.filter(({ level }) => level !== 'info' && level !== 'debug')
const OF_THE_SITE = { 'sec-fetch-site': 'same-origin' }

describe.each(Object.entries(SITES))('the %s', (name, open) => {
  it('answers a form that cannot be read with 400', async () => {
    const { mount, request, engine } = await open()
    for (const type of ['multipart/form-data', 'multipart/form-data; boundary=other']) {
      const response = await request(`${mount}/preferences`, {
        method: 'POST',
        headers: { ...OF_THE_SITE, 'content-type': type },
        body: '--one\r\ncontent-disposition: form-data; name="theme"\r\n\r\ndark\r\n--one--\r\n',
      })
      expect([response.status, await response.text()]).toEqual([400, expect.stringContaining('could not be read')])
    }
    expect(troublesOf(engine)).toEqual([])
  })

  it('answers a form that is too large with 413, in the language of the reader', async () => {
    const { mount, request } = await open()
    const response = await request(`${mount}/preferences`, {
      method: 'POST',
      headers: { ...OF_THE_SITE, 'accept-language': 'de', 'content-type': 'application/x-www-form-urlencoded' },
      body: `csrf=${'a'.repeat(2_000_000)}`,
    })
    const html = await response.text()
    expect([response.status, html]).toEqual([413, expect.stringContaining('Dieses Formular ist zu groß')])
    expect(html).toContain(`class="btn primary" href="${mount}"`)
  })

  it('logs a failure of the database once, with its reason, and shows a reference alone', async () => {
    const { mount, page, engine } = await open()
    await page(`${mount}/preferences`)
    await engine.close()
    const before = engine.lines.length
    const { status, html } = await page(`${mount}/deliveries/evt_1.ep_1`)
    const errors = engine.lines.slice(before).filter(({ level }) => level === 'error')
    expect([status, errors]).toEqual([
      500,
      [
        {
          level: 'error',
          message: `a page of the ${name} failed`,
          fields: expect.objectContaining({ path: '/deliveries/:id' }),
        },
      ],
    ])
    const { reference, error } = errors[0]?.fields ?? {}
    expect(html).toContain(`<dd class="mono">${String(reference)}</dd>`)
    expect(error).toMatch(/\w/)
    expect(html).not.toContain(String(error))
  })

  it('leads to no other host where it is mounted at the root', async () => {
    const engine = await createTestEngine({ history: true })
    const fails = () => {
      throw new Error('the sign-in is down')
    }
    const app =
      name === 'portal'
        ? createPortal({ engine, name: 'Plover' })
        : new Hono().route('/', createDashboard({ engine, authorize: () => ({ name: 'dana', role: 'act' }) }))
    const failing = createDashboard({ engine, authorize: fails })
    const requests = [
      ...['//evil.example/x', '///evil.example', '/\\evil.example/', '//enter/x', '//evil.example/?a=/'].map((path) => [
        path,
        '',
      ]),
      ...['//evil.example', '/\\evil.example', 'https://evil.example', '/a/..//evil.example'].map((prefix) => [
        '/x',
        prefix,
      ]),
    ]
    for (const [path = '', prefix = ''] of requests)
      for (const one of [app, failing]) {
        const headers = { 'x-forwarded-prefix': prefix, 'x-forwarded-host': 'evil.example' }
        const html = await (await one.request(`https://app.example.com${path}`, { headers })).text()
        const found = [...html.matchAll(/(?:href|action|src|name="back" value)="([^"]*)"/g)].map(([, to = '']) => to)
        expect(found.length).toBeGreaterThan(0)
        expect(found.filter((to) => new URL(to, 'https://app.example.com').host !== 'app.example.com')).toEqual([])
      }
  })
})

it('answers a NUL anywhere in a request with 400: Postgres would fail', async () => {
  const { engine, page, send } = await openDashboard()
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks' })
  const at = `${MOUNT}/endpoints/w1/${endpoint.id}`
  for (const path of [`${MOUNT}/deliveries/evt_%00`, `${MOUNT}/endpoints/w1/a%00b`, `${MOUNT}/deliveries?type=%00`]) {
    const { status, html } = await page(path)
    expect([path, status, html]).toEqual([path, 400, expect.stringContaining('must be text without a NUL')])
  }
  expect(await send(at, at, { do: 'pause\0' })).toMatchObject({ status: 400 })
})

it('comes back from the preferences to no other host', async () => {
  const { page, send } = await openDashboard()
  const at = `${MOUNT}/preferences`
  const { html } = await page(`${at}?back=//evil.example/x`)
  expect(html).toContain(`<input type="hidden" name="back" value="${MOUNT}"/>`)
  for (const back of [
    '//evil.example',
    '/\\evil.example',
    `${MOUNT}@evil.example`,
    'https://evil.example',
    `${MOUNT}/\t/x`,
  ])
    expect(await send(at, at, { theme: 'dark', back })).toMatchObject({ status: 303, location: MOUNT })
})

it('shows filters whose values are names of JavaScript objects', async () => {
  const { page } = await openDashboard()
  for (const value of ['__proto__', 'constructor', 'toString', 'hasOwnProperty']) {
    const query = ['status', 'http', 'error', 'type', 'event'].map((one) => `${one}=${value}`).join('&')
    for (const path of ['deliveries', 'problems', 'replays/new', 'published', 'endpoints'])
      expect([path, value, (await page(`${MOUNT}/${path}?${query}`)).status]).toEqual([path, value, 200])
  }
})

describe('a form with a value that the engine refuses', () => {
  const whole = 'must be a whole number from'

  it('is answered with 400 in a filter too', async () => {
    const { page } = await openDashboard()
    for (const code of ['x', '1e300', '-1'])
      expect(await page(`${MOUNT}/deliveries?code=${code}`)).toMatchObject({
        status: 400,
        html: expect.stringContaining('httpStatus must be a whole number from 100 to 999'),
      })
  })

  it('is answered with 400 and the reason, which is logged', async () => {
    const { engine, send } = await openDashboard()
    const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks' })
    const at = `${MOUNT}/endpoints/w1/${endpoint.id}`
    const keys = `${MOUNT}/workspaces/w1/keys`
    const forms: [path: string, form: Record<string, string>, reason: string][] = [
      [at, { do: 'pause', for: '1e999' }, whole],
      [at, { do: 'pause', for: '__proto__' }, whole],
      [`${at}/secrets`, { do: 'rotate', overlap: '-1' }, whole],
      [keys, { name: 'a', days: '0.5e-9' }, 'expiresInMs must be a whole number'],
      [keys, { name: 'a'.repeat(5000) }, 'name must be'],
      [`${MOUNT}/workspaces/w1/links`, { ends: 'NaN' }, whole],
      [`${MOUNT}/workspaces/w1/links`, { who: 'a'.repeat(201) }, 'subject must be at most 200 characters'],
      [`${MOUNT}/replays`, { workspace: 'w1', rate: '1.5' }, whole],
      [
        `${at}/edit`,
        { url: 'https://a.example.com', filter: '{"$not":'.repeat(9000) + '1' + '}'.repeat(9000) },
        'cannot be written as JSON',
      ],
    ]
    for (const [path, form, reason] of forms) {
      const { status, html } = await send(`${MOUNT}/preferences`, path, form)
      expect([path, status, html]).toEqual([path, 400, expect.stringContaining(reason)])
    }
    const levels = new Set(engine.lines.map(({ level, message }) => `${level} ${message}`))
    expect([...levels]).not.toContain('error a page of the dashboard failed')
    expect([...levels]).toContain('warn a page of the dashboard refused')
  })
})

describe('messages of the host', () => {
  const authorize = () => null

  it('that are undefined leave those of Keepsend', async () => {
    const engine = await createTestEngine()
    const app = createDashboard({
      engine,
      authorize,
      messages: { en: { 'unauthorized.title': undefined }, de: undefined },
    })
    expect(await (await app.request('/')).text()).toContain('Sign in first')
  })

  it('that are none are refused when the site is created, by name', async () => {
    const engine = await createTestEngine()
    const wrong: [messages: unknown, reason: string][] = [
      [null, 'messages must be an object of texts by language; found null'],
      [{ en: 'Home' }, 'messages.en must be an object of texts; found Home'],
      [{ en: { 'nav.overview': 7 } }, "messages.en['nav.overview'] must be a text; found 7"],
      [{ en: { 'nav.overview': { other: 'Home' } } }, "messages.en['nav.overview'] must be a text; found"],
      [
        { en: { 'give_up.title_many': { one: 'One' } } },
        'one for each plural category with other; found {"one":"One"}',
      ],
      [{ en: { constructor: 'x' } }, 'messages.en has texts that no page shows: constructor'],
      [{ 'not a language': {} }, 'messages must be named by language, such as fr; found "not a language"'],
      [{ fr: { 'nav.overview': 'Accueil' } }, 'messages.fr lacks'],
    ]
    for (const [messages, reason] of wrong) {
      // @ts-expect-error JavaScript passes anything
      expect(() => createDashboard({ engine, authorize, messages })).toThrow(reason)
      // @ts-expect-error JavaScript passes anything
      expect(() => createPortal({ engine, name: 'Plover', messages })).toThrow(reason)
    }
  })
})

it('records whole characters of a long subject in the audit', async () => {
  const { engine, send } = await openPortal({ link: { subject: `${'a'.repeat(191)}😀b` } })
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks' })
  const at = `${PORTAL}/endpoints/${endpoint.id}`
  expect(await send(at, `${at}/disable`, {})).toMatchObject({ status: 303 })
  const { rows } = await engine.audit.list('w1', { verb: 'endpoint.disable', limit: 1 })
  expect(rows[0]?.by).toBe(`portal: ${'a'.repeat(191)}`)
})

it('shows the portal without the name of the customer when the host fails to find it', async () => {
  const { page, engine } = await openPortal({
    workspaceName: () => {
      throw new Error('the host is down')
    },
  })
  const { status, html } = await page(PORTAL)
  expect([status, html.includes('the host is down')]).toEqual([200, false])
  expect(troublesOf(engine)).toMatchObject([
    { level: 'warn', fields: { workspaceId: 'w1', error: 'the host is down' } },
  ])
})
