import { DEFAULT_SCOPES, EngineError } from '@keepsend/engine'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'

async function withDelivery(answers: (number | 'timeout')[] = [200]) {
  const opened = await openDashboard()
  const { engine } = opened
  const { endpoint } = await engine.endpoints.create('w1', { url: 'https://customer.example.com/hooks/in' })
  const { eventId } = await engine.publish({
    type: 'message.created',
    workspaceId: 'w1',
    data: { id: 9007199254740993n.toString(), text: '<b>' },
  })
  engine.receiver.answer(answers)
  await engine.deliverAll()
  return { ...opened, endpoint, eventId, id: `${eventId}.${endpoint.id}` }
}

describe('the overview', () => {
  it('shows the first steps before there is a workspace', async () => {
    const { page } = await openDashboard()
    const { status, html } = await page(MOUNT)
    expect(status).toBe(200)
    expect(html).toContain('Nothing has been published yet')
  })

  it('counts what was delivered', async () => {
    const { page } = await withDelivery()
    const { html } = await page(MOUNT)
    expect(html).toContain('100.0% of what was settled')
    expect(html).not.toContain('Needs attention')
  })
})

it('answers at the address of its own links to the first page, and keeps their range', async () => {
  const { page } = await withDelivery()
  const { html } = await page(MOUNT)
  const links = [...html.matchAll(/href="([^"]*)"/g)].map(([, href = '']) => href.replaceAll('&amp;', '&'))
  const home = links.filter((href) => new URL(href, 'http://x').pathname.replace(/\/$/, '') === MOUNT)
  expect(home.length).toBeGreaterThan(2)
  for (const href of home) expect([href, (await page(href)).status]).toEqual([href, 200])
})

describe('deliveries', () => {
  it('lists a delivery and links to it', async () => {
    const { page, id } = await withDelivery()
    const { html } = await page(`${MOUNT}/deliveries`)
    expect(html).toContain(`href="${MOUNT}/deliveries/${id}"`)
    expect(html).toContain('Delivered')
  })

  it('shows why a delivery failed and the likely fix, and replays it', async () => {
    const { page, send, id, engine } = await withDelivery([401])
    const { html } = await page(`${MOUNT}/deliveries/${id}`)
    expect(html).toContain('The endpoint refused the request.')
    expect(html).toContain('&lt;b&gt;')
    const sent = await send(`${MOUNT}/deliveries/${id}`, `${MOUNT}/deliveries/${id}`, { do: 'replay' })
    expect(sent).toMatchObject({ status: 303, location: `${MOUNT}/deliveries/${id}` })
    engine.receiver.answer([200])
    expect(await engine.deliverAll()).toMatchObject({ delivered: 1 })
    const audit = await engine.audit.list('w1', { limit: 10 })
    expect(audit.rows).toContainEqual(expect.objectContaining({ verb: 'delivery.replay', by: 'dana' }))
  })

  it('refuses a form without its token, from another site, and from a reader', async () => {
    const { send, id, engine, as } = await withDelivery([401])
    const at = `${MOUNT}/deliveries/${id}`
    expect(await send(at, at, { do: 'replay', csrf: '0'.repeat(128) })).toMatchObject({ status: 403 })
    expect(await send(at, at, { do: 'replay' }, { 'sec-fetch-site': 'cross-site' })).toMatchObject({ status: 403 })
    as({ name: 'eve', role: 'read' })
    expect(await send(at, at, { do: 'replay' })).toMatchObject({ status: 403 })
    expect((await engine.deliveries.list('w1', { limit: 1 })).rows).toMatchObject([{ status: 'failed' }])
  })

  it('says that a delivery is not stored', async () => {
    const { page } = await withDelivery()
    const { status, html } = await page(`${MOUNT}/deliveries/evt_nothing`)
    expect({ status, isSaid: html.includes('This is not stored any more') }).toEqual({ status: 404, isSaid: true })
  })
})

describe('the form of an API key', () => {
  it('offers the scopes that a key has by default, and no other is chosen', async () => {
    const { page } = await withDelivery()
    const { html } = await page(`${MOUNT}/workspaces/w1/keys`)
    const chosen = [...html.matchAll(/name="scopes" value="([^"]+)" checked/g)].map(([, scope]) => scope)
    expect(chosen).toEqual(DEFAULT_SCOPES)
  })
})

describe('an action', () => {
  it('takes as long as its endpoint: only pages are given up after five seconds', async () => {
    const opened = await withDelivery()
    const { endpoint, engine } = opened
    const begun = Promise.withResolvers<void>()
    const sent = Promise.withResolvers<never>()
    const sendTest = async () => {
      begun.resolve()
      return sent.promise
    }
    const slow = Object.assign(Object.create(engine) as typeof engine, { sendTest })
    const { send } = await openDashboard({ name: 'dana', role: 'act' }, slow)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    const at = `${MOUNT}/endpoints/w1/${endpoint.id}/test`
    const answer = send(at, at, { type: 'test', data: '{}' })
    await begun.promise
    await vi.advanceTimersByTimeAsync(20_000)
    sent.reject(new EngineError('too_many_requests', 'a test is in flight'))
    expect((await answer).html).toContain('a test is in flight')
  })
})

it('replays as many deliveries at a time as a page has', async () => {
  const { app, page } = await openDashboard()
  const { html } = await page(`${MOUNT}/preferences`)
  const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
  const body = new URLSearchParams([['csrf', csrf], ...Array.from({ length: 51 }, (_, n) => ['id', `evt_${n}`])])
  const response = await app.request(`http://x${MOUNT}/deliveries`, { method: 'POST', body })
  expect([response.status, (await response.text()).includes('at most 50 deliveries')]).toEqual([400, true])
})

it('compresses its pages and its stylesheet for who accepts that, and for nobody else', async () => {
  const { request } = await openDashboard()
  const html = await (await request(MOUNT)).text()
  const stylesheet = /<link rel="stylesheet" href="([^"]+)"/.exec(html)?.[1] ?? ''
  for (const path of [MOUNT, stylesheet]) {
    const response = await request(path, { headers: { 'accept-encoding': 'gzip, br' } })
    expect([response.headers.get('content-encoding'), response.headers.get('vary')]).toEqual([
      'gzip',
      'Accept-Encoding',
    ])
    const plain = await request(path)
    expect([plain.headers.get('content-encoding'), plain.headers.get('vary')]).toEqual([null, 'Accept-Encoding'])
    const bytes = await new Response(response.body?.pipeThrough(new DecompressionStream('gzip'))).text()
    // Only the token of the forms differs.
    expect(bytes.replace(/[0-9a-f]{128}/g, '')).toBe((await plain.text()).replace(/[0-9a-f]{128}/g, ''))
  }
})
