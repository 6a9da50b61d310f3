import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import { type AddressInfo, connect } from 'node:net'
import { TLSSocket } from 'node:tls'
import { promisify } from 'node:util'
import type { EndpointTls } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUndiciSender } from '../../index.ts'
import { startProxy } from '../../../test/proxy.ts'
import { newSender, post } from '../../../test/raw-receiver.ts'
import { LOOPBACK, PATIENCE_MS, until } from '../../../test/rig.ts'
import { MUTUAL, PEM, client, startTlsReceiver } from '../../../test/tls-receiver.ts'

const OK = { kind: 'response', status: 200 }

describe('a private authority', { timeout: PATIENCE_MS }, () => {
  it('of the endpoint is trusted for its connections, and for no other’s', async () => {
    const receiver = await startTlsReceiver()
    const sender = newSender()
    const unknown = {
      kind: 'error',
      reason: 'tls',
      message: expect.stringMatching(/^[A-Z_]+ its certificate chain/),
    }
    expect(await sender.send(post(receiver.url))).toMatchObject(unknown)
    expect(await sender.send(post(receiver.url, { tls: { ca: PEM.ca } }))).toMatchObject(OK)
    expect(await sender.send(post(receiver.url))).toMatchObject(unknown)
    expect(await sender.send(post(receiver.url, { tls: { ca: PEM.stranger } }))).toMatchObject(unknown)
    expect(receiver.requests).toHaveLength(1)
  })

  it('of the sender is trusted for every connection, given as text or as the bytes of a file', async () => {
    const receiver = await startTlsReceiver()
    for (const ca of [PEM.ca, Buffer.from(PEM.ca), new TextEncoder().encode(PEM.ca)]) {
      const sender = newSender({ tls: { ca } })
      expect(await sender.send(post(receiver.url))).toMatchObject(OK)
      expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject(OK)
    }
  })

  it('may be the certificate of the receiver itself', async () => {
    const pem = readFileSync(new URL('../../../test/receiver.pem', import.meta.url))
    const receiver = await startTlsReceiver({ key: pem, cert: pem })
    const url = receiver.url.replace('127.0.0.1', 'localhost')
    const urlPolicy = { ...LOOPBACK, allowHosts: ['localhost'] }
    expect(await newSender({ urlPolicy, tls: { ca: pem } }).send(post(url))).toMatchObject(OK)
    expect(await newSender({ urlPolicy }).send(post(url, { tls: { ca: String(pem) } }))).toMatchObject(OK)
  })

  it('is added to Node’s own, and does not replace them', async () => {
    const pem = readFileSync(new URL('../../../test/receiver.pem', import.meta.url))
    const receiver = await startTlsReceiver({ key: pem, cert: pem })
    const script = `
      import { createUndiciSender } from './src/index.ts'
      const sender = createUndiciSender(${JSON.stringify({ urlPolicy: LOOPBACK, tls: { ca: PEM.ca } })})
      const request = ${JSON.stringify(post(receiver.url))}
      const kinds = [await sender.send(request), await sender.send({ ...request, tls: { ca: ${JSON.stringify(PEM.stranger)} } })]
      console.log(JSON.stringify(kinds.map(({ kind }) => kind)))
      await sender.close()`
    const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', script]
    const own = new URL('../../../test/receiver.pem', import.meta.url).pathname
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('../../..', import.meta.url),
      env: { ...process.env, NODE_EXTRA_CA_CERTS: own, NODE_NO_WARNINGS: '1' },
    })
    expect(JSON.parse(stdout)).toEqual(['response', 'response'])
  })

  it('does not validate a certificate of another host', async () => {
    const receiver = await startTlsReceiver()
    const sender = newSender({ urlPolicy: { ...LOOPBACK, allowHosts: ['127.0.0.2.nip.invalid', '127.0.0.2'] } })
    const result = await sender.send(post(receiver.url.replace('127.0.0.1', '127.0.0.2'), { tls: { ca: PEM.ca } }))
    expect(result).toMatchObject({ kind: 'error' })
    expect(receiver.requests).toEqual([])
  })
})

