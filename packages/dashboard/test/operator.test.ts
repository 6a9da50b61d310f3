import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { createDashboard } from '@keepsend/dashboard'
import { Hono } from 'hono'
import { copyDelivery } from './copy-delivery.ts'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { visitor } from './visitor.ts'

async function withFailed(count: number) {
  const opened = await openDashboard()
  const { engine } = opened
  const { endpoint } = await engine.endpoints.create('w1', {
    url: 'https://customer.example.com/hooks/in?token=secret',
  })
  engine.receiver.answer([422])
  const ids: string[] = []
  for (let n = 0; n < count; n++) {
    const { eventId } = await engine.publish({ type: 'a.b', workspaceId: 'w1', data: { secret: 'hunter2' } })
    ids.push(`${eventId}.${endpoint.id}`)
  }
  await engine.deliverAll()
  // A replay takes what was settled before it was made.
  engine.advance(1000)
  return { ...opened, endpoint, ids, at: `${MOUNT}/endpoints/w1/${endpoint.id}` }
}

function hrefTo(html: string, words: string): string {
  const href = [...html.matchAll(/<a [^>]*href="([^"]+)"[^>]*>((?:(?!<\/a>).)*)<\/a>/gs)].find(([, , inner = '']) =>
    inner.includes(words),
  )?.[1]
  return (href ?? '').replaceAll('&amp;', '&')
}

describe('all deliveries that match a filter', () => {
  it('are counted before a second confirmation replays them', async () => {
    const { engine, page, send } = await withFailed(60)
    const { html: list } = await page(`${MOUNT}/deliveries?status=failed&time=7d`)
    const href = hrefTo(list, 'Select all that match')
    const { html } = await page(href)
    expect(html).toContain('Replay 60 deliveries')
    expect((await engine.replays.list('w1', { limit: 1 })).rows).toEqual([])
    const fields = Object.fromEntries(new URL(href, 'https://x').searchParams)
    const { location } = await send(href, `${MOUNT}/replays`, fields)
    expect(location).toMatch(/\/replays\/rep_/)
    expect((await engine.replays.list('w1', { limit: 1 })).rows).toMatchObject([{ what: 'failed', planned: 60 }])
  })

  it('are only those of the response, where the list has one', async () => {
    const { page } = await withFailed(3)
    const { html: list } = await page(`${MOUNT}/deliveries?http=5xx&workspace=w1&time=7d`)
    expect(list).toContain('No delivery matches')
    const { html } = await page(hrefTo(list, 'Replay by filter'))
    expect(html).toContain('Nothing to replay')
  })
})

describe('the form of a replay', () => {
  it('leads to the one that runs where the engine would refuse another of the endpoint', async () => {
    const { engine, page, endpoint } = await withFailed(3)
    const { id } = await engine.replays.create('w1', { what: 'failed', endpointId: endpoint.id, rate: 1 })
    const at = `${MOUNT}/replays/new?what=failed&workspace=w1`
    const { html } = await page(`${at}&endpoint=${endpoint.id}`)
    expect(html).toContain('A replay of this endpoint has not ended.')
    expect(html).toContain(`href="${MOUNT}/replays/${id}"`)
    expect(html).not.toContain(`action="${MOUNT}/replays"`)
    // One of several endpoints is another one, which runs beside it.
    expect((await page(at)).html).toContain(`action="${MOUNT}/replays"`)

    await engine.replays.cancel('w1', id)
    expect((await page(`${at}&endpoint=${endpoint.id}`)).html).toContain(`action="${MOUNT}/replays"`)
  })
})

