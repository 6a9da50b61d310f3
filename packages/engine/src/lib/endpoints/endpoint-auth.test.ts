import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type EndpointAuth, createKeyRing, reencryptSecrets } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { rig } from '../../../test/rig.ts'
import { api, problem, read } from '../../../test/routes.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const url = 'https://hooks.example.com/'
const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') })

const BASIC = { type: 'basic', username: 'keepsend', password: 's3cret-pässword' } as const
const BEARER = { type: 'bearer', token: 's3cret-token' } as const
const OAUTH2 = {
  type: 'oauth2',
  tokenUrl: 'https://login.example.com/token',
  clientId: 'client-4711',
  clientSecret: 's3cret-of-the-client',
  scope: 'webhooks:write',
} as const
const EACH: EndpointAuth[] = [BASIC, BEARER, OAUTH2]

/** The shown part of each. */
const SHOWN = [
  { type: 'basic', username: 'keepsend' },
  { type: 'bearer' },
  {
    type: 'oauth2',
    tokenUrl: OAUTH2.tokenUrl,
    clientId: OAUTH2.clientId,
    scope: OAUTH2.scope,
    clientAuthentication: 'basic',
  },
]

async function everythingStored({ select }: Pick<Awaited<ReturnType<typeof rig>>, 'select'>): Promise<string> {
  const tables = ['keepsend_endpoints', 'keepsend_secrets', 'keepsend_idempotency_records', 'pending_events']
  return JSON.stringify(await Promise.all(tables.map((table) => select(`select * from ${table}`))))
}

/** The header of the attempt for a new event. */
async function sentWith(made: Pick<Awaited<ReturnType<typeof rig>>, 'engine' | 'work' | 'sender'>) {
  await made.engine.publish(event)
  await made.work()
  return made.sender.requests.at(-1)?.headers['authorization']
}

