import { TEST_KEYS } from '../../test/keys.ts'
import { fork } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { dirname, join } from 'node:path'
import Database from 'better-sqlite3'
import { Hono } from 'hono'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type NodeServerOptions, createNodeServer } from '../index.ts'
import { startReceiver } from '../../test/receiver.ts'
import { LOOPBACK, PATIENCE_MS, delivered, signal, temporaryFile } from '../../test/rig.ts'

async function start(options: Partial<NodeServerOptions> = {}) {
  const server = await createNodeServer({
    file: temporaryFile(),
    port: 0,
    signals: false,
    secrets: TEST_KEYS,
    ...options,
    engine: { urlPolicy: LOOPBACK, ...options.engine },
  })
  onTestFinished(() => server.stop({ drainMs: 0 }))
  return server
}

type Json = Record<string, unknown>

/** A client of the routes. */
function client(url: string, key: string) {
  return async (method: string, path: string, body?: unknown): Promise<{ status: number; body: Json }> => {
    const response = await fetch(`${url}/webhooks${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    })
    return { status: response.status, body: (await response.json()) as Json }
  }
}

describe('createNodeServer', { timeout: PATIENCE_MS }, () => {
  it("delivers from a file opened with Node's own driver", async () => {
    const receiver = await startReceiver()
    const server = await createNodeServer({
      file: temporaryFile(),
      port: 0,
      signals: false,
      secrets: TEST_KEYS,
      sqlite: { driver: 'node:sqlite' },
      engine: { urlPolicy: LOOPBACK },
    })
    onTestFinished(() => server.stop({ drainMs: 0 }))
    const { secret } = await server.engine.endpoints.create('w', { url: receiver.url })
    await server.engine.publish({ type: 'message.created', workspaceId: 'w', data: {} })
    await receiver.arrived(1)
    receiver.verifyAll(secret)
    await expect.poll(() => delivered(server.engine), { timeout: PATIENCE_MS }).toBe(1)
    const version = server.db.connection.prepare('select sqlite_version() as version').get()
    expect(version).toMatchObject({ version: process.versions['sqlite'] })
  })

  it('publishes over HTTP, delivers signed, and shows the delivery as completed', async () => {
    const receiver = await startReceiver()
    const server = await start()
    const { key } = await server.engine.apiKeys.create({ workspaceId: 'w' })
    const call = client(server.url, key)
    const endpoint = await call('POST', '/endpoints', { url: receiver.url })
    expect(endpoint.status).toBe(201)
    const event = await call('POST', '/events', { type: 'message.created', data: { text: 'hello' } })
    expect(event.status).toBeLessThan(300)
    await receiver.arrived(1)
    receiver.verifyAll(String(endpoint.body['secret']))
    expect(JSON.parse(receiver.requests[0]?.body ?? '')).toMatchObject({
      type: 'message.created',
      data: { text: 'hello' },
    })

    await expect.poll(() => delivered(server.engine), { timeout: PATIENCE_MS }).toBe(1)
    const deliveries = await call('GET', '/deliveries')
    expect(deliveries.body['data']).toMatchObject([{ status: 'completed', attempts: 1, lastStatus: 200 }])
    expect((await call('GET', '/health')).body).toMatchObject({ status: 'ok' })
  })

  it("serves the app around the engine, with the app's own migrations applied", async () => {
    const file = temporaryFile()
    const migrations = join(dirname(file), 'migrations')
    mkdirSync(migrations)
    writeFileSync(join(migrations, '0001_notes.sql'), 'create table notes (text text not null);\n')
    const server = await start({
      file,
      migrations,
      app: ({ db }) =>
        new Hono().get('/notes', async (c) =>
          c.json((await db.run({ sql: 'select count(*) as count from notes', params: [] })).rows),
        ),
    })
    expect(await (await fetch(`${server.url}/notes`)).json()).toEqual([{ count: 0 }])
    expect((await fetch(`${server.url}/webhooks/health`)).status).toBe(404)
  })

  it('rejects for a port in use, and closes the file again', async () => {
    const first = await start()
    const file = temporaryFile()
    const port = Number(new URL(first.url).port)
    await expect(start({ file, port })).rejects.toMatchObject({ code: 'EADDRINUSE' })
    // SQLite removes its shared-memory file with the last connection.
    const other = new Database(file)
    expect(other.pragma('journal_mode = DELETE', { simple: true })).toBe('delete')
    other.close()
  })

  it('rejects for an invalid option, and does not listen', async () => {
    const first = await start()
    const port = Number(new URL(first.url).port)
    await first.stop()
    await expect(start({ port, queue: { leaseMs: 3000 } })).rejects.toMatchObject({ code: 'invalid_option' })
    const second = await start({ port })
    expect((await fetch(`${second.url}/webhooks/health`)).status).toBe(200)
  })

  it('stops once for two calls: open requests are answered, then the port and the file are free', async () => {
    const [begun, may] = [signal(), signal()]
    const server = await start({
      app: () =>
        new Hono().get('/slow', async (c) => {
          begun.resolve()
          await may.promise
          return c.text('done')
        }),
    })
    const slow = fetch(`${server.url}/slow`)
    await begun.promise
    const stopped = Promise.all([server.stop(), server.stop()])
    expect(server.db.connection.open).toBe(true)
    may.resolve()
    expect(await (await slow).text()).toBe('done')
    await stopped
    await expect(fetch(server.url)).rejects.toThrow('fetch failed')
    expect(server.db.connection.open).toBe(false)
  })

  it('refuses a stop with an invalid drain before anything is closed', async () => {
    const server = await start()
    await expect(server.stop({ drainMs: -1 })).rejects.toThrow('drainMs must be a whole number from 0')
    expect((await fetch(`${server.url}/webhooks/health`)).status).toBe(200)
    await server.stop()
    expect(server.db.connection.open).toBe(false)
  })

  it('stops in spite of a client that never ends its request', async () => {
    const server = await start()
    const socket = connect(Number(new URL(server.url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    const closed = once(socket.resume(), 'close')
    await once(socket, 'connect')
    socket.write('POST /webhooks/events HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{')
    await expect
      .poll(async () => (await fetch(`${server.url}/webhooks/health`)).status, { timeout: PATIENCE_MS })
      .toBe(200)
    await server.stop({ drainMs: 50 })
    await closed
    expect(server.db.connection.open).toBe(false)
  })

  it('leaves signals to the host with signals: false, and removes its own handlers on stop', async () => {
    const before = process.listenerCount('SIGTERM')
    await start()
    expect(process.listenerCount('SIGTERM')).toBe(before)
    const server = await start({ signals: true })
    expect(process.listenerCount('SIGTERM')).toBe(before + 1)
    await server.stop()
    expect(process.listenerCount('SIGTERM')).toBe(before)
  })
})

describe('SIGTERM', { timeout: PATIENCE_MS }, () => {
  it('drains attempts in flight, settles them, and ends the process with 0', async () => {
    const receiver = await startReceiver(() => undefined)
    const file = temporaryFile()
    const child = fork(new URL('../../test/server-process.ts', import.meta.url), [file], {
      execArgv: ['--conditions=@keepsend/source'],
    })
    onTestFinished(() => void child.kill('SIGKILL'))
    const exited = once(child, 'exit')
    const [{ url, key }] = (await once(child, 'message')) as [{ url: string; key: string }]
    const call = client(url, key)
    await call('POST', '/endpoints', { url: receiver.url })
    await call('POST', '/events', { type: 'message.created', data: {} })
    await receiver.arrived(1)

    child.kill('SIGTERM')
    // The stop has begun: no new client is served.
    await expect
      .poll(
        () =>
          fetch(`${url}/webhooks/health`).then(
            () => 'served',
            () => 'refused',
          ),
        { timeout: PATIENCE_MS },
      )
      .toBe('refused')
    receiver.requests[0]?.answer()
    expect(await exited).toEqual([0, null])
    const left = new Database(file, { readonly: true })
    expect(left.prepare('select outcome, number from keepsend_attempts').all()).toEqual([
      { outcome: 'delivered', number: 1 },
    ])
    left.close()
  })
})
