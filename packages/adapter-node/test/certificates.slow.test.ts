import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { promisify } from 'node:util'
import type { UrlPolicy } from '@keepsend/engine'
import { describe, expect, it, onTestFinished } from 'vitest'
import { createUndiciSender } from '../src/index.ts'
import { newSender, post } from './raw-receiver.ts'
import { startReceiver } from './receiver.ts'
import { LOOPBACK, PATIENCE_MS } from './rig.ts'
import { startProxy } from './proxy.ts'

const SELF_SIGNED = {
  kind: 'error',
  reason: 'tls',
  message: 'DEPTH_ZERO_SELF_SIGNED_CERT its certificate is self-signed: get one from a public authority',
}

/** A receiver with a self-signed certificate. */
async function startTlsReceiver(): Promise<{ url: string; requests: () => number }> {
  const pem = readFileSync(new URL('receiver.pem', import.meta.url))
  let requests = 0
  const server = createServer({ key: pem, cert: pem }, (request, response) => {
    requests++
    request.resume().on('end', () => response.end())
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return { url: `https://127.0.0.1:${(server.address() as AddressInfo).port}/`, requests: () => requests }
}

describe('the certificate of a receiver', { timeout: PATIENCE_MS }, () => {
  it.each<[string, (url: string) => Promise<{ egressProxy?: string; urlPolicy?: UrlPolicy }>]>([
    ['directly', async () => ({})],
    ['a host that the operator opened', async () => ({ urlPolicy: { ...LOOPBACK, allowHosts: ['127.0.0.1'] } })],
    ['through a proxy', async (url) => ({ egressProxy: `http://127.0.0.1:${(await startProxy(url)).port}` })],
  ])('is verified regardless of the environment, %s', async (_, optionsFor) => {
    const receiver = await startTlsReceiver()
    const options = { urlPolicy: LOOPBACK, ...(await optionsFor(receiver.url)) }
    const script = `
      import { createUndiciSender } from './src/index.ts'
      const sender = createUndiciSender(${JSON.stringify(options)})
      console.log(JSON.stringify(await sender.send(${JSON.stringify(post(receiver.url))})))
      await sender.close()`
    const args = ['--conditions=@keepsend/source', '--input-type=module-typescript', '--eval', script]
    const { stdout } = await promisify(execFile)(process.execPath, args, {
      cwd: new URL('..', import.meta.url),
      env: { ...process.env, NODE_TLS_REJECT_UNAUTHORIZED: '0', NODE_NO_WARNINGS: '1' },
    })
    expect(JSON.parse(stdout)).toEqual(SELF_SIGNED)
    expect(receiver.requests()).toBe(0)
  })

  it('is not verified with verifyCertificates: false, directly and through a proxy', async () => {
    const receiver = await startTlsReceiver()
    const egressProxy = `http://127.0.0.1:${(await startProxy(receiver.url)).port}`
    for (const options of [{}, { egressProxy }]) {
      const result = await newSender({ verifyCertificates: false, ...options }).send(post(receiver.url))
      expect(result).toMatchObject({ kind: 'response', status: 200 })
    }
  })

  it('takes only true and false', () => {
    expect(() => createUndiciSender({ verifyCertificates: 0 as never })).toThrow(
      'verifyCertificates must be true or false; found a number',
    )
  })
})

it('a port without TLS is described in a sentence of ours', { timeout: PATIENCE_MS }, async () => {
  const plain = await startReceiver()
  const result = await newSender().send(post(plain.url.replace('http:', 'https:')))
  expect(result).toMatchObject({
    reason: 'tls',
    message: expect.stringMatching(/^E[A-Z_]+ (the port does not speak TLS|the receiver closed the connection)/),
  })
})
