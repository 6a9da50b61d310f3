import { createEngine, createKeyRing } from '@keepsend/engine'
import { sqlText } from '@keepsend/outbox/internal'
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it, vi } from 'vitest'
import { PORTAL, openPortal } from './open-portal.ts'

const URL_OF = 'https://api.bluebird.example.com/v2/hooks'
const MINUTE_MS = 60_000

type Given = NonNullable<Parameters<typeof openPortal>[0]>

/** A customer with an endpoint to which `count` events were sent. */
async function withEndpoint({
  answers = [200],
  count = 1,
  ...given
}: { answers?: readonly (number | 'timeout')[]; count?: number } & Given = {}) {
  const opened = await openPortal({ ...given, link: { capabilities: EVERYTHING, ...given.link } })
  const { engine } = opened
  const { endpoint } = await engine.endpoints.create('w1', { url: URL_OF, retrySchedule: [] })
  const ids: string[] = []
  engine.receiver.answer([...answers])
  for (let n = 0; n < count; n++) {
    const { eventId } = await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: { n, text: '<b>' } })
    ids.push(`${eventId}.${endpoint.id}`)
  }
  await engine.deliverAll({ forMs: 0 })
  // A count ends at the present time of the database, which stands still here while events get their ids.
  engine.advance(MINUTE_MS)
  /** Publishes an event, and lets the time pass after it. */
  const publish = async (): Promise<string> => {
    const { eventId } = await engine.publish({ type: 'message.posted', workspaceId: 'w1', data: {} })
    engine.advance(MINUTE_MS)
    return `${eventId}.${endpoint.id}`
  }
  return { ...opened, endpoint, ids, id: ids[0] ?? '', at: `${PORTAL}/endpoints/${endpoint.id}`, publish }
}

const EVERYTHING = ['endpoints:write', 'secrets:write', 'tests:send', 'replays:write'] as const