describe('a client certificate', { timeout: PATIENCE_MS }, () => {
  it('is sent to a receiver that asks for one, which accepts only the right one', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const sender = newSender()
    expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject(OK)
    expect(receiver.requests).toMatchObject([{ by: 'one' }])
    // Node reports only that the connection closed.
    expect(await sender.send(post(receiver.url, { tls: client('stranger') }))).toMatchObject({
      kind: 'error',
      reason: 'network',
    })
    expect(receiver.requests).toHaveLength(1)
  })

  it.each([
    ['TLSv1.2', /^ERR_SSL_\w+ .*, or wants a client certificate: /],
    ['TLSv1.3', /^ERR_SSL_\w+ the server wants a client certificate: give the endpoint one/],
  ] as const)('is said to be wanted under %s', async (version, message) => {
    const receiver = await startTlsReceiver({ ...MUTUAL, minVersion: version, maxVersion: version })
    const sender = newSender()
    const result = await sender.send(post(receiver.url, { tls: { ca: PEM.ca } }))
    expect(result).toEqual({ kind: 'error', reason: 'tls', message: expect.stringMatching(message) })
    expect(receiver.requests).toEqual([])
    expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject(OK)
  })

  it('of the sender is sent if the endpoint has none of its own', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const { cert, key } = client('two')
    const sender = newSender({ tls: { ca: PEM.ca, cert, key } })
    expect(await sender.send(post(receiver.url))).toMatchObject(OK)
    expect(await sender.send(post(receiver.url, { tls: { ca: PEM.stranger } }))).toMatchObject(OK)
    expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject(OK)
    expect(receiver.requests.map(({ by }) => by)).toEqual(['two', 'two', 'one'])
  })

  it.each(['TLSv1.2', 'TLSv1.3'] as const)(
    'of one endpoint is on none of another’s connections, nor in its sessions, at one host (%s)',
    async (version) => {
      const receiver = await startTlsReceiver({ requestCert: true, rejectUnauthorized: false, maxVersion: version })
      const sender = newSender({ keepAliveMs: 60_000, tls: { ca: PEM.ca } })
      const kinds: [string, EndpointTls | undefined][] = [
        ['one', client('one')],
        ['two', client('two')],
        ['undefined', undefined],
      ]
      for (let round = 0; round < 4; round++) {
        const sends = Array.from({ length: 8 }, () => kinds).flat()
        const results = await Promise.all(
          sends.map(([name, tls], n) => {
            // Some connections are reused, and some are made by session resumption.
            const url = `${receiver.url}${name}${n % 2 ? '?last' : ''}`
            return sender.send(post(url, tls ? { tls: { ...tls } } : {}))
          }),
        )
        expect(results.every(({ kind }) => kind === 'response')).toBe(true)
      }
      expect(receiver.requests).toHaveLength(96)
      for (const { path, by } of receiver.requests) expect(path).toBe(`/${String(by)}`)
      // Otherwise no session was resumed, and the test proved nothing about sessions.
      expect(receiver.requests.some(({ isResumed }) => isResumed)).toBe(true)
    },
  )

  it('reuses its connection for the next request, until the certificate changes', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const sender = newSender({ keepAliveMs: 60_000 })
    for (const name of ['one', 'one', 'one', 'two', 'one'] as const) {
      await sender.send(post(receiver.url, { tls: client(name) }))
      // The connection is free again shortly after its response.
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect([receiver.connections(), receiver.requests.map(({ by }) => by)]).toEqual([
      2,
      ['one', 'one', 'one', 'two', 'one'],
    ])
    await sender.close()
    await until(() => receiver.open() === 0)
    expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject({
      kind: 'error',
      message: expect.stringContaining('the sender was closed'),
    })
  })

  it('passes through an egress proxy, which does not see it', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const proxy = await startProxy(receiver.url)
    const sender = newSender({ egressProxy: `http://127.0.0.1:${proxy.port}`, keepAliveMs: 60_000 })
    for (const name of ['one', 'two', 'one'] as const) {
      expect(await sender.send(post(receiver.url, { tls: client(name) }))).toMatchObject(OK)
    }
    expect(receiver.requests.map(({ by }) => by)).toEqual(['one', 'two', 'one'])
    expect(proxy.connections()).toBe(2)
    expect(await sender.send(post(receiver.url))).toMatchObject({ kind: 'error', reason: 'tls' })
  })

  it('is not sent to a proxy of the private authority', async () => {
    const receiver = await startTlsReceiver(MUTUAL)
    const shown: unknown[] = []
    const options = { key: PEM.server, cert: PEM.server, requestCert: true, rejectUnauthorized: false }
    const proxy = createServer(options).on('connect', (request, socket) => {
      if (request.socket instanceof TLSSocket) shown.push(request.socket.getPeerCertificate())
      const onward = connect(Number(new URL(receiver.url).port), '127.0.0.1', () => {
        socket.write('HTTP/1.1 200 Connected\r\n\r\n')
        onward.pipe(socket).pipe(onward)
      })
      for (const one of [socket, onward]) one.on('error', () => onward.destroy())
      onTestFinished(() => void onward.destroy())
    })
    proxy.listen(0, '127.0.0.1')
    await once(proxy, 'listening')
    onTestFinished(() => void proxy.close())
    const egressProxy = `https://127.0.0.1:${(proxy.address() as AddressInfo).port}`
    const { cert, key } = client('one')
    expect(await newSender({ egressProxy, tls: { ca: PEM.ca, cert, key } }).send(post(receiver.url))).toMatchObject(OK)
    expect([shown, receiver.requests.map(({ by }) => by)]).toEqual([[{}], ['one']])
    expect(await newSender({ egressProxy }).send(post(receiver.url, { tls: client('one') }))).toMatchObject({
      message: expect.stringMatching(/^EGRESS_PROXY/),
    })
  })
})

