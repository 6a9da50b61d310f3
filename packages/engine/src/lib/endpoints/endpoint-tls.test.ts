import { X509Certificate } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { type EndpointTls, type Sender, createEngine } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { TEST_KEYS, receivers, rig } from '../../../test/rig.ts'
import { api, read } from '../../../test/routes.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const url = 'https://hooks.example.com/'
const file = (name: string) =>
  readFileSync(new URL(`../../../../adapter-node/test/certificates/${name}.pem`, import.meta.url), 'utf8')
// Each of the first files contains its key too.
const [ONE, TWO, CA, ENCRYPTED] = ['one', 'two', 'ca', 'encrypted-key'].map(file) as [string, string, string, string]
const TLS = { cert: ONE, key: ONE, ca: CA }
const block = (pem: string, label: string) =>
  new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----\n`).exec(pem)?.[0]
const KEY = String(block(ONE, 'PRIVATE KEY'))

/** A sender in memory that supports tls. */
function capable(): ReturnType<typeof receivers> {
  return Object.assign(receivers(), { supports: { tls: true } })
}

function fingerprint(name: string): string {
  return new X509Certificate(file(name)).fingerprint256
}

describe('tls of an endpoint', () => {
  it('is passed to the sender with every attempt, each part separately', async () => {
    const sender = capable()
    const { addEndpoint, engine, work } = await rig({ sender })
    await addEndpoint({ tls: { cert: `Bag Attributes\n${ONE}`, key: `${CA}${ONE}`, ca: `${CA}\n${TWO}` } })
    await engine.publish(event)
    await work()
    const certificate = (pem: string) => block(pem, 'CERTIFICATE')
    expect(sender.requests[0]?.tls).toEqual({
      cert: certificate(ONE),
      key: KEY,
      ca: `${certificate(CA)}${certificate(TWO)}`,
    })
  })

  it('is absent from the request of an endpoint without it', async () => {
    const sender = capable()
    const { addEndpoint, engine, work } = await rig({ sender })
    await addEndpoint()
    await engine.publish(event)
    await work()
    expect(sender.requests[0]).not.toHaveProperty('tls')
  })

  it('is shown as fingerprints, and its key is stored encrypted', async () => {
    const made = await api({ sender: capable() })
    const created = await read(made.call('POST', '/endpoints', { url, tls: TLS }))
    const path = `/endpoints/${String(created.body['id'])}`
    const shown = { certFingerprint: fingerprint('one'), caFingerprints: [fingerprint('ca')] }
    expect(created.body['tls']).toEqual(shown)
    const answers = [created, await read(made.call('GET', path)), await read(made.call('GET', '/endpoints'))]
    const tables = await Promise.all(
      ['keepsend_endpoints', 'keepsend_secrets'].map((table) => made.select(`select * from ${table}`)),
    )
    const [secretLine = ''] = KEY.split('\n').slice(1)
    expect(JSON.stringify([answers, tables])).not.toContain(secretLine.slice(8, 40))
    expect((await read(made.call('PATCH', path, { tls: { ca: CA } }))).body['tls']).toEqual({
      certFingerprint: null,
      caFingerprints: [fingerprint('ca')],
    })
    expect((await read(made.call('PATCH', path, { tls: null }))).body['tls']).toBeNull()
    expect(await made.select("select * from keepsend_secrets where scheme = 'tls'")).toEqual([])
  })

  it('is used for the token request of its auth too', async () => {
    const sender = capable()
    const { addEndpoint, engine, work } = await rig({ sender })
    const auth = {
      type: 'oauth2',
      tokenUrl: 'https://login.example.com/',
      clientId: 'c',
      clientSecret: 's',
    } as const
    await addEndpoint({ tls: { ca: CA }, auth })
    await engine.publish(event)
    await work()
    expect(sender.requests).toMatchObject([{ url: auth.tokenUrl, tls: { ca: CA } }])
  })

  it.each([
    ['its key is missing', "delete from keepsend_secrets where scheme = 'tls'"],
    ['it was changed by hand', "update keepsend_secrets set sealed = 'AAAA' where scheme = 'tls'"],
  ])('sends nothing when it cannot be decrypted, without counting an attempt: %s', async (_, damage) => {
    const sender = capable()
    const { addEndpoint, engine, exec, work } = await rig({ sender })
    await addEndpoint({ tls: TLS })
    await exec(damage)
    await engine.publish(event)
    expect(await work()).toMatchObject([
      { kind: 'reschedule', deferral: true, error: expect.stringMatching(/^secret_unreadable: /) },
    ])
    expect(sender.requests).toEqual([])
  })

  it('fails the attempt with a reason when the sender rejects it', async () => {
    const failing: Sender = {
      supports: { tls: true },
      send: async () => ({ kind: 'error', reason: 'tls', message: 'the key is not that of the certificate' }),
    }
    const { addEndpoint, engine, work, rows } = await rig({ sender: failing })
    await addEndpoint({ tls: TLS })
    await engine.publish(event)
    await work()
    expect(await rows()).toMatchObject([
      { attempts: 1, lastError: 'tls: the key is not that of the certificate', status: 'pending' },
    ])
  })
})

describe('a sender without support for tls', () => {
  it('refuses tls when it is set, by name', async () => {
    const { call, addEndpoint } = await api()
    const refused = {
      status: 422,
      body: expect.objectContaining({
        code: 'invalid_endpoint',
        detail: expect.stringMatching(/^tls is not supported here: .*Workers/),
      }),
    }
    expect(await read(call('POST', '/endpoints', { url, tls: TLS }))).toEqual(refused)
    const { id } = await addEndpoint()
    expect(await read(call('PATCH', `/endpoints/${id}`, { tls: { ca: CA } }))).toEqual(refused)
    expect(await read(call('PATCH', `/endpoints/${id}`, { tls: null }))).toMatchObject({ status: 200 })
  })

  it('sends nothing for an endpoint with tls, and says why', async () => {
    const on = await openDatabase()
    await (await rig({ on, sender: capable() })).addEndpoint({ tls: TLS })
    const { engine, work, rows, sender } = await rig({ on })
    await engine.publish(event)
    await work()
    expect(await rows()).toMatchObject([
      {
        attempts: 1,
        lastError:
          'tls: the sender of this process does not support client certificates and private authorities; nothing was sent',
      },
    ])
    expect(sender.requests).toEqual([])
  })

  it('does not keep a process that only publishes from setting it', async () => {
    const { db } = await rig()
    const publisher = createEngine({ db, queue: { send: async () => {} }, secrets: TEST_KEYS })
    const { endpoint } = await publisher.endpoints.create('w1', { url, tls: TLS })
    expect(endpoint.tls).toMatchObject({ certFingerprint: fingerprint('one') })
  })
})

describe('tls that is refused', () => {
  const pem = (label: string, body: string) => `-----BEGIN ${label}-----\n${body}\n-----END ${label}-----\n`
  const cut = ONE.replaceAll(/\n[^\n]+\n-----END CERTIFICATE-----/g, '\n-----END CERTIFICATE-----')
  it.each<[string, EndpointTls]>([
    ['tls.cert and tls.key belong together', { cert: ONE }],
    ['tls.cert and tls.key belong together', { key: ONE }],
    ['tls must have cert and key, or ca', {}],
    ['an endpoint has no option tls.passphrase', { ...TLS, passphrase: 'x' } as EndpointTls],
    ['tls.cert must hold 1 to 10 certificates in PEM', { ...TLS, cert: KEY }],
    ['tls.cert must hold 1 to 10 certificates in PEM', { ...TLS, cert: cut }],
    ['tls.cert must hold 1 to 10 certificates in PEM', { ...TLS, cert: pem('CERTIFICATE', 'ä') }],
    ['tls.ca must hold 1 to 10 certificates in PEM', { ca: '' }],
    ['tls.ca must hold 1 to 10 certificates in PEM', { ca: CA.repeat(11) }],
    ['tls.ca must be text of at most 32768 characters', { ca: 'a'.repeat(32_769) }],
    ['tls.key must be a text; found a number', { ...TLS, key: 1 as never }],
    ['tls.key must hold one private key in PEM', { ...TLS, key: CA }],
    ['tls.key must hold one private key in PEM', { ...TLS, key: KEY + KEY }],
    ['tls.key must hold one private key in PEM', { ...TLS, key: pem('PRIVATE KEY', 'AAAA') }],
    ['tls.key must hold one private key in PEM', { ...TLS, key: pem('OPENSSH PRIVATE KEY', 'MAA=') }],
    ['tls.key has a passphrase', { ...TLS, key: ENCRYPTED }],
    [
      'tls.key has a passphrase',
      { ...TLS, key: pem('RSA PRIVATE KEY', 'Proc-Type: 4,ENCRYPTED\nDEK-Info: AES,0\n\nAAAA') },
    ],
  ])('%s', async (message, tls) => {
    const { addEndpoint, count } = await rig({ sender: capable() })
    const refused = { code: 'invalid_endpoint', message: expect.stringContaining(message) }
    await expect(addEndpoint({ tls })).rejects.toMatchObject(refused)
    expect(await count('keepsend_secrets')).toBe(0)
  })

  it('needs an https URL, whichever of the two is set second', async () => {
    const policy = { urlPolicy: { allowHttp: true }, sender: capable() }
    const { addEndpoint, engine, exec, work, sender } = await rig(policy)
    const plain = 'http://hooks.example.com/'
    const refused = { code: 'invalid_endpoint', message: 'tls needs a url that begins with https://' }
    await expect(addEndpoint({ url: plain, tls: TLS })).rejects.toMatchObject(refused)
    const [one, two] = [await addEndpoint({ url: plain }), await addEndpoint({ tls: TLS })]
    await expect(engine.endpoints.update('w1', one.id, { tls: TLS })).rejects.toMatchObject(refused)
    await expect(engine.endpoints.update('w1', two.id, { url: plain })).rejects.toMatchObject(refused)
    await engine.endpoints.delete('w1', one.id)
    await exec('update keepsend_endpoints set url = ? where id = ?', plain, two.id)
    await engine.publish(event)
    expect(await work()).toMatchObject([
      { kind: 'reschedule', error: 'tls: the URL does not begin with https://; nothing was sent' },
    ])
    expect(sender.requests).toEqual([])
  })
})
