import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type EngineOptions, createEngine, silentLogger } from '../src/index.ts'
import { openDatabase } from './database.ts'
import { auth, event } from './oauth2-rig.ts'
import { LATER, receivers, rig } from './rig.ts'

const LOCAL = ['http://localhost:4000/', 'http://127.0.0.1:4000/', 'http://[::1]:4000/']
const ELSEWHERE = [
  'http://10.0.0.1/',
  'https://10.0.0.1/',
  'http://169.254.169.254/',
  'https://169.254.169.254/',
  'http://example.com/',
  'https://example.com:4000/',
]
const WARNING = {
  level: 'warn',
  message:
    'development: true opens this machine to endpoint URLs: http and any port on localhost, 127.0.0.0/8 and [::1]; never use it in production',
  fields: {},
}

/** Each line that is written by console, with the method that wrote it, until the test is over. */
function consoleLines(): { method: string; line: string }[] {
  const lines: { method: string; line: string }[] = []
  for (const method of ['debug', 'error', 'info', 'log', 'warn'] as const) {
    const spy = vi.spyOn(console, method).mockImplementation((line: unknown) => {
      lines.push({ method, line: String(line) })
    })
    onTestFinished(() => spy.mockRestore())
  }
  return lines
}

/** Two deliveries to an endpoint with a rate limit: the second waits, which is a debug line. */
async function deliverOneOfTwo(options: Partial<EngineOptions>) {
  const made = await rig(options)
  await made.addEndpoint({ rateLimit: 1, ratePeriod: 'minute' })
  for (let n = 0; n < 2; n++) await made.engine.publish(event)
  await made.work()
  expect(made.sender.requests).toHaveLength(1)
}

describe('an engine with development', () => {
  it('accepts endpoints and token servers on the loopback interface, and tells its sender with each request', async () => {
    const answer = { status: 200, body: JSON.stringify({ access_token: 't', token_type: 'Bearer', expires_in: 60 }) }
    const made = await rig({ development: true, answer: () => answer })
    for (const url of LOCAL) await made.addEndpoint({ url, auth: { ...auth, tokenUrl: `${url}token` } })
    await made.engine.publish(event)
    await made.work()
    const sent = made.sender.requests.map(({ url, allowLoopback }) => ({ url, allowLoopback }))
    expect(sent).toHaveLength(6)
    expect(sent).toEqual(
      expect.arrayContaining(LOCAL.flatMap((url) => [url, `${url}token`]).map((url) => ({ url, allowLoopback: true }))),
    )
  })

  it('accepts no other private network, and no http to a public host', async () => {
    const made = await rig({ development: true })
    for (const url of ELSEWHERE) {
      const refused = { code: 'invalid_endpoint' }
      await expect(made.addEndpoint({ url }), url).rejects.toMatchObject(refused)
      await expect(made.addEndpoint({ auth: { ...auth, tokenUrl: url } }), url).rejects.toMatchObject(refused)
    }
  })

  it('goes by the policy of its sender besides', async () => {
    const sender = { ...receivers(), urlPolicy: { allowHosts: ['hooks.internal'], denyHosts: ['localhost'] } }
    const made = await rig({ development: true, sender })
    for (const url of ['https://hooks.internal/', 'http://127.0.0.1:4000/']) {
      await expect(made.addEndpoint({ url }), url).resolves.toBeDefined()
    }
    await expect(made.addEndpoint({ url: 'http://localhost:4000/' })).rejects.toThrow('address not allowed')
  })

  it('uses client certificates where its sender does', async () => {
    const sender = { ...receivers(), supports: { tls: true } }
    const ca = '-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n'
    for (const development of [true, false]) {
      const made = await rig({ development, sender })
      await expect(made.addEndpoint({ tls: { ca } })).resolves.toBeDefined()
    }
  })

  it('logs one warning at the start, and no other', async () => {
    const made = await rig({ development: true })
    await made.addEndpoint({ url: 'http://localhost:4000/' })
    for (let n = 0; n < 3; n++) await made.engine.publish(event)
    await made.work()
    expect(made.log.entries).toEqual([WARNING])
  })

  it('writes debug lines to the console, and nothing to stdout', async () => {
    const lines = consoleLines()
    await deliverOneOfTwo({ development: true, logger: undefined })
    expect(lines.map(({ line }) => line)).toEqual([
      expect.stringMatching(/ keepsend warn: development: true opens /),
      expect.stringMatching(/ keepsend info: action recorded: endpoint.create /),
      expect.stringMatching(/ keepsend debug: delivery held \(.*reason=rate_limited/),
    ])
    // On Node these two write to stderr.
    for (const { method } of lines) expect(['warn', 'error']).toContain(method)
  })

  it('leaves debug lines to a logger of the host', async () => {
    const lines = consoleLines()
    await deliverOneOfTwo({ development: true, logger: silentLogger })
    expect(lines).toEqual([])
  })
})

describe.each([undefined, false])('an engine with development: %s', (development) => {
  it('accepts nothing on the loopback interface, logs no warning, and tells its sender nothing', async () => {
    const made = await rig({ development })
    for (const url of [...LOCAL, ...ELSEWHERE]) {
      await expect(made.addEndpoint({ url }), url).rejects.toMatchObject({ code: 'invalid_endpoint' })
    }
    await made.addEndpoint()
    await made.engine.publish(event)
    await made.work()
    expect(made.sender.requests).toHaveLength(1)
    expect(made.sender.requests[0]).not.toHaveProperty('allowLoopback')
    expect(made.log.entries).toEqual([])
  })

  it('writes no debug line to the console', async () => {
    const lines = consoleLines()
    await deliverOneOfTwo({ development, logger: undefined })
    expect(lines.map(({ line }) => line)).toEqual([
      expect.stringMatching(/ keepsend info: action recorded: endpoint.create /),
    ])
  })

  it('sends nothing to an endpoint that was created in development', async () => {
    const on = await openDatabase()
    await (await rig({ on, development: true })).addEndpoint({ url: 'http://127.0.0.1:4000/' })
    const made = await rig({ on, development })
    await made.engine.publish(event)
    expect(await made.work({ now: LATER })).toMatchObject([
      { error: 'scheme: url must begin with https://; found http://' },
    ])
    expect(made.sender.requests).toEqual([])
  })
})

it.each(['true', 1, null, {}])('development: %j is refused by name', (development) => {
  const options = { db: {}, queue: {}, secrets: 'plaintext-for-development', development }
  expect(() => createEngine(options as unknown as EngineOptions)).toThrow(
    expect.objectContaining({
      code: 'invalid_option',
      message: expect.stringMatching(/^development must be true or false; found /),
    }),
  )
})