describe('chosen deliveries', () => {
  it('are given up after a confirmation, which names their number', async () => {
    const { engine, send, page, endpoint } = await withFailed(0)
    await engine.endpoints.pause('w1', endpoint.id)
    const { eventId } = await engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    const id = `${eventId}.${endpoint.id}`
    const at = `${MOUNT}/deliveries`
    const asked = await send(at, at, { do: 'ask-give-up', id })
    expect(asked.html).toContain('Give up this delivery?')
    expect(await engine.deliveries.get('w1', id)).toMatchObject({ status: 'held' })
    const given = await send(at, at, { do: 'give-up', id })
    expect(given.html).toContain('1 delivery was given up')
    expect(await engine.deliveries.get('w1', id)).toMatchObject({ status: 'failed', lastError: 'given_up' })
    expect((await page(`${at}/${id}`)).html).toContain('Given up')
  })

  it('lead back to the list that they were chosen from, and to no other site', async () => {
    const { send, ids } = await withFailed(1)
    const at = `${MOUNT}/deliveries`
    const fields = { do: 'replay', id: ids[0] ?? '' }
    const { html } = await send(at, at, { ...fields, back: `${at}?status=failed` })
    expect(html).toContain(`href="${at}?status=failed"`)
    const evil = await send(at, at, { ...fields, back: 'https://evil.example.com/' })
    expect(evil.html).not.toContain('evil.example.com')
  })
})

it('the text for support has ids, times and errors, and neither payload nor secrets', async () => {
  const { page, ids } = await withFailed(1)
  const { html } = await page(`${MOUNT}/deliveries/${ids[0]}`)
  const text = /data-copy="(Delivery: [^"]+)"/.exec(html)?.[1] ?? ''
  expect(text).toContain(ids[0])
  expect(text).toContain('422 Unprocessable Content')
  expect(text).toContain('https://customer.example.com/hooks/in')
  expect(text).not.toMatch(/hunter2|token=secret/)
})

describe('an endpoint', () => {
  it('is paused for the length that was chosen', async () => {
    const { engine, send, page, endpoint, at } = await withFailed(0)
    expect((await page(`${at}/pause`)).html).toContain('8 hours')
    await send(`${at}/pause`, at, { do: 'pause', for: String(8 * 3_600_000) })
    const { pausedUntil } = await engine.endpoints.get('w1', endpoint.id)
    expect(Math.round(((pausedUntil ?? 0) - engine.now()) / 3_600_000)).toBe(8)
  })

  it('with an open circuit is probed by one of its held deliveries', async () => {
    const { engine, send, page, endpoint, at } = await withFailed(0)
    engine.receiver.answer(['timeout'])
    for (let n = 0; n < 5; n++) await engine.publish({ type: 'a.b', workspaceId: 'w1', data: { n } })
    await expect(engine.deliverAll({ maxAttempts: 6 })).rejects.toThrow('deliveries still wait')
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ circuit: 'open' })
    const { html } = await page(at)
    expect(html).toContain('so the circuit is open')
    const { location } = await send(at, at, { do: 'probe' })
    expect(location).toBe(at)
    const { rows } = await engine.audit.list('w1', { limit: 1 })
    expect(rows).toMatchObject([{ verb: 'delivery.retry_now', by: 'dana' }])
  })

  it('is changed with filter, period and headers, whose values stay when they are not typed', async () => {
    const { engine, send, page, endpoint, at } = await withFailed(0)
    await engine.endpoints.update('w1', endpoint.id, {
      headers: { 'x-tenant': 'porto' },
      rateLimit: 5,
      ratePeriod: 'hour',
    })
    const { html } = await page(`${at}/edit`)
    expect(html).toContain('<option value="hour" selected')
    expect(html).not.toContain('porto')
    const revision = /name="revision" value="(\d+)"/.exec(html)?.[1] ?? ''
    const typed = { revision, url: endpoint.url, all: 'all', rate: '9', ratePeriod: 'minute', deadline: '5' }
    const filter = '{ "data.channel": { "$in": ["general"] } }'
    expect(await send(`${at}/edit`, `${at}/edit`, { ...typed, filter })).toMatchObject({ status: 303 })
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({
      filter: { 'data.channel': { $in: ['general'] } },
      rateLimit: 9,
      ratePeriod: 'minute',
      deadlineMs: 5000,
      headerNames: ['x-tenant'],
    })
  })

  it('keeps nothing of a filter that is no JSON, and shows what was typed', async () => {
    const { send, at, endpoint } = await withFailed(0)
    const typed = { revision: '1', url: endpoint.url, all: 'all', filter: '{ nonsense' }
    const { status, html } = await send(`${at}/edit`, `${at}/edit`, typed)
    expect(status).toBe(400)
    expect(html).toContain('the filter must be JSON')
    expect(html).toContain('{ nonsense</textarea>')
  })
})