describe('the page of an endpoint', () => {
  it('shows the way to the first delivery until something was sent', async () => {
    const { page, at } = await withEndpoint({ count: 0 })
    const { html } = await page(at)
    expect(html).toContain('Nothing has been sent here yet')
    expect(html).toContain(`href="${at}/test"`)
    expect(html).not.toContain('<table')
  })

  it('shows the times by which the list is in order: of a success, not of its event', async () => {
    const { page, at, engine, id: first, publish } = await withEndpoint({ answers: [401] })
    engine.receiver.answer([200])
    await publish()
    await engine.deliverAll({ forMs: 0 })
    engine.advance(MINUTE_MS)
    await engine.deliveries.replay('w1', first)
    await engine.deliverAll({ forMs: 0 })
    const { html } = await page(at)
    const times = [...html.slice(html.indexOf('<tbody')).matchAll(/<time datetime="([^"]*)"/g)].map(([, time = '']) =>
      Date.parse(time),
    )
    expect(times).toHaveLength(2)
    expect(times).toEqual(times.toSorted((a, b) => b - a))
    expect(html.indexOf(first)).toBeLessThan(html.lastIndexOf('<time'))
  })

  it('lists deliveries, and finds one by its status, its type and its id', async () => {
    const { page, at, engine, id: first, publish } = await withEndpoint()
    engine.receiver.answer([401])
    const second = await publish()
    await engine.deliverAll({ forMs: 0 })
    const failed = `href="${PORTAL}/deliveries/${second}"`
    const delivered = `href="${PORTAL}/deliveries/${first}"`
    const rowsOf = async (query: string) => {
      const { html } = await page(`${at}?${query}`)
      return { delivered: html.includes(delivered), failed: html.includes(failed) }
    }
    expect(await rowsOf('')).toEqual({ delivered: true, failed: true })
    expect(await rowsOf('status=failed')).toEqual({ delivered: false, failed: true })
    expect(await rowsOf('type=message.posted&time=1h')).toEqual({ delivered: true, failed: true })
    expect(await rowsOf('type=other')).toEqual({ delivered: false, failed: false })
    expect(await rowsOf(`q=${first}`)).toEqual({ delivered: true, failed: false })
    expect((await page(`${at}?q=Lisbon`)).html).toContain('is no id of an event or a delivery')
  })

  it('goes on by key, and each delivery is on one page', async () => {
    const { page, at } = await withEndpoint({ count: 60 })
    const seen: string[] = []
    let next: string | undefined = at
    for (let pages = 0; next !== undefined && pages < 5; pages++) {
      const { html }: { html: string } = await page(next)
      seen.push(
        ...[...html.matchAll(/<td class="a nw"><a href="[^"]+\/deliveries\/([^"]+)"/g)].map(([, id]) => id ?? ''),
      )
      next = /href="([^"]+before=[^"]+)"/.exec(html)?.[1]?.replaceAll('&amp;', '&')
    }
    expect([seen.length, new Set(seen).size]).toEqual([60, 60])
  })

  it('says what fails, since when, the likely fix, and offers to send exactly those again', async () => {
    const { page, at } = await withEndpoint({ answers: [401], count: 3 })
    const { html } = await page(at)
    expect(html).toMatch(/3 deliveries were refused with 401 since \d\d:\d\d UTC/)
    expect(html).toContain('Check the secret, and each signature of the header.')
    expect(html).toMatch(/href="[^"]+\/resend\?since=\d+"[^>]*>.*?Send 3 again/s)
  })

  it('connects refusals with a secret that was changed shortly before', async () => {
    const { engine, page, at, endpoint, publish } = await withEndpoint({ count: 0 })
    await engine.endpoints.rotateSecret('w1', endpoint.id)
    engine.receiver.answer([401])
    await publish()
    await engine.deliverAll()
    expect((await page(at)).html).toContain('The signing secret was changed at')
  })

  it('says that the circuit is open, and how many wait', async () => {
    const { page, at } = await withEndpoint({ answers: [503], count: 14 })
    const { html } = await page(at)
    expect(html).toMatch(/\d+ deliver(y is|ies are) waiting\. Your endpoint keeps failing/)
    expect(html).toContain('On hold')
    expect(html).not.toContain('circuit open')
  })

  it('says until when it is paused', async () => {
    const { engine, page, at, endpoint } = await withEndpoint()
    await engine.endpoints.pause('w1', endpoint.id)
    expect((await page(at)).html).toContain('They are sent when the pause ends.')
  })

  it('says that deliveries wait for the rate limit', async () => {
    const { engine, page, at, endpoint, publish } = await withEndpoint({ count: 0 })
    await engine.endpoints.update('w1', endpoint.id, { rateLimit: 1, ratePeriod: 'hour' })
    for (let n = 0; n < 3; n++) await publish()
    await engine.deliverAll({ forMs: MINUTE_MS })
    expect((await page(at)).html).toContain('The limit of this endpoint is 1 an hour.')
  })

  it('does the same number of statements for two deliveries as for nine', async () => {
    const statements = async (count: number): Promise<number> => {
      const { engine, page, at } = await withEndpoint({ answers: [401], count })
      await page(at)
      const run = vi.spyOn(engine.db, 'run')
      await page(at)
      return run.mock.calls.length
    }
    // Fewer than open the circuit; the count of those that failed reads pages of 1,000.
    expect(await statements(9)).toBe(await statements(2))
  })
})

