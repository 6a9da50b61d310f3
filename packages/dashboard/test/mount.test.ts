// Where the pages are mounted, and where their links and redirects lead.
import { createDashboard } from '@keepsend/dashboard'
import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

const authorize = () => ({ name: 'dana', role: 'act' }) as const

it('answers the address with a slash at its end by the one without, and every address below it with a way home', async () => {
  const { request, page } = await openDashboard()
  const response = await request(`${MOUNT}/?range=1h`)
  expect([response.status, response.headers.get('location')]).toEqual([308, `${MOUNT}?range=1h`])
  expect(await page(`${MOUNT}/no/such/page`)).toMatchObject({
    status: 404,
    html: expect.stringContaining(`class="btn primary" href="${MOUNT}"`),
  })
})

it('redirects to no other host where it is mounted at the root', async () => {
  const engine = await createTestEngine()
  const app = new Hono().route('/', createDashboard({ engine, authorize: () => ({ name: 'dana', role: 'read' }) }))
  for (const path of ['//evil.example/', '//evil.example//', '/%5Cevil.example/']) {
    const { headers } = await app.request(`https://app.example.com${path}`)
    expect(new URL(headers.get('location') ?? '/', 'https://app.example.com').host).toBe('app.example.com')
  }
})

describe('behind a proxy that removes a part of the path', () => {
  it('links, files, redirects and cookies have that part again', async () => {
    const { app, page } = await openDashboard()
    const headers = { 'x-forwarded-prefix': '/team-7' }
    const html = await (await app.request(MOUNT, { headers })).text()
    const addresses = [...html.matchAll(/(?:href|src|action)="(\/[^"]*)"/g)].map(([, address = '']) => address)
    expect(addresses.length).toBeGreaterThan(10)
    expect(addresses.filter((address) => !address.startsWith(`/team-7${MOUNT}`))).toEqual([])
    const redirect = await app.request(`${MOUNT}/?range=1h`, { headers })
    expect(redirect.headers.get('location')).toBe(`/team-7${MOUNT}?range=1h`)
    const csrf = /name="csrf" value="([0-9a-f]+)"/.exec((await page(MOUNT)).html)?.[1] ?? ''
    const body = new URLSearchParams({ csrf, theme: 'dark' })
    const chosen = await app.request(`${MOUNT}/preferences`, { method: 'POST', headers, body })
    expect(chosen.headers.get('location')).toBe(`/team-7${MOUNT}`)
    expect(chosen.headers.getSetCookie()).toEqual([expect.stringContaining(`Path=/team-7${MOUNT};`)])
  })

  it('the option basePath names the whole path, and no slash at its end', async () => {
    const engine = await createTestEngine()
    const app = new Hono().route('/', createDashboard({ engine, authorize, basePath: '/team-7/hooks' }))
    expect(await (await app.request('/')).text()).toContain('href="/team-7/hooks/deliveries"')
    for (const basePath of [
      '/',
      '/hooks/',
      '//evil.example',
      '/a//b',
      'hooks',
      '/a?b',
      'https://app.example.com/hooks',
    ])
      expect(() => createDashboard({ engine, authorize, basePath }), basePath).toThrow('basePath must be a path')
  })
})

it.each([
  ['portalUrl', 'portalUrl', (portalUrl: string) => ({ portalUrl })],
  ['of a link', 'links[0].href', (href: string) => ({ links: [{ name: 'Runbook', href }] })],
])('an address %s is of http or https, or a path of the same host', async (_, name, optionsOf) => {
  const engine = await createTestEngine()
  const create = (url: string) => createDashboard({ engine, authorize, ...optionsOf(url) })
  for (const url of ['https://app.example.com/webhooks', 'http://localhost:3000', '/webhooks', '/'])
    expect(() => create(url), url).not.toThrow()
  for (const url of ['javascript:alert(1)', '//evil.example/webhooks', 'app.example.com', 'data:,', ''])
    expect(() => create(url), url).toThrow(`${name} must be an http or https address, or a path`)
})