describe('unusable certificates', { timeout: PATIENCE_MS }, () => {
  const pem = (body: string) => `-----BEGIN CERTIFICATE-----\n${body}\n-----END CERTIFICATE-----\n`
  it.each<[string, EndpointTls, RegExp]>([
    ['the key of another', { ...client('one'), key: client('two').key }, /^the key is not that of the certificate$/],
    ['no certificate', { ...client('one'), cert: pem('AAAA') }, /^the certificate, its key or the authorities cannot/],
    ['no authority', { ca: pem('AAAA') }, /^the certificate, its key or the authorities cannot/],
    ['a key with a passphrase', { ...client('one'), key: PEM.encryptedKey }, /cannot be used/],
  ])('fail the request, and nothing is sent: %s', async (_, tls, message) => {
    const receiver = await startTlsReceiver()
    const sender = newSender()
    const result = await sender.send(post(receiver.url, { tls }))
    expect(result).toEqual({ kind: 'error', reason: 'tls', message: expect.stringMatching(message) })
    expect(receiver.connections()).toBe(0)
    expect(await sender.send(post(receiver.url, { tls: client('one') }))).toMatchObject(OK)
  })

  it.each<[string, object]>([
    ['tls.cert and tls.key belong together', { cert: client('one').cert }],
    ['tls.cert and tls.key belong together', { key: client('one').key }],
    ['tls.ca must contain certificates in PEM', { ca: 'nothing' }],
    ['tls: the key is not that of the certificate', { cert: client('one').cert, key: client('two').key }],
    ['tls: the certificate, its key or the authorities cannot be used', { ca: pem('AAAA') }],
  ])('are refused by createUndiciSender: %s', (message, tls) => {
    const make = () => createUndiciSender({ tls })
    expect(make).toThrow(message)
    expect(make).toThrow(expect.objectContaining({ message: expect.not.stringContaining('PRIVATE KEY') }))
  })
})