describe('auth of an endpoint', () => {
  it.each([
    // The examples of RFC 7617, sections 2 and 2.1.
    [{ type: 'basic', username: 'Aladdin', password: 'open sesame' }, 'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ=='],
    [{ type: 'basic', username: 'test', password: '123£' }, 'Basic dGVzdDoxMjPCow=='],
    [{ type: 'basic', username: 'key', password: '' }, 'Basic a2V5Og=='],
    [{ type: 'basic', username: '', password: 'a:b' }, 'Basic OmE6Yg=='],
    [{ type: 'bearer', token: 'abc.DEF-123_~+/=' }, 'Bearer abc.DEF-123_~+/='],
  ] as const)('is the header authorization of every attempt: %j', async (auth, header) => {
    const made = await rig()
    const { id } = await made.addEndpoint({ auth })
    expect(await sentWith(made)).toBe(header)
    await made.engine.endpoints.update('w1', id, { description: 'another' })
    expect(await sentWith(made)).toBe(header)
  })

  it.each(EACH.map((auth, index) => [auth.type, auth, SHOWN[index]] as const))(
    'is shown without its secrets, and stored encrypted: %s',
    async (_, auth, shown) => {
      const made = await api()
      const answers = [await read(made.call('POST', '/endpoints', { url, auth }))]
      const id = String(answers[0]?.body['id'])
      answers.push(
        await read(made.call('GET', `/endpoints/${id}`)),
        await read(made.call('PATCH', `/endpoints/${id}`, { auth })),
      )
      expect(answers.map(({ status, body }) => [status, body['auth']])).toEqual([
        [201, shown],
        [200, shown],
        [200, shown],
      ])
      const list = await read(made.call('GET', '/endpoints'))
      const secrets = await read(made.call('GET', `/endpoints/${id}/secret`))
      expect(secrets.body['data']).toMatchObject([{ scheme: 'v1' }])
      const everything = JSON.stringify([answers, list, secrets, await everythingStored(made), made.log.entries])
      expect(everything).not.toContain('s3cret')
    },
  )

  it('is left alone by other changes, replaced as a whole, and removed by null', async () => {
    const made = await rig()
    const { engine, select } = made
    const { id } = await made.addEndpoint({ auth: BASIC })
    const kept = () => select("select * from keepsend_secrets where scheme = 'auth'")
    const before = await kept()
    await engine.endpoints.update('w1', id, { description: 'other' })
    expect(await kept()).toEqual(before)
    const replaced = await engine.endpoints.update('w1', id, { auth: BEARER })
    expect(replaced.auth).toEqual({ type: 'bearer' })
    expect(await kept()).toMatchObject([{ endpoint_id: id }])
    expect(await kept()).not.toEqual(before)
    expect(await sentWith(made)).toBe(`Bearer ${BEARER.token}`)
    expect((await engine.endpoints.update('w1', id, { auth: null })).auth).toBeNull()
    expect(await kept()).toEqual([])
    expect(await sentWith(made)).toBeUndefined()
  })

  it('is that of one of two concurrent changes, and can be decrypted', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ auth: BASIC })
    for (let round = 0; round < 5; round++) {
      const tokens = ['one', 'two'].map((name) => `${name}-${round}`)
      await Promise.all(
        tokens.map((token) => made.engine.endpoints.update('w1', id, { auth: { type: 'bearer', token } })),
      )
      expect(tokens.map((token) => `Bearer ${token}`)).toContain(await sentWith(made))
    }
  })

  it('is deleted with its endpoint', async () => {
    const { addEndpoint, engine, count } = await rig()
    const { id } = await addEndpoint({ auth: BASIC })
    await engine.endpoints.delete('w1', id)
    expect(await count('keepsend_secrets')).toBe(0)
  })

  it('is re-encrypted with the secrets, and decrypted without the old key', async () => {
    const on = await openDatabase()
    const [k1, k2] = [newKey('k1'), newKey('k2')]
    await (await rig({ on, secrets: createKeyRing([k1]) })).addEndpoint({ auth: BEARER })
    const { db } = await rig({ on })
    expect(await reencryptSecrets({ db, secrets: createKeyRing([k2, k1]) })).toMatchObject({
      reencrypted: 2,
      failed: 0,
    })
    expect(await sentWith(await rig({ on, secrets: createKeyRing([k2]) }))).toBe(`Bearer ${BEARER.token}`)
  })

  it.each([
    ['its key is missing', "delete from keepsend_secrets where scheme = 'auth'"],
    ['it was changed by hand', "update keepsend_secrets set sealed = 'AAAA' where scheme = 'auth'"],
    ['it is missing', "update keepsend_secrets set sealed = null where scheme = 'auth'"],
    ['its key is another', "update keepsend_secrets set secret = 'AAAA', key_id = null where scheme = 'auth'"],
  ])(
    'sends nothing when it cannot be decrypted, without counting an attempt or affecting other endpoints: %s',
    async (_, damage) => {
      const { addEndpoint, engine, exec, work, sender, log } = await rig()
      const { id } = await addEndpoint({ auth: BEARER })
      await exec(damage)
      await addEndpoint({ auth: { type: 'bearer', token: 'mine' } })
      await engine.publish(event)
      const outcomes = await work()
      expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
      expect(outcomes).toContainEqual(
        expect.objectContaining({ deferral: true, error: expect.stringMatching(/^secret_unreadable: /) }),
      )
      expect(sender.requests.map(({ headers }) => headers['authorization'])).toEqual(['Bearer mine'])
      expect(log.entries).toMatchObject([{ level: 'error', fields: { endpointId: id, code: 'secret_unreadable' } }])
      expect(JSON.stringify(log.entries)).not.toContain('s3cret')
    },
  )

  it('does not decrypt when copied to another endpoint', async () => {
    const { addEndpoint, engine, exec, work, sender } = await rig()
    const [from, to] = [await addEndpoint({ auth: BEARER }), await addEndpoint({ auth: BASIC })]
    await exec(
      `update keepsend_secrets set secret = (select secret from keepsend_secrets where endpoint_id = '${from.id}' and scheme = 'auth'),
        sealed = (select sealed from keepsend_secrets where endpoint_id = '${from.id}' and scheme = 'auth')
      where endpoint_id = '${to.id}' and scheme = 'auth'`,
    )
    await engine.publish(event)
    await work()
    expect(sender.requests).toHaveLength(1)
  })

  it('breaks neither lists nor changes when its column is broken by hand', async () => {
    const made = await rig()
    const { id } = await made.addEndpoint({ auth: BASIC })
    await made.exec("update keepsend_endpoints set auth = '{'")
    expect(await made.engine.endpoints.list('w1', { limit: 1 })).toMatchObject([{ auth: null, unreadable: ['auth'] }])
    await made.engine.endpoints.update('w1', id, { auth: BEARER })
    expect(await sentWith(made)).toBe(`Bearer ${BEARER.token}`)
  })

  it('costs no additional statement, with it or without', async () => {
    const statements: string[] = []
    const { addEndpoint, engine, work } = await rig({
      wrap: (db) => ({
        ...db,
        atomic: (list) => db.atomic(list),
        run: (one) => {
          if ('sql' in one) statements.push(one.sql)
          return db.run(one)
        },
      }),
    })
    await addEndpoint()
    await engine.publish(event)
    statements.length = 0
    await work()
    const without = statements.length
    await addEndpoint({ auth: BASIC })
    await engine.publish(event)
    statements.length = 0
    await work()
    expect([without, statements.length]).toEqual([1, 1])
  })
})