describe('a disabled endpoint', () => {
  it('that was disabled by the sender has no button, but says whom to ask', async () => {
    const { engine, page, at, endpoint } = await withEndpoint()
    await engine.endpoints.setStatus('w1', endpoint.id, 'disabled', { by: 'dana' })
    const { html } = await page(at)
    expect(html).toContain('Plover disabled this endpoint')
    expect(html).toContain('Ask Plover to enable it.')
    expect(html).not.toContain('/enable"')
    expect(html).not.toContain('dana')
  })

  it('that the customer disabled is enabled by the customer', async () => {
    const { engine, page, at, endpoint } = await withEndpoint()
    await engine.endpoints.setStatus('w1', endpoint.id, 'disabled', { by: 'portal: eve' })
    const { html } = await page(at)
    expect(html).toContain('You disabled this endpoint')
    expect(html).toContain(`action="${at}/enable"`)
  })

  it('that answered 410 says so, and how many go out when it is enabled', async () => {
    const { page, at, publish } = await withEndpoint({ answers: [410] })
    await publish()
    const { html } = await page(at)
    for (const part of [
      'your server answered 410 Gone',
      'The last error was',
      '1 delivery is waiting.',
      'Enable and send 1',
    ])
      expect(html).toContain(part)
  })

  it('that failed for days says from when to when', async () => {
    const engine = await createTestEngine({ history: true, circuit: { disableAfterMs: 60 * MINUTE_MS } })
    const { page, at, publish } = await withEndpoint({
      engine,
      answers: ['timeout'],
      count: 3,
      link: { expiresInMs: 1440 * MINUTE_MS },
    })
    engine.advance(120 * MINUTE_MS)
    await publish()
    await engine.deliverAll()
    const { html } = await page(at)
    expect(html).toMatch(/Disabled: no request succeeded for 2\u202fh/)
    expect(html).toContain('No answer in time')
  })

  it('whose server asked for it says how to take that back', async () => {
    const { engine, page, at, publish } = await withEndpoint({ count: 0 })
    engine.receiver.answer([{ status: 200, headers: { 'webhook-delivery': 'disable' } }])
    await publish()
    await engine.deliverAll()
    expect((await page(at)).html).toContain('Remove the header.')
  })

  it('is enabled by a link that allows it, and no other', async () => {
    const { page, at } = await withEndpoint({ answers: [410], link: { capabilities: ['replays:write'] } })
    const { html } = await page(at)
    expect(html).toContain('Your link does not allow you to enable it.')
    expect(html).not.toContain('/enable"')
    expect(html).not.toContain(`href="${at}/test"`)
  })
})

describe('the page of a delivery', () => {
  it('shows both sides of an attempt, the reason and the likely fix', async () => {
    const { page, id, endpoint } = await withEndpoint({ answers: [401] })
    const { html, status } = await page(`${PORTAL}/deliveries/${id}`)
    expect(status).toBe(200)
    for (const part of [
      '401 Unauthorized',
      'so we did not try again',
      'POST /v2/hooks',
      '&lt;b&gt;',
      'How to check signatures',
    ])
      expect(html).toContain(part)
    expect(html).toContain(`href="${PORTAL}/endpoints/${endpoint.id}"`)
  })

  it('shows the body of one that was delivered, and sends it again', async () => {
    const { engine, page, send, id } = await withEndpoint()
    const at = `${PORTAL}/deliveries/${id}`
    expect((await page(at)).html).toContain('&lt;b&gt;')
    expect(await send(at, at, { do: 'replay' })).toMatchObject({ status: 303, location: at })
    engine.receiver.answer([200])
    expect(await engine.deliverAll()).toMatchObject({ delivered: 1 })
    const audit = await engine.audit.list('w1', { limit: 1 })
    expect(audit.rows).toMatchObject([{ verb: 'delivery.replay', by: expect.stringMatching(/^portal: /) }])
  })

  it('offers no replay to a link without that right, and refuses it', async () => {
    const { engine, page, send, id, at: endpointPage } = await withEndpoint({ link: { capabilities: ['tests:send'] } })
    const at = `${PORTAL}/deliveries/${id}`
    expect((await page(at)).html).not.toContain('Send again')
    expect((await page(endpointPage)).html).not.toContain('/resend')
    const before = await engine.audit.list('w1', { limit: 10 })
    expect(await send(`${PORTAL}/preferences`, at, { do: 'replay' })).toMatchObject({ status: 403 })
    expect(await send(`${PORTAL}/preferences`, `${endpointPage}/resend`, { what: 'failed' })).toMatchObject({
      status: 403,
    })
    expect((await page(`${endpointPage}/resend`)).status).toBe(403)
    expect(await engine.audit.list('w1', { limit: 10 })).toEqual(before)
  })

  it('hides texts that may name hosts of the sender', async () => {
    const { engine, page, id } = await withEndpoint({ answers: [500] })
    await engine.db.run(
      sqlText`update pending_events set last_status = null, last_error = 'egress_proxy: proxy-7.internal refused'`,
    )
    await engine.db.run(sqlText`
      update keepsend_attempts set http_status = null, error_class = 'egress_proxy', error = 'egress_proxy: proxy-7.internal refused'`)
    const { html } = await page(`${PORTAL}/deliveries/${id}`)
    expect(html).toContain('Proxy failed')
    expect(html).not.toContain('proxy-7.internal')
  })

  it('says that a value of the answer is not stored', async () => {
    const { engine, page, publish } = await withEndpoint({ count: 0 })
    engine.receiver.answer([{ status: 500, headers: { 'set-cookie': 'session=s3cret' } }])
    const id = await publish()
    await engine.deliverAll({ forMs: 0 })
    const { html } = await page(`${PORTAL}/deliveries/${id}`)
    expect(html).toMatch(/set-cookie<\/dt><dd><span class="dim">value not stored/)
    expect(html).not.toContain('s3cret')
  })
})

