// The page that sends a test event, to a real receiver, and the samples by which receivers verify it.
import { execFileSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DurableEventQueue, createUndiciSender, migrate, openSqlite } from '@keepsend/adapter-node'
import { createPortal, createPortalLink } from '@keepsend/dashboard'
import { createEngine, createKeyRing, newSecret, silentLogger } from '@keepsend/engine'
import { Hono } from 'hono'
import { Webhook } from 'standardwebhooks'
import { describe, expect, it, onTestFinished } from 'vitest'
import { VERIFY_SAMPLES } from '../src/lib/portal/endpoints/verify-samples.ts'
import { PORTAL } from './open-portal.ts'
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

describe('the sample in', () => {
  const body = '{"type":"order.paid","data":{"id":"o1","text":"héllo"}}'
  const [secret, other] = [newSecret(), newSecret()]
  const signed = (ageSeconds: number, ...secrets: string[]): Record<string, string> => {
    const at = new Date(Date.now() - ageSeconds * 1000)
    return {
      'webhook-id': 'evt_1',
      'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
      'webhook-signature': secrets.map((one) => new Webhook(one).sign('evt_1', at, body)).join(' '),
    }
  }
  const right = signed(0, secret)
  const REQUESTS: Record<string, { headers: Record<string, string>; body: string; accepted: boolean }> = {
    right: { headers: right, body, accepted: true },
    'signed by two secrets, the other first': { headers: signed(0, other, secret), body, accepted: true },
    'two minutes old': { headers: signed(120, secret), body, accepted: true },
    'signed by another secret': { headers: signed(0, other), body, accepted: false },
    'six minutes old': { headers: signed(360, secret), body, accepted: false },
    'of the future': { headers: signed(-360, secret), body, accepted: false },
    'with another body': { headers: right, body: body.replace('o1', 'o2'), accepted: false },
    'with another id': { headers: { ...right, 'webhook-id': 'evt_2' }, body, accepted: false },
    'with another time': {
      headers: { ...right, 'webhook-timestamp': String(Number(right['webhook-timestamp']) - 1) },
      body,
      accepted: false,
    },
    'with a time that is none': { headers: { ...right, 'webhook-timestamp': 'soon' }, body, accepted: false },
    'without a signature': { headers: { ...right, 'webhook-signature': '' }, body, accepted: false },
    'with garbage': { headers: { ...right, 'webhook-signature': 'v1,é v1a,x v1' }, body, accepted: false },
  }
  const CASES = Object.values(REQUESTS)
  const expected = Object.entries(REQUESTS).map(([name, { accepted }]) => [name, accepted])
  const codeOf = (wanted: string): string => VERIFY_SAMPLES.find(({ id }) => id === wanted)?.code ?? ''

  /** Runs a program on the requests, which it reads from the file of its first argument. */
  function run(file: string, program: string, command: string): unknown {
    const folder = mkdtempSync(join(tmpdir(), 'keepsend-samples-'))
    onTestFinished(() => rmSync(folder, { recursive: true }))
    writeFileSync(join(folder, 'requests.json'), JSON.stringify({ secret, requests: CASES }))
    writeFileSync(join(folder, file), program)
    const answers: unknown = JSON.parse(
      execFileSync(command, [join(folder, file), join(folder, 'requests.json')], { encoding: 'utf8' }),
    )
    return Object.keys(REQUESTS).map((name, at) => [name, (answers as boolean[])[at]])
  }

  it('Node accepts right requests alone', () => {
    const program = `${codeOf('node')}
      import { readFileSync } from 'node:fs'
      const { secret, requests } = JSON.parse(readFileSync(process.argv[2], 'utf8'))
      const accepts = ({ headers, body }) => { try { verify(secret, headers, Buffer.from(body)); return true } catch { return false } }
      console.log(JSON.stringify(requests.map(accepts)))`
    expect(run('sample.mjs', program, process.execPath)).toEqual(expected)
  })

  it.skipIf(!hasPython())('Python accepts right requests alone', () => {
    const program = `${codeOf('python')}

import json, sys
given = json.load(open(sys.argv[1], encoding="utf8"))
def accepts(request):
    try:
        verify(given["secret"], request["headers"], request["body"].encode())
        return True
    except Exception:
        return False
print(json.dumps([accepts(one) for one in given["requests"]]))`
    expect(run('sample.py', program, 'python3')).toEqual(expected)
  })
})

/** Python 3.9 has `removeprefix`. */
function hasPython(): boolean {
  try {
    execFileSync('python3', ['-c', 'import sys; sys.exit(sys.version_info < (3, 9))'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}
