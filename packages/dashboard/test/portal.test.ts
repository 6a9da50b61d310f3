import { defineEvents, event } from '@keepsend/engine'
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { createPortal, createPortalLink } from '@keepsend/dashboard'
import { PORTAL, openPortal } from './open-portal.ts'
import { visitor } from './visitor.ts'

const anything = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: Object(value) as object }),
  },
}

describe('a portal link', () => {
  it('for many uses opens at the GET, and leads to the endpoints', async () => {
    const { app, linkOf } = await openPortal()
    const { path } = await linkOf({ uses: 'many' })
    for (const one of [visitor(app), visitor(app)]) {
      const response = await one.request(path)
      expect([response.status, response.headers.get('location')]).toEqual([303, PORTAL])
      expect(response.headers.get('referrer-policy')).toBe(null)
      expect((await one.page(PORTAL)).html).toContain('Know the moment something happens')
    }
  })

  it('for one use shows a button at the GET, and only its POST uses it up', async () => {
    const { app, linkOf, engine } = await openPortal()
    const { path, link } = await linkOf()
    const scanner = visitor(app)
    const { html, status } = await scanner.page(path)
    expect([status, html]).toEqual([200, expect.stringContaining('This link works once')])
    await scanner.request(path, { method: 'HEAD' })
    expect((await engine.portalLinks.list('w1')).rows.find(({ id }) => id === link.id)?.state).toBe('active')

    const customer = visitor(app)
    expect(await customer.post(path, {})).toMatchObject({ status: 303, location: PORTAL })
    // The same browser may follow the link again; another one may not.
    expect((await customer.request(path)).status).toBe(303)
    expect((await scanner.page(path)).status).toBe(410)
    expect(await scanner.post(path, {})).toMatchObject({ status: 410 })
    expect((await scanner.page(PORTAL)).status).toBe(401)
  })

  it('that was revoked ends its sessions at the next request', async () => {
    const { engine, link, page } = await openPortal()
    expect((await page(PORTAL)).status).toBe(200)
    await engine.portalLinks.revoke('w1', link.id)
    expect(await page(PORTAL)).toMatchObject({ status: 401, html: expect.stringContaining('has expired') })
  })

  it.each(['x', 'a'.repeat(43), '%00', '%F0%9F%98%80', 'a'.repeat(5000)])(
    'that does not exist is answered like one that has expired: %j',
    async (token) => {
      const { app } = await openPortal()
      const { status } = await visitor(app).page(`${PORTAL}/enter/${token}`)
      expect(status).toBe(401)
    },
  )

  it('sets a cookie that no script reads, no other site sends, and only the portal gets', async () => {
    const { app, linkOf } = await openPortal()
    const { path } = await linkOf({ uses: 'many' })
    const [cookie = ''] = (await visitor(app).request(path)).headers.getSetCookie()
    expect(cookie).toMatch(/^keepsend_portal=.+; Path=\/webhooks; Expires=.+; HttpOnly; Secure; SameSite=Lax$/)
    const framed = await visitor(app).request(path, {
      headers: { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' },
    })
    expect(framed.headers.getSetCookie()[0]).toMatch(/; HttpOnly; Secure; SameSite=None; Partitioned$/)
    expect(framed.headers.get('location')).toBe(`${path}/framed`)
  })

  it.each([
    ['in a frame of the same origin', { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'same-origin' }],
    ['from a mail', { 'sec-fetch-dest': 'document', 'sec-fetch-site': 'cross-site' }],
  ])('opened %s has the cookie that no other site sends', async (_, headers) => {
    const { app, linkOf } = await openPortal()
    const { path } = await linkOf({ uses: 'many' })
    const response = await visitor(app).request(path, { headers })
    expect(response.headers.getSetCookie()).toEqual([expect.stringMatching(/; HttpOnly; Secure; SameSite=Lax$/)])
    expect(response.headers.get('location')).toBe(PORTAL)
  })

  it('sets its cookie over http for a server on localhost, except in a frame, where browsers want a secure one', async () => {
    const { app, linkOf } = await openPortal({ development: true })
    const { path } = await linkOf({ uses: 'many' })
    const [cookie = ''] = (await visitor(app).request(path)).headers.getSetCookie()
    expect(cookie).toMatch(/; HttpOnly; SameSite=Lax$/)
    const framed = await visitor(app).request(path, {
      headers: { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' },
    })
    expect(framed.headers.getSetCookie()[0]).toMatch(/; HttpOnly; Secure; SameSite=None; Partitioned$/)
  })

  it('offers a new tab where the browser of a frame refuses the cookie', async () => {
    const { app, linkOf } = await openPortal()
    const { path } = await linkOf({ uses: 'many' })
    const { html } = await visitor(app).page(`${path}/framed`)
    expect(html).toContain(`href="${path}" target="_blank" rel="noopener"`)
  })
})

describe('the frame of the portal', () => {
  it('has the name, the logo, the colours and the way back of the host', async () => {
    const { page } = await openPortal({
      workspaceName: (id) => `Bluebird (${id})`,
      returnUrl: 'https://app.example.com/settings',
      brand: {
        primary: '#f5b301',
        radius: '12px',
        logo: { url: 'https://cdn.example.com/logo.png', alt: 'A bird' },
        tokens: { '--card': 'white' },
      },
    })
    const { html } = await page(PORTAL)
    for (const part of ['<html lang="en" class="portal">', 'Back to Plover', 'Bluebird (w1)', 'alt="A bird"'])
      expect(html).toContain(part)
    const [, stylesheet = ''] = /href="([^"]+brand\.css[^"]*)"/.exec(html) ?? []
    expect((await page(stylesheet)).html).toBe(
      '.portal.portal { --primary: #f5b301; --primary-foreground: black; --radius: 12px; --card: white; }\n',
    )
  })

  it('is shown in a frame by the origins of the host alone', async () => {
    const { request } = await openPortal({ frameAncestors: ['https://app.example.com'] })
    const { headers } = await request(PORTAL)
    expect(headers.get('content-security-policy')).toContain('frame-ancestors https://app.example.com')
    const alone = await openPortal()
    expect((await alone.request(PORTAL)).headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  })

  it('follows the theme and the language of the link until the reader chooses', async () => {
    const { page, send } = await openPortal({ link: { theme: 'dark' } })
    expect((await page(PORTAL)).html).toContain('data-theme="dark"')
    await send(PORTAL, `${PORTAL}/preferences`, { theme: 'system' })
    expect((await page(PORTAL)).html).not.toContain('data-theme')
  })

  it('leads to other pages and to the preferences for a customer alone', async () => {
    const catalog = defineEvents({
      'message.posted': event({ schema: anything, description: 'A message was posted.' }),
    })
    const { app, page } = await openPortal({ engine: await createTestEngine({ catalog }) })
    const { html } = await page(PORTAL)
    for (const path of ['events', 'preferences']) expect(html).toContain(`href="${PORTAL}/${path}`)
    const { html: shown, status } = await visitor(app).page(PORTAL)
    expect(status).toBe(401)
    expect(shown).not.toMatch(/<nav|<form|href="[^"]*\/(events|preferences)/)
  })

  it('serves the custom element to pages of other origins', async () => {
    const { request } = await openPortal()
    const response = await request(`${PORTAL}/portal-element.js`)
    expect(response.headers.get('access-control-allow-origin')).toBe('*')
    expect(await response.text()).toContain('keepsend-portal')
  })
})

it('shows the endpoints of its workspace alone', async () => {
  const { engine, page } = await openPortal()
  await engine.endpoints.create('w1', { url: 'https://api.bluebird.example.com/hooks', description: 'Booking sync' })
  await engine.endpoints.create('w2', { url: 'https://juniper.example.com/hooks' })
  const { html } = await page(PORTAL)
  expect(html).toContain('Booking sync')
  expect(html).not.toContain('juniper')
})

describe('an option of createPortal', () => {
  it.each<[options: object, message: RegExp]>([
    [{ name: '' }, /needs name/],
    [{ name: 'a'.repeat(61) }, /needs name/],
    [{ color: 'red' }, /no option color; it has/],
    [{ basePath: '/webhooks/' }, /basePath must be a path/],
    [{ returnUrl: 'javascript:alert(1)' }, /returnUrl must be an http or https address/],
    [{ verifyingUrl: '//evil.example' }, /verifyingUrl must be an http or https address/],
    [{ frameAncestors: ['https://a.example/x'] }, /must be origins/],
    [{ frameAncestors: 'https://a.example' }, /must be a list of origins/],
    [{ development: 'false' }, /development must be true or false/],
    [{ brand: { primary: 'rebeccapurple' } }, /needs primaryForeground/],
    [{ brand: { radius: '1px; } body { display: none' } }, /must be a CSS value/],
    [{ brand: { logo: { url: 'http://a.example/x.png', alt: '' } } }, /logo.url must be an https address/],
    [{ brand: { logo: { url: '//evil.example/x.png', alt: '' } } }, /logo.url must be an https address/],
    [{ brand: { tokens: { '--card': 'red /* ' } } }, /must be a CSS value/],
    [{ brand: { sans: '</style><script>' } }, /must be a CSS value/],
    [{ brand: { sans: 'a'.repeat(301) } }, /must be a CSS value/],
    [{ brand: { tokens: { '--card } body {': 'red' } } }, /must be named like --card/],
    [{ brand: 'red' }, /brand must be an object; found "red"/],
    [{ brand: null }, /brand must be an object; found null/],
    [{ brand: { colour: 'red' } }, /brand has no colour; it has logo, primary/],
    [{ brand: { radius: 4 } }, /brand: radius must be a text; found number/],
    [{ brand: { tokens: ['--card'] } }, /brand.tokens must be an object/],
    [{ brand: { tokens: { '--card': null } } }, /brand: --card must be a text/],
    [{ brand: { logo: '/logo.png' } }, /brand.logo must be an object/],
    [{ brand: { logo: {} } }, /brand.logo must have svg, or url and alt/],
    [{ brand: { logo: { url: '/logo.png' } } }, /brand.logo.alt must be a text/],
    [{ brand: { logo: { svg: 1 } } }, /brand.logo.svg must be a text/],
  ])('%j is refused', async (options, message) => {
    const engine = await createTestEngine()
    expect(() => createPortal({ engine, name: 'Plover', ...options })).toThrow(message)
  })

  it('portalUrl of a link must be an address', async () => {
    const engine = await createTestEngine()
    const create = createPortalLink({ engine, portalUrl: 'app.example.com', workspaceId: 'w1' })
    await expect(create).rejects.toThrow('portalUrl must be an http or https address')
  })
})
