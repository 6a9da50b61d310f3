import { once } from 'node:events'
import { type Socket, connect } from 'node:net'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type HttpOptions, type NodeServerOptions, createNodeServer } from '../index.ts'
import { TEST_KEYS } from '../../test/keys.ts'
import { setTimeout as delay } from 'node:timers/promises'
import { PATIENCE_MS, signal, temporaryFile, until } from '../../test/rig.ts'

async function start(http: HttpOptions, app?: NodeServerOptions['app']) {
  const server = await createNodeServer({
    file: temporaryFile(),
    port: 0,
    signals: false,
    secrets: TEST_KEYS,
    http,
    ...(app && { app }),
  })
  onTestFinished(() => server.stop({ drainMs: 0 }))
  return { ...server, port: Number(new URL(server.url).port) }
}

/** A client that writes raw bytes, and the bytes that it received. */
async function client(port: number, { reads = true } = {}) {
  const socket: Socket = connect(port, '127.0.0.1').on('error', () => undefined)
  onTestFinished(() => void socket.destroy())
  let received = ''
  if (reads) socket.on('data', (some) => (received += some.toString('latin1')))
  await once(socket, 'connect')
  return { socket, received: () => received, closed: once(socket, 'close') }
}

const GET = 'GET /webhooks/health HTTP/1.1\r\nHost: x\r\n\r\n'

describe('createNodeServer', { timeout: PATIENCE_MS }, () => {
  it('closes a connection beyond the bound immediately, and accepts another when one has ended', async () => {
    const { port } = await start({ maxConnections: 2 })
    const [one, two] = [await client(port), await client(port)]
    await (
      await client(port)
    ).closed
    for (const { socket, received } of [one, two]) {
      socket.write(GET)
      await until(() => received().startsWith('HTTP/1.1 200'))
    }
    one.socket.destroy()
    await expect
      .poll(
        async () => {
          const another = await client(port)
          another.socket.write(GET)
          await until(() => another.socket.destroyed || another.received() !== '')
          return another.received().startsWith('HTTP/1.1 200')
        },
        { timeout: PATIENCE_MS },
      )
      .toBe(true)
  })

  it.each([
    ['headers', 'POST / HTTP/1.1\r\nHost: x\r\nX-Slow: '],
    ['body', 'POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n1'],
  ])('answers 408 to a request whose %s does not arrive in time', async (_, text) => {
    const { port } = await start({ requestTimeoutMs: 1000 }, () =>
      new Hono().post('/', async (c) => c.text(await c.req.text().catch(() => ''))),
    )
    const { socket, received, closed } = await client(port)
    socket.write(text)
    await closed
    expect(received()).toMatch(/^HTTP\/1\.1 408 /)
  })

  it('answers 431 to headers beyond the bound', async () => {
    const { port } = await start({ maxHeaderBytes: 1024 })
    const { socket, received, closed } = await client(port)
    socket.write(`GET / HTTP/1.1\r\nHost: x\r\nX-Big: ${'x'.repeat(5000)}\r\n\r\n`)
    await closed
    expect(received()).toMatch(/^HTTP\/1\.1 431 /)
  })

  it('starts only maxPipelined requests of a thousand in one packet, and closes the connection', async () => {
    let begun = 0
    const { port } = await start({ maxPipelined: 10 }, () =>
      new Hono().get('/slow', async () => {
        begun++
        return new Promise<never>(() => {})
      }),
    )
    const { socket, closed } = await client(port)
    socket.write('GET /slow HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(1000))
    await closed
    expect(begun).toBeLessThanOrEqual(10)
    const other = await client(port)
    other.socket.write(GET)
    await until(() => other.received().startsWith('HTTP/1.1 404'))
  })

  it('answers any number of sequential requests of one connection', async () => {
    const { port } = await start({ maxPipelined: 2 })
    const { socket, received } = await client(port)
    for (let n = 1; n <= 20; n++) {
      socket.write(GET)
      await until(() => received().split('HTTP/1.1 200').length - 1 === n)
      expect(received()).not.toContain('HTTP/1.1 4')
    }
  })

  it('closes a client that does not read its response, and an idle one', async () => {
    const gone = signal()
    const { port } = await start({ idleTimeoutMs: 1000 }, () =>
      new Hono()
        .get('/large', () => {
          const body = new ReadableStream({
            pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
            cancel: () => gone.resolve(),
          })
          return new Response(body)
        })
        .get('/small', (c) => c.text('ok')),
    )
    const [deaf, silent, done] = [await client(port, { reads: false }), await client(port), await client(port)]
    deaf.socket.write('GET /large HTTP/1.1\r\nHost: x\r\n\r\n')
    done.socket.write('GET /small HTTP/1.1\r\nHost: x\r\n\r\n')
    await Promise.all([gone.promise, silent.closed, done.closed])
    expect([silent.received(), done.received()]).toEqual(['', expect.stringMatching(/^HTTP\/1\.1 200 /)])
  })

  it('cuts off no response that takes longer than the bounds, computed or streamed with pauses', async () => {
    const bounds = { idleTimeoutMs: 1000, requestTimeoutMs: 1000 }
    const { port } = await start(bounds, () =>
      new Hono()
        .post('/computed', async (c) => {
          await c.req.text()
          await delay(3000)
          return c.text('computed')
        })
        .get('/streamed', () => {
          const texts = (async function* () {
            yield new TextEncoder().encode('first ')
            await delay(3000)
            yield new TextEncoder().encode('last')
          })()
          return new Response(ReadableStream.from(texts))
        }),
    )
    const [computed, streamed] = [await client(port), await client(port)]
    computed.socket.write('POST /computed HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}')
    streamed.socket.write('GET /streamed HTTP/1.1\r\nHost: x\r\n\r\n')
    await until(() => computed.received().endsWith('computed') && streamed.received().includes('last'))
    expect(streamed.received()).toMatch(/^HTTP\/1\.1 200 [^]*first [^]*last/)
  })

  it.each([
    [{ maxConnections: 0 }, 'http.maxConnections must be a whole number from 1 to 65535; found 0'],
    [{ requestTimeoutMs: 999 }, 'http.requestTimeoutMs must be a whole number from 1000 to 600000; found 999'],
    [{ idleTimeoutMs: 0 }, 'http.idleTimeoutMs must be a whole number from 1000 to 3600000; found 0'],
    [{ maxHeaderBytes: 100 }, 'http.maxHeaderBytes must be a whole number from 1024 to 65536; found 100'],
    [{ maxPipelined: 1.5 }, 'http.maxPipelined must be a whole number from 1 to 1000; found 1.5'],
  ])('refuses %j by name before anything is opened', async (http, message) => {
    await expect(start(http)).rejects.toThrow(message)
  })
})
