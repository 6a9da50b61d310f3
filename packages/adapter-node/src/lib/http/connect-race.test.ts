// Hosts with several addresses, some unreachable, and name servers that answer only one family (RFC 8305).
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect } from 'node:net'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type NameRecords, startNameServer } from '../../../test/name-server.ts'
import type { UndiciSenderOptions } from '../../index.ts'
import { startProxy } from '../../../test/proxy.ts'
import { newSender, post } from '../../../test/raw-receiver.ts'
import { startReceiver } from '../../../test/receiver.ts'
import { LOOPBACK, PATIENCE_MS } from '../../../test/rig.ts'
import { PEM, startTlsReceiver } from '../../../test/tls-receiver.ts'

async function senderBy(answer: (name: string, family: 4 | 6) => NameRecords, options?: UndiciSenderOptions) {
  const server = await startNameServer(answer)
  onTestFinished(() => server.close())
  return newSender({
    ...options,
    urlPolicy: { ...LOOPBACK, allowCidrs: ['127.0.0.0/8', '100::/64', '::1/128'] },
    dnsServers: [server.address],
  })
}

const portOf = (url: string) => new URL(url).port

describe('a name server that answers for one family', { timeout: PATIENCE_MS }, () => {
  // Two tries of the other family would take longer than this deadline.
  const deadline = { deadlineMs: 2000 }
  const answers: Record<string, NameRecords> = {
    nothing: 'silent',
    'that there is no address': { addresses: [] },
    'that there is no such name': null,
  }
  it.each(Object.keys(answers))('and answers %s for the other is not awaited', async (other) => {
    const receiver = await startReceiver()
    const sender = await senderBy((_, family) =>
      family === 4 ? { addresses: ['127.0.0.1'] } : (answers[other] ?? null),
    )
    const result = await sender.send(post(`http://hooks.example.net:${portOf(receiver.url)}/`, deadline))
    expect(result).toMatchObject({ kind: 'response', status: 200 })
  })
})

describe('a family that answers late', { timeout: PATIENCE_MS }, () => {
  it.each(['100::1', '::1'])('is tried when the other (%s) is unreachable', async (six) => {
    const receiver = await startReceiver()
    const sender = await senderBy((_, family) =>
      family === 4 ? { addresses: ['127.0.0.1'], afterMs: 200 } : { addresses: [six] },
    )
    const url = `http://hooks.example.net:${portOf(receiver.url)}/`
    expect(await sender.send(post(url))).toMatchObject({ kind: 'response', status: 200 })
  })

  it('is checked like the first, and none of its addresses is used if one is blocked', async () => {
    const receiver = await startReceiver()
    const sender = await senderBy((_, family) =>
      family === 4 ? { addresses: ['127.0.0.1', '10.0.0.1'], afterMs: 200 } : { addresses: ['100::1'] },
    )
    const url = `http://hooks.example.net:${portOf(receiver.url)}/`
    expect(await sender.send(post(url))).toMatchObject({ kind: 'error' })
    expect(receiver.requests).toEqual([])
  })

  it('without addresses ends the attempt with the result of the first', async () => {
    const sender = await senderBy((_, family) =>
      family === 4 ? { addresses: [], afterMs: 200 } : { addresses: ['::1'] },
    )
    expect(await sender.send(post('http://hooks.example.net:1/'))).toMatchObject({ kind: 'error', reason: 'connect' })
  })
})

/**
 * A receiver in a process of its own whose backlog of connections is full for some seconds, so that the kernel drops others, as a
 * lossy network does. It answers every request with 200.
 */
async function startSlow(): Promise<number> {
  const source = `
    const server = require('node:net').createServer((socket) => {
      socket.on('error', () => undefined)
      socket.on('data', () => socket.write('HTTP/1.1 200 OK\\r\\nContent-Length: 0\\r\\n\\r\\n'))
    })
    server.listen({ port: 0, host: '127.0.0.1', backlog: 1 }, () => {
      require('node:fs').writeSync(1, String(server.address().port))
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2500)
    })`
  const child = spawn(process.execPath, ['-e', source], { stdio: ['ignore', 'pipe', 'inherit'] })
  onTestFinished(() => void child.kill('SIGKILL'))
  const [port] = (await once(child.stdout, 'data')) as [Buffer]
  return Number(String(port))
}

describe('an address that is slow to connect to', { timeout: PATIENCE_MS }, () => {
  it('is not abandoned for the next, and is reached when that one is unreachable', async () => {
    const port = await startSlow()
    for (let n = 0; n < 3; n++) {
      const waiting = connect(port, '127.0.0.1').on('error', () => undefined)
      onTestFinished(() => void waiting.destroy())
    }
    const sender = await senderBy((_, family) => ({ addresses: [family === 4 ? '127.0.0.1' : '100::1'] }))
    const result = await sender.send(post(`http://hooks.example.net:${port}/`))
    expect(result).toMatchObject({ kind: 'response', status: 200 })
  })

  it('is overtaken by the next that answers', async () => {
    const receiver = await startReceiver()
    // 127.0.0.2: nothing listens at that address, so it refuses.
    const sender = await senderBy((_, family) => ({
      addresses: family === 4 ? ['127.0.0.2', '127.0.0.3', '127.0.0.1'] : ['100::1', '100::2'],
    }))
    const result = await sender.send(post(`http://hooks.example.net:${portOf(receiver.url)}/`, { deadlineMs: 5000 }))
    expect(result).toMatchObject({ kind: 'response', status: 200 })
  })
})

it('a host with a trailing dot is verified and named to the server without it', async () => {
  const names: string[] = []
  const receiver = await startTlsReceiver({
    SNICallback(name, done) {
      names.push(name)
      done(null)
    },
  })
  const { port } = new URL(receiver.url)
  const sender = await senderBy((_, family) => ({ addresses: family === 4 ? ['127.0.0.1'] : [] }), {
    verifyCertificates: false,
  })
  expect(await sender.send(post(`https://hooks.example.net.:${port}/`))).toMatchObject({ status: 200 })
  const judging = await senderBy((_, family) => ({ addresses: family === 4 ? ['127.0.0.1'] : [] }), {
    tls: { ca: PEM.ca },
  })
  expect(await judging.send(post(`https://hooks.example.net.:${port}/`))).toMatchObject({
    message: expect.stringMatching(/^ERR_TLS_CERT_ALTNAME_INVALID/),
  })
  const proxy = await startProxy(receiver.url)
  const through = newSender({
    urlPolicy: LOOPBACK,
    egressProxy: `http://127.0.0.1:${proxy.port}`,
    verifyCertificates: false,
  })
  expect(await through.send(post(`https://hooks.example.net.:${port}/`))).toMatchObject({ status: 200 })
  expect(names).toEqual(['hooks.example.net', 'hooks.example.net', 'hooks.example.net'])
})
