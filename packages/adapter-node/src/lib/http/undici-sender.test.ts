import { execFile } from 'node:child_process'
import { getGlobalDispatcher } from 'undici'
import { promisify } from 'node:util'
import { describe, expect, it, onTestFinished } from 'vitest'
import { NodeAdapterError, createUndiciSender } from '../../index.ts'
import { newSender, post, startRawReceiver } from '../../../test/raw-receiver.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { LOOPBACK, PATIENCE_MS, signal } from '../../../test/rig.ts'
import { startWorker } from '../../../test/worker.ts'

describe('createUndiciSender', { timeout: PATIENCE_MS }, () => {
  it('posts the given bytes and headers to path and query, and returns status, headers and body', async () => {
    const receiver = await startReceiver((request) =>
      request.answer(202, 'grüezi', { 'x-first': 'one', 'retry-after': '7' }),
    )
    const body = '{"text":"grüezi 👋"}'
    const result = await newSender().send(
      post(`${receiver.url}/in?a=1&b=%20`, { body, headers: { 'webhook-id': 'evt_1' } }),
    )
    expect(result).toMatchObject({ kind: 'response', status: 202 })
    if (result.kind !== 'response') return
    expect(new TextDecoder().decode(result.body)).toBe('grüezi')
    expect([result.header('x-first'), result.header('retry-after'), result.header('x-none')]).toEqual([
      'one',
      '7',
      undefined,
    ])
    expect(receiver.requests).toMatchObject([{ path: '/in?a=1&b=%20', body, headers: { 'webhook-id': 'evt_1' } }])
    expect(receiver.requests[0]?.headers['content-length']).toBe(String(Buffer.byteLength(body)))
  })

  it('returns all values of a repeated header', async () => {
    const raw = await startRawReceiver((socket) =>
      socket.write('HTTP/1.1 429 x\r\nRetry-After: 3\r\nRetry-After: 9\r\nContent-Length: 0\r\n\r\n'),
    )
    const result = await newSender().send(post(raw.url))
    expect(result.kind === 'response' && result.header('retry-after')).toBe('3, 9')
  })

  // Two: the next request starts when the response ends, and its connection is not free yet.
  it('reuses connections: 50 sequential requests take two at most', async () => {
    const raw = await startRawReceiver((socket) => socket.write('HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok'))
    const sender = newSender({ keepAliveMs: 60_000 })
    for (let n = 0; n < 50; n++) expect(await sender.send(post(raw.url))).toMatchObject({ status: 200 })
    expect(raw.requests()).toBe(50)
    expect(raw.connections()).toBeLessThanOrEqual(2)
  })

  it('opens a new connection each time to a receiver that closes after each response', async () => {
    const raw = await startRawReceiver((socket) =>
      socket.end('HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok'),
    )
    const sender = newSender()
    for (let n = 0; n < 3; n++) expect(await sender.send(post(raw.url))).toMatchObject({ status: 200 })
    expect(raw.connections()).toBe(3)
  })

  it('sends 200 requests concurrently, and none waits for another', async () => {
    const all = signal()
    const receiver = await startReceiver(() => {
      if (receiver.requests.length === 200) all.resolve()
    })
    const sender = newSender()
    const results = Promise.all(Array.from({ length: 200 }, () => sender.send(post(receiver.url))))
    await all.promise
    expect(receiver.mostOpen()).toBe(200)
    receiver.requests.forEach((request) => request.answer())
    expect((await results).map((result) => result.kind)).toEqual(Array.from({ length: 200 }, () => 'response'))
  })

  it('gives each request its own deadline', async () => {
    const receiver = await startReceiver((request) => {
      if (request.path === '/late') setTimeout(() => request.answer(), 400)
    })
    const sender = newSender()
    const [silent, late] = await Promise.all([
      sender.send(post(`${receiver.url}/never`, { deadlineMs: 200 })),
      sender.send(post(`${receiver.url}/late`)),
    ])
    expect(silent).toEqual({ kind: 'error', reason: 'timeout', message: 'no complete answer within 200 ms' })
    expect(late).toMatchObject({ kind: 'response', status: 200 })
  })

  it('does not change the dispatcher of the global fetch', async () => {
    const before = getGlobalDispatcher()
    const receiver = await startReceiver()
    await newSender().send(post(receiver.url))
    expect(getGlobalDispatcher()).toBe(before)
    expect((await fetch(receiver.url, { method: 'POST', body: '{}' })).status).toBe(200)
  })

  it('ignores a proxy in the environment', async () => {
    const proxy = await startReceiver((request) => request.answer(502))
    const receiver = await startReceiver()
    const env = {
      ...process.env,
      HTTP_PROXY: proxy.url,
      http_proxy: proxy.url,
      ALL_PROXY: proxy.url,
      NODE_USE_ENV_PROXY: '1',
      NO_PROXY: '',
    }
    const script = `
      import { createUndiciSender } from './src/lib/http/undici-sender.ts'
      const sender = createUndiciSender({ urlPolicy: ${JSON.stringify(LOOPBACK)} })
      const result = await sender.send(${JSON.stringify(post(receiver.url))})
      console.log(result.status)
      await sender.close()`
    const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('../../..', import.meta.url),
      env,
    })
    expect(stdout.trim()).toBe('200')
    expect([receiver.requests.length, proxy.requests.length]).toEqual([1, 0])
  })

  it('ends requests in flight as network errors when it closes', async () => {
    const receiver = await startReceiver(() => undefined)
    const sender = createUndiciSender({ urlPolicy: LOOPBACK })
    const result = sender.send(post(receiver.url))
    await receiver.arrived(1)
    await sender.close()
    expect(await result).toMatchObject({ kind: 'error', reason: 'network' })
  })

  it.each([
    [{ connectTimeoutMs: 99 }, 'connectTimeoutMs must be a whole number from 100 to 60000; found 99'],
    [{ keepAliveMs: 0 }, 'keepAliveMs must be a whole number from 1 to 60000; found 0'],
  ])('%j is refused, naming option, expectation and value', (options, message) => {
    expect(() => createUndiciSender(options)).toThrow(message)
    expect(() => createUndiciSender(options)).toThrow(NodeAdapterError)
  })
})

describe('a sending process that was stalled past the deadline', { timeout: PATIENCE_MS }, () => {
  it('counts a response that lay in its socket, and silence as a time-out', async () => {
    const receiver = await startReceiver((request) => {
      worker.kill('SIGSTOP')
      // Into the socket's buffer, while the process cannot read it.
      if (request.path === '/answers') request.answer(200)
      // Well past the deadline by the monotonic clock of the stopped process.
      setTimeout(() => worker.kill('SIGCONT'), 800)
    })
    const worker = await startWorker({ file: ':memory:' })
    onTestFinished(() => worker.kill('SIGCONT'))
    expect(await worker.post(`${receiver.url}/answers`, 500)).toEqual({ kind: 'response', said: 200 })
    expect(await worker.post(`${receiver.url}/silent`, 500)).toEqual({ kind: 'error', said: 'timeout' })
    await worker.stop()
  })
})