describe('portal links', () => {
  async function withPortal(portalUrl?: string) {
    const engine = await createTestEngine({ history: true })
    const authorize = () => ({ name: 'dana', role: 'act' }) as const
    return { engine, ...visitor(new Hono().route(MOUNT, createDashboard({ engine, authorize, portalUrl }))) }
  }
  const at = `${MOUNT}/workspaces/w1`

  it('are shown once as a whole URL, with what they allow, and end when they are ended', async () => {
    const { engine, send, page } = await withPortal('https://app.example.com/webhooks/')
    const fields = { may: 'tests:send', ends: String(900_000), uses: 'many', who: 'mem_9' }
    const { html } = await send(at, `${at}/links`, fields)
    const token = /<code>https:\/\/app\.example\.com\/webhooks\/enter\/([\w-]{43})<\/code>/.exec(html)?.[1] ?? ''
    const made = await engine.portalLinks.find(token)
    expect(made).toMatchObject({ capabilities: ['tests:send'], uses: 'many', subject: 'mem_9', createdBy: 'dana' })
    const { html: listed } = await page(at)
    expect(listed).toContain('Send tests')
    expect(listed).not.toContain(token)
    await send(at, `${at}/links/${made?.id}`, {})
    expect(await engine.portalLinks.find(token)).toMatchObject({ state: 'revoked' })
  })

  it('are shown as a token where the dashboard does not know the portal', async () => {
    const { send, page } = await withPortal()
    expect((await page(at)).html).toContain('The option portalUrl of createDashboard')
    expect((await send(at, `${at}/links`, {})).html).toMatch(/<code>[\w-]{43}<\/code>/)
  })

  it('need an address that is one', async () => {
    await expect(withPortal('javascript:alert(1)')).rejects.toThrow('portalUrl must be an http or https address')
  })
})

it('an API key is rotated, and shown once', async () => {
  const { engine, send } = await openDashboard()
  const made = await engine.apiKeys.create({ workspaceId: 'w1', name: 'backend' })
  const at = `${MOUNT}/workspaces/w1/keys`
  const { html } = await send(at, `${at}/${made.id}`, { do: 'rotate' })
  expect(html).toMatch(/<code>ks_[^<]+<\/code>/)
  expect(await engine.apiKeys.list('w1')).toHaveLength(2)
})

it('the page of a running replay fetches itself again, and that of a finished one does not', async () => {
  const { engine, page } = await withFailed(3)
  const job = await engine.replays.create('w1', { what: 'failed', rate: 1 })
  const at = `${MOUNT}/replays/${job.id}`
  const { html } = await page(at)
  expect(html).toMatch(/<main[^>]* data-live="\d+" data-stale="[^"]+"/)
  // Without script the browser loads it.
  expect(html).toContain('<noscript><meta http-equiv="refresh" content="5"/></noscript>')
  await engine.replays.cancel('w1', job.id)
  expect((await page(at)).html).not.toMatch(/http-equiv="refresh"|data-live|data-stale/)
})

it('events are found by a value of their payload', async () => {
  const engine = await createTestEngine({ history: { search: ['data.order'] } })
  for (const order of ['ord_1', 'ord_2']) await engine.publish({ type: 'a.b', workspaceId: 'w1', data: { order } })
  const { page } = await openDashboard(undefined, engine)
  const { html } = await page(`${MOUNT}/published?workspace=w1&value=ord_2`)
  expect(html.match(/\/published\/w1\/evt_/g)).toHaveLength(1)
  expect((await page(`${MOUNT}/published?workspace=w1&value=ord_*`)).html.match(/\/published\/w1\/evt_/g)).toHaveLength(
    2,
  )
  expect((await page(`${MOUNT}/published?value=ord_1`)).html).toContain('a search needs one workspace')
})

it('the overview says that it counts no more than 100,000 deliveries', async () => {
  const { engine, page } = await withFailed(1)
  const least = 'are at least these numbers'
  expect((await page(MOUNT)).html).not.toContain(least)
  await copyDelivery(engine.db, 100_000)
  expect((await page(MOUNT)).html).toContain(least)
})
