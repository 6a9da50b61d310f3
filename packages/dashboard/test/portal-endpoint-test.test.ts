// The page that sends a test event, to a real receiver, and the sample by which a receiver in Node verifies it.
import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { DurableEventQueue, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { createPortal, createPortalLink } from '@keepsend/dashboard'
import { createEngine, createKeyRing, silentLogger } from '@keepsend/engine'
import { Hono } from 'hono'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { PORTAL } from './open-portal.ts'
import { EXPECTED, answersOf } from './run-samples.ts'
import { visitor } from './visitor.ts'

interface Arrival {
  headers: IncomingHttpHeaders
  body: string
}

/** A receiver on this machine. */
async function receiver(status: number) {
  const arrivals: Arrival[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      arrivals.push({ headers: request.headers, body: Buffer.concat(chunks).toString() })
      response.writeHead(status, { 'content-type': 'application/json', 'x-served-by': 'api-eu-1' })
      response.end('{"received":true}')
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  return { arrivals, url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/hooks` }
}

/** A portal with a sender that sends, and the test page of an endpoint. */
async function world({ status = 200, url: given }: { status?: number; url?: string } = {}) {
  const { arrivals, url } = await receiver(status)
  const db = openSqlite(':memory:')
  await migrate(db)
  const sender = createUndiciSender()
  onTestFinished(async () => {
    await sender.close()
    db.close()
  })
  const engine = createEngine({
    db,
    queue: new DurableEventQueue({ db }),
    sender,
    secrets: createKeyRing([{ id: 'k1', key: Buffer.alloc(32).toString('base64') }]),
    development: true,
    history: true,
    logger: silentLogger,
  })
  const { endpoint, secret } = await engine.endpoints.create('w1', { url: given ?? url })
  const app = new Hono().route(PORTAL, createPortal({ engine, name: 'Plover' }))
  const link = await createPortalLink({ engine, portalUrl: PORTAL, workspaceId: 'w1', uses: 'many' })
  const customer = visitor(app)
  await customer.request(link.url)
  const here = `${PORTAL}/endpoints/${endpoint.id}/test`
  const sendTest = (data: string, type = 'order.paid') => customer.send(here, here, { do: 'send', type, data })
  return { ...customer, engine, endpoint, secret, arrivals, here, sendTest }
}

describe('a test event', () => {
  it('arrives signed and marked as a test, and its answer is shown', async () => {
    const { sendTest, arrivals, secret, engine } = await world()
    const { status, html } = await sendTest('{ "id": "o1" }')
    expect(status).toBe(200)
    for (const part of ['200 OK', 'x-served-by', '&quot;received&quot;', 'first byte', 'o1'])
      expect(html).toContain(part)
    const [arrival] = arrivals
    expect(arrival?.headers['webhook-test']).toBe('true')
    const headers = arrival?.headers as Record<string, string>
    expect(new Webhook(secret).verify(arrival?.body ?? '', headers)).toMatchObject({
      type: 'order.paid',
      data: { id: 'o1' },
    })
    const { rows } = await engine.attempts.list('w1', { limit: 1 })
    expect(html).toContain(`<a href="${PORTAL}/deliveries/${rows[0]?.deliveryId}">The request as it was sent</a>`)
  })

  it('is sent while the endpoint is disabled', async () => {
    const { sendTest, engine, endpoint, arrivals } = await world()
    await engine.endpoints.setStatus('w1', endpoint.id, 'disabled')
    expect((await sendTest('{}')).html).toContain('200 OK')
    expect(arrivals).toHaveLength(1)
  })

  it('that is refused, or finds nobody, has the likely fix', async () => {
    const refused = await world({ status: 401 })
    expect((await refused.sendTest('{}')).html).toContain('401 Unauthorized')
    const nobody = await world({ url: 'http://127.0.0.1:9/' })
    const { status, html } = await nobody.sendTest('{ "id": 1 }')
    expect(status).toBe(200)
    expect(html).toContain('Likely fix.')
    expect(html).toContain('&quot;id&quot;: 1')
  })

  it.each([
    ['{ "id": ', 'This is no JSON'],
    ['[1]', 'must be an object of JSON'],
    ['null', 'must be an object of JSON'],
    ['"text"', 'must be an object of JSON'],
    ['', 'This is no JSON'],
  ])('of %j is not sent, and what was typed stays', async (data, said) => {
    const { sendTest, arrivals } = await world()
    const { status, html } = await sendTest(data)
    expect([status, arrivals]).toEqual([400, []])
    expect(html).toContain(said)
    expect(html).toContain('aria-describedby="data-help data-err"')
    expect(html).toMatch(/<textarea id="data"[^>]*>/)
    expect(html.replaceAll('&quot;', '"')).toContain(`${data}</textarea>`)
  })

  it('of a type that no event can have is refused in the words of the engine', async () => {
    const { sendTest } = await world()
    const { status, html } = await sendTest('{ "id": 1 }', 'no type')
    expect([status, html]).toEqual([400, expect.stringContaining('The test was not sent')])
    expect(html).toContain('&quot;id&quot;: 1')
  })
})

it('the sample in Node accepts right requests alone', () => {
  expect(answersOf('node')).toEqual(EXPECTED)
})
