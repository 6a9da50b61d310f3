// Who may see the dashboard.
import { type Authorize, type Operator, createDashboard } from '@keepsend/dashboard'
import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

async function openFor(authorize: Authorize) {
  const engine = await createTestEngine()
  await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks' })
  const app = new Hono().route(MOUNT, createDashboard({ engine, authorize }))
  return { engine, app }
}

describe('a request', () => {
  it('of nobody is answered with 401 by each page and form, without navigation', async () => {
    const { app } = await openFor(() => null)
    for (const [method, path] of [
      ['GET', MOUNT],
      ['GET', `${MOUNT}/endpoints`],
      ['GET', `${MOUNT}/none`],
      ['POST', `${MOUNT}/preferences`],
      ['POST', `${MOUNT}/deliveries`],
    ] as const) {
      const response = await app.request(path, { method })
      const html = await response.text()
      expect(response.status, `${method} ${path}`).toBe(401)
      expect(html).toContain('<h1>')
      expect(html).not.toMatch(/<nav|<form|customer\.example\.com/)
    }
  })

  it('for which authorize returns a response gets that response', async () => {
    const { app } = await openFor((c) => c.redirect('/sign-in'))
    const { status, headers } = await app.request(MOUNT)
    expect([status, headers.get('location')]).toEqual([302, '/sign-in'])
  })

  it('of an operator without a name or a role is not served, whatever JavaScript returned', async () => {
    const { page, as } = await openDashboard()
    for (const operator of [
      {},
      { name: '', role: 'act' },
      { name: 'a\ud800', role: 'act' },
      { name: 'a\0', role: 'act' },
      { name: 'a'.repeat(201), role: 'act' },
      { name: 'dana', role: 'ACT' },
    ]) {
      as(operator as Operator)
      expect((await page(MOUNT)).status, JSON.stringify(operator)).toBe(500)
    }
  })
})

it('the dashboard refuses to start without authorize', async () => {
  const engine = await createTestEngine()
  // @ts-expect-error authorize is missing
  expect(() => createDashboard({ engine })).toThrow('createDashboard needs authorize')
})
