// Which forms both sites accept: those that they showed themselves, to the one who sends them.
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { PORTAL, openPortal } from './open-portal.ts'
import { visitor } from './visitor.ts'

const AT = `${MOUNT}/preferences`

async function tokenOf({ page }: Pick<Awaited<ReturnType<typeof openDashboard>>, 'page'>, at = AT): Promise<string> {
  const { html } = await page(at)
  return /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
}

/** A dashboard, and how it answers a form whose token is right, with headers of a browser that sends no `Sec-Fetch-Site`. */
async function withForm() {
  const opened = await openDashboard()
  const csrf = await tokenOf(opened)
  const body = new URLSearchParams({ csrf, keys: 'off' })
  const statusWith = async (headers: Record<string, string>) =>
    (await opened.app.request(`https://app.example.com${AT}`, { method: 'POST', body, headers })).status
  return { ...opened, csrf, statusWith }
}

describe('a form of a browser that names the origin alone', () => {
  it('is accepted from the origin of the site, and from no other one', async () => {
    const { statusWith } = await withForm()
    expect(await statusWith({ origin: 'https://app.example.com' })).toBe(303)
    // `null` is the origin of a sandboxed frame, of a file, and after a redirect from elsewhere.
    for (const origin of ['null', '', 'https://example.com', 'https://xapp.example.com', 'https://app.example.com:444'])
      expect(await statusWith({ origin }), origin).toBe(403)
  })

  it('is compared with the host that a proxy was asked for', async () => {
    const { statusWith } = await withForm()
    const behind = { host: '10.0.0.7:3000', 'x-forwarded-host': 'hooks.example.com' }
    expect(await statusWith({ ...behind, origin: 'https://hooks.example.com' })).toBe(303)
    for (const origin of ['http://10.0.0.7:3000', 'https://app.example.com'])
      expect(await statusWith({ ...behind, origin }), origin).toBe(403)
  })
})

describe('the token of a form', () => {
  it('is another text in each page, and each one is accepted', async () => {
    const { page, post } = await openDashboard()
    const tokens = await Promise.all([1, 2, 3].map(() => tokenOf({ page })))
    // Neither half is the same bytes in two pages: a compressed response reveals bytes that are.
    const halves = tokens.flatMap((token) => [token.slice(0, 64), token.slice(64)])
    expect(new Set(halves).size).toBe(6)
    for (const csrf of tokens) expect(await post(AT, { csrf })).toMatchObject({ status: 303 })
  })

  it('is for the reader that it was shown to', async () => {
    const { csrf, post, as } = await withForm()
    as({ name: 'eve', role: 'act' })
    expect(await post(AT, { csrf })).toMatchObject({ status: 403 })
    as({ name: 'dana', role: 'act' })
    expect(await post(AT, { csrf })).toMatchObject({ status: 303 })
  })

  it('is for one session: another browser that opened the same link has its own', async () => {
    const { app, linkOf } = await openPortal()
    const { path } = await linkOf({ uses: 'many' })
    const at = `${PORTAL}/preferences`
    const [one, other] = [visitor(app), visitor(app)]
    for (const browser of [one, other]) await browser.request(path)
    const csrf = await tokenOf(one, at)
    expect(await other.post(at, { csrf })).toMatchObject({ status: 403 })
    expect(await one.post(at, { csrf })).toMatchObject({ status: 303 })
  })

  it('of the portal is none of the dashboard, even for an operator whose name is the session of a customer', async () => {
    const engine = await createTestEngine()
    const { app, linkOf } = await openPortal({ engine })
    const { path } = await linkOf({ uses: 'many' })
    const customer = visitor(app)
    const [cookie = ''] = (await customer.request(path)).headers.getSetCookie()
    const name = /^keepsend_portal=([^;]+)/.exec(cookie)?.[1] ?? ''
    const csrf = await tokenOf(customer, `${PORTAL}/preferences`)
    expect(await customer.post(`${PORTAL}/preferences`, { csrf })).toMatchObject({ status: 303 })
    const { post } = await openDashboard({ name, role: 'act' }, engine)
    expect(await post(AT, { csrf })).toMatchObject({ status: 403 })
  })
})

it('a form of more than 2 MB is refused before it is read', async () => {
  const { csrf, post } = await withForm()
  expect(await post(AT, { csrf, more: 'x'.repeat(1_900_000) })).toMatchObject({ status: 303 })
  expect(await post(AT, { csrf, more: 'x'.repeat(2_000_000) })).toMatchObject({ status: 413 })
})