describe('auth that is refused', () => {
  const LONE = '\ud800'
  it.each<[string, object]>([
    ['auth.type must be basic, bearer, oauth2', { type: 'digest' }],
    ['auth must be an object, or null; found a text', '' as unknown as object],
    ['auth must be an object, or null; found a list of texts', []],
    ['auth.type must be basic, bearer, oauth2', { type: 'toString' }],
    [
      'an endpoint with auth of the type bearer has no option auth.password',
      { type: 'bearer', token: 'a', password: 'b' },
    ],
    ['auth.username must be', { type: 'basic', username: 'a:b', password: 'c' }],
    ['auth.username must be', { type: 'basic', username: 'a\nb', password: 'c' }],
    ['auth.username must be', { type: 'basic', username: 'a'.repeat(257), password: 'c' }],
    ['auth.username must be', { type: 'basic', password: 'c' }],
    ['auth.password must be', { type: 'basic', username: 'a', password: 'b\u0000' }],
    ['auth.password must be', { type: 'basic', username: 'a', password: LONE }],
    ['auth.password must be', { type: 'basic', username: 'a', password: 'b'.repeat(1025) }],
    ['auth.password must be a text; found a number', { type: 'basic', username: 'a', password: 1 }],
    ['auth must have a username or a password', { type: 'basic', username: '', password: '' }],
    ['auth.token must be', { type: 'bearer', token: '' }],
    ['auth.token must be', { type: 'bearer', token: 'a b' }],
    ['auth.token must be', { type: 'bearer', token: 'a\r\nx: y' }],
    ['auth.token must be', { type: 'bearer', token: 'ä' }],
    ['auth.token must be', { type: 'bearer', token: 'a'.repeat(8193) }],
    ['auth.tokenUrl: address not allowed (blocked_address)', { ...OAUTH2, tokenUrl: 'https://127.0.0.1/' }],
    ['auth.tokenUrl: url must begin with https://', { ...OAUTH2, tokenUrl: 'http://login.example.com/' }],
    ['auth.tokenUrl: url must not contain a user name', { ...OAUTH2, tokenUrl: 'https://a:b@login.example.com/' }],
    ['auth.tokenUrl must be', { ...OAUTH2, tokenUrl: undefined }],
    ['auth.clientId must be', { ...OAUTH2, clientId: '' }],
    ['auth.clientSecret must be', { ...OAUTH2, clientSecret: undefined }],
    ['auth.scope must be', { ...OAUTH2, scope: 'a"b' }],
    ['auth.audience must be', { ...OAUTH2, audience: 'a'.repeat(1001) }],
    ['auth.clientAuthentication must be', { ...OAUTH2, clientAuthentication: 'post' }],
  ])('%s', async (message, auth) => {
    const { addEndpoint, engine, count } = await rig()
    const refused = { code: 'invalid_endpoint', message: expect.stringContaining(message) }
    await expect(addEndpoint({ auth: auth as EndpointAuth })).rejects.toMatchObject(refused)
    expect(await count('keepsend_endpoints')).toBe(0)
    const { id } = await addEndpoint()
    await expect(engine.endpoints.update('w1', id, { auth: auth as EndpointAuth })).rejects.toMatchObject(refused)
    expect(await count('keepsend_secrets')).toBe(1)
  })

  it('is a problem document over HTTP, without the given values', async () => {
    const { call } = await api()
    const bad = [
      { type: 'basic', username: 's3cret:name', password: 's3cret' },
      { type: 'basic', password: 's3cret' },
      { type: 's3cret' },
      { type: 'bearer', token: 's3cret s3cret' },
      { ...OAUTH2, tokenUrl: 'http://s3cret' },
      's3cret',
    ]
    for (const auth of bad) {
      const answer = await read(call('POST', '/endpoints', { url, auth }))
      expect([400, 422], JSON.stringify(auth)).toContain(answer.status)
      expect(JSON.stringify(answer), JSON.stringify(auth)).not.toContain('s3cret')
    }
  })

  it('cannot be changed by another workspace', async () => {
    const { call, keys } = await api()
    const { body } = await read(call('POST', '/endpoints', { url, auth: BEARER }))
    const path = `/endpoints/${String(body['id'])}`
    expect(await read(call('PATCH', path, { auth: null }, keys.w2))).toEqual(problem(404, 'not_found'))
    expect((await read(call('GET', path))).body['auth']).toEqual({ type: 'bearer' })
  })
})

it('a repeated request shows auth as the first did, from a record without secrets', async () => {
  const made = await api()
  const ask = async () =>
    read(
      made.engine.routes.request('/endpoints', {
        method: 'POST',
        headers: {
          'content-type': 'application/json',
          authorization: `Bearer ${made.keys.w1}`,
          'idempotency-key': '"k1"',
        },
        body: JSON.stringify({ url, auth: OAUTH2 }),
      }),
    )
  const [first, second] = [await ask(), await ask()]
  expect(first.body['auth']).toEqual(SHOWN[2])
  expect(second).toEqual(first)
  expect(await made.count('keepsend_endpoints')).toBe(1)
  expect(await everythingStored(made)).not.toContain('s3cret')
})
