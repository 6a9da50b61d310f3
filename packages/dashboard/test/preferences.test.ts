import { createDashboard } from '@keepsend/dashboard'
import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { visitor } from './visitor.ts'

const AT = `${MOUNT}/preferences`

describe('preferences', () => {
  it('stay as they were chosen when the form is sent again', async () => {
    const { send, page } = await openDashboard()
    await send(AT, AT, { zone: 'Europe/Berlin', keys: 'off', language: 'en' })
    const { html } = await page(AT)
    expect(html).toContain('<option value="Europe/Berlin" selected')
    expect(html).toContain('<option value="off" selected')
  })

  it('are cookies that no script reads, for a year and for the pages alone', async () => {
    const { app, page } = await openDashboard()
    const csrf = /name="csrf" value="([0-9a-f]+)"/.exec((await page(AT)).html)?.[1] ?? ''
    const body = new URLSearchParams({
      csrf,
      zone: 'Asia/Tokyo',
      theme: 'dark',
      unknown: 'x',
      language: 'x'.repeat(65),
    })
    const { headers } = await app.request(AT, { method: 'POST', body })
    const rest = `Max-Age=31536000; Path=${MOUNT}; HttpOnly; SameSite=Lax`
    expect(headers.getSetCookie()).toEqual([`keepsend_theme=dark; ${rest}`, `keepsend_zone=Asia%2FTokyo; ${rest}`])
  })

  it('lead back to the page that they were chosen on, and to no address outside of the pages', async () => {
    const { send } = await openDashboard()
    for (const back of [MOUNT, `${MOUNT}?range=1h`, `${MOUNT}/deliveries?status=failed&before=a%3Ab`])
      expect(await send(AT, AT, { back })).toMatchObject({ status: 303, location: back })
    for (const back of [
      '',
      'https://evil.example/',
      '//evil.example',
      '/admin',
      `${MOUNT}evil`,
      `${MOUNT}/../../users`,
      `${MOUNT}/%2e%2E/users`,
      `${MOUNT}/\\evil.example`,
      `https://evil.example${MOUNT}/`,
      `${MOUNT}/a\nset-cookie: a=b`,
    ])
      expect(await send(AT, AT, { back }), back).toMatchObject({ status: 303, location: MOUNT })
  })

  it('lead to no other host where the pages are mounted at the root', async () => {
    const engine = await createTestEngine()
    const authorize = () => ({ name: 'dana', role: 'read' }) as const
    const { send } = visitor(new Hono().route('/', createDashboard({ engine, authorize })))
    const sent = (back: string) => send('/preferences', '/preferences', { back })
    expect(await sent('/deliveries?status=failed')).toMatchObject({ location: '/deliveries?status=failed' })
    for (const back of ['//evil.example', '/\\evil.example', '/\t/evil.example'])
      expect(await sent(back), back).toMatchObject({ status: 303, location: '/' })
  })

  it('that a cookie has and nobody could have chosen are those of the default', async () => {
    const { app } = await openDashboard()
    const cookie = 'keepsend_zone=Mars/Olympus; keepsend_language=xx-!; keepsend_theme=pink; keepsend_keys=maybe'
    const response = await app.request(AT, { headers: { cookie } })
    const html = await response.text()
    expect(response.status).toBe(200)
    for (const part of ['<html lang="en">', '<option value="UTC" selected', '<option value="on" selected'])
      expect(html).toContain(part)
  })
})
