import { type Socket, connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createNodeServer } from '../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { PATIENCE_MS, temporaryFile } from './rig.ts'

async function start() {
  const server = await createNodeServer({ file: temporaryFile(), port: 0, signals: false, secrets: TEST_KEYS })
  onTestFinished(() => server.stop({ drainMs: 0 }))
  const { key } = await server.engine.apiKeys.create({ workspaceId: 'w' })
  return { server, key }
}

/** Sends the head of a request and then chunks while the server reads them; returns its response and the bytes that it read. */
function flood(url: string, headers: string): Promise<{ said: string; bytes: number }> {
  return new Promise((resolve) => {
    let said = ''
    let ended = false
    const socket: Socket = connect(Number(new URL(url).port), '127.0.0.1')
    onTestFinished(() => void socket.destroy())
    socket.setEncoding('utf8').on('data', (text: string) => (said += text))
    // The server may also reset the connection.
    socket.on('error', () => undefined)
    socket.on('close', () => {
      ended = true
      resolve({ said, bytes: socket.bytesWritten })
    })
    const chunk = `4000\r\n${' '.repeat(0x4000)}\r\n`
    const go = () => {
      while (socket.write(chunk));
      if (!ended) socket.once('drain', go)
    }
    socket.write(`POST /webhooks/events HTTP/1.1\r\nhost: keepsend\r\n${headers}transfer-encoding: chunked\r\n\r\n`, go)
  })
}

// The socket buffers on both sides, in addition to the bytes that the server reads.
const IN_SOCKETS = 16_777_216

describe('a request whose body never ends', { timeout: PATIENCE_MS }, () => {
  it('is answered 413 and closed at its limit; others are served meanwhile', async () => {
    const { server, key } = await start()
    const json = `authorization: Bearer ${key}\r\ncontent-type: application/json\r\n`
    const floods = Array.from({ length: 4 }, () => flood(server.url, json))
    expect((await fetch(`${server.url}/webhooks/health`)).status).toBe(200)
    for (const { said, bytes } of await Promise.all(floods)) {
      expect(said).toMatch(/^HTTP\/1.1 413 /)
      expect(said).toContain('payload_too_large')
      expect(bytes).toBeLessThan(1_048_576 + IN_SOCKETS)
    }
  })

  it('and whose key is wrong is answered 401 without reading it, and closed', async () => {
    const { server } = await start()
    const { said } = await flood(server.url, 'authorization: Bearer ks_wrong\r\n')
    expect(said).toMatch(/^HTTP\/1.1 401 /)
  })
})
