// examples/next as a user has it: built, started, and asked over HTTP.
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { cpSync } from 'node:fs'
import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { type Consumer, cleanEnvironment, run } from '../consumer.ts'

const NEXT = 'node_modules/next/dist/bin/next'

export function nextPromises(consumer: () => Consumer): void {
  test(
    'an app of Next.js publishes, delivers, answers its API and tells our errors',
    { timeout: 300_000 },
    async () => {
      // Below the consumer, whose packages it finds.
      const folder = join(consumer().root, 'next')
      cpSync('examples/next', folder, { recursive: true })
      const built = run(process.execPath, [`../${NEXT}`, 'build'], folder, { NEXT_TELEMETRY_DISABLED: '1' })
      expect(built.code, built.output).toBe(0)

      const { promise: arrived, resolve: arrive } = Promise.withResolvers<string>()
      const receiver = await listen((body) => arrive(body))
      const app = await start(folder, (receiver.address() as AddressInfo).port)
      try {
        const post = (path: string, body: object, key?: string) =>
          fetch(`${app.url}${path}`, {
            method: 'POST',
            headers: {
              authorization: `Bearer ${app.key}`,
              'content-type': 'application/json',
              ...(key && { 'idempotency-key': key }),
            },
            body: JSON.stringify(body),
          })
        const { port } = receiver.address() as AddressInfo
        const endpoint = await post('/webhooks/endpoints', { url: `http://127.0.0.1:${port}/hooks` })
        expect([endpoint.status, await endpoint.text()]).toEqual([201, expect.stringContaining('"id":"ep_')])

        const first = await post('/messages', { text: 'hello' }, 'one')
        const again = await post('/messages', { text: 'hello' }, 'one')
        expect([first.status, again.status]).toEqual([201, 201])
        expect(await again.text()).toBe(await first.text())
        expect(JSON.parse(await arrived)).toMatchObject({ type: 'message.created', data: { text: 'hello' } })

        // The route's own copy of the class must know the engine's error.
        const mismatch = await post('/messages', { text: 'other' }, 'one')
        expect([mismatch.status, await mismatch.json()]).toEqual([
          422,
          expect.objectContaining({ code: 'idempotency_mismatch' }),
        ])
      } finally {
        app.child.kill()
        await once(app.child, 'exit')
        receiver.close()
        receiver.closeAllConnections()
      }
    },
  )
}

async function listen(arrive: (body: string) => void): Promise<Server> {
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (some: string) => (body += some))
    request.on('end', () => {
      response.end()
      arrive(body)
    })
  })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return server
}

/** Started, and its key for the API, which it prints. */
async function start(folder: string, port: number): Promise<{ child: ChildProcess; url: string; key: string }> {
  const child = spawn(process.execPath, [`../${NEXT}`, 'start', '-p', '0', '-H', '127.0.0.1'], {
    cwd: folder,
    env: { ...cleanEnvironment(), NEXT_TELEMETRY_DISABLED: '1', RECEIVER_PORT: String(port) },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let said = ''
  return new Promise((resolve, reject) => {
    const hear = (some: Buffer): void => {
      said += String(some)
      const url = /Local: +(http:\S+)/.exec(said)?.[1]
      const key = /API key (\S+)/.exec(said)?.[1]
      if (url && key) resolve({ child, url, key })
    }
    child.stdout.on('data', hear)
    child.stderr.on('data', hear)
    child.on('exit', (code) => reject(new Error(`next start ended with ${code}\n${said}`)))
  })
}