describe('sending again', () => {
  it('counts, sends exactly those, and shows the progress', async () => {
    const { engine, page, send, at, ids } = await withEndpoint({ answers: [401], count: 4 })
    const ask = `${at}/resend`
    const { html } = await page(ask)
    expect(html).toContain('Send 4 deliveries again?')
    const fields = fieldsOf(html, 'post')
    expect(await send(ask, ask, fields)).toMatchObject({ status: 303, location: at })
    expect((await page(at)).html).toContain('0 of 4 sent.')
    await engine.worker.stepReplays()
    expect((await page(at)).html).toContain('4 deliveries were put in line again')
    engine.receiver.answer([200])
    await engine.deliverAll()
    const { rows } = await engine.deliveries.list('w1', { limit: 10, status: 'completed' })
    expect(rows.map(({ id }) => id).toSorted()).toEqual(ids.toSorted())
  })

  it('starts once an hour, and says when the next is possible', async () => {
    const { engine, page, send, at } = await withEndpoint({ answers: [401], count: 2 })
    const ask = `${at}/resend`
    const fields = fieldsOf((await page(ask)).html, 'post')
    await send(ask, ask, fields)
    await engine.worker.stepReplays()
    engine.receiver.answer([401])
    await engine.deliverAll({ forMs: 0 })
    engine.advance(MINUTE_MS)
    const later = await page(ask)
    expect(later.html).toMatch(/The next time is at \d\d:\d\d:\d\d UTC, in 1\u202fh/)
    expect(later.html).not.toContain('method="post" action="' + ask)
    const refused = await send(ask, ask, fields)
    expect(refused).toMatchObject({ status: 409, html: expect.stringContaining('This was done less than an hour ago') })
  })

  it('finds what was missed, where events are recorded', async () => {
    const { page, at } = await withEndpoint({ answers: [401], count: 2 })
    expect((await page(`${at}/resend?what=missed&time=7d`)).html).toContain('missed since')
  })

  it('says that there is nothing, and refuses a time that is none', async () => {
    const { page, at } = await withEndpoint()
    const { html } = await page(`${at}/resend`)
    expect(html).toContain('There is nothing to send again')
    expect(html).not.toContain('name="until"')
    for (const since of ['x', '-1', '9'.repeat(20), '1e3'])
      expect(await page(`${at}/resend?since=${since}`)).toMatchObject({ status: 400 })
  })
})

describe('without history', () => {
  it('the pages show the last error and the status, and say that attempts are not recorded', async () => {
    const test = await createTestEngine()
    const bare = createEngine({
      db: test.db,
      queue: { send: async () => {} },
      secrets: createKeyRing([{ id: 'test', key: Buffer.alloc(32, 'keepsend').toString('base64') }]),
    })
    const { page, at, id } = await withEndpoint({ answers: [401], engine: { ...test, ...bare, worker: test.worker } })
    const list = await page(at)
    expect(list.html).toContain('Deliveries that arrived are not recorded.')
    const { html } = await page(`${PORTAL}/deliveries/${id}`)
    for (const part of ['401 Unauthorized', 'Attempts are not recorded, so only the last error is known.'])
      expect(html).toContain(part)
    expect(html).not.toContain('class="attempts')
    expect(html).not.toContain('history: true')
  })
})

/** The hidden fields of the form with this method. */
function fieldsOf(html: string, method: string): Record<string, string> {
  const [, form = ''] = new RegExp(`<form method="${method}" action="[^"]*resend">(.*?)</form>`, 's').exec(html) ?? []
  const fields = [...form.matchAll(/name="(\w+)" value="([^"]*)"/g)].map(([, name = '', value = '']) => [name, value])
  return Object.fromEntries(fields.filter(([name]) => name !== 'csrf'))
}
