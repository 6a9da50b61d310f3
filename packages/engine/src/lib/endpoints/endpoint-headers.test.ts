import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type SecretEncryption, createKeyRing, reencryptSecrets } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { TEST_KEYS, rig } from '../../../test/rig.ts'
import { api, read } from '../../../test/routes.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const TOKEN = 'Bearer s3cret-token-of-a-customer'
const headers = { Authorization: TOKEN, 'x-room': 'room-4711' }
const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') })

async function stored({ select }: Pick<Awaited<ReturnType<typeof rig>>, 'select'>): Promise<string> {
  return JSON.stringify([
    await select('select * from keepsend_endpoints'),
    await select('select * from keepsend_secrets'),
  ])
}

describe('the values of an endpoint’s own headers', () => {
  it('are encrypted at rest, sent with every attempt, and never shown', async () => {
    const made = await api()
    const { call, work, sender, engine } = made
    const created = await read(call('POST', '/endpoints', { url: 'https://hooks.example.com/', headers }))
    const id = String(created.body['id'])
    expect(created.body['headerNames']).toEqual(['authorization', 'x-room'])
    for (const plain of [TOKEN, 'room-4711']) {
      expect(await stored(made)).not.toContain(plain)
      expect(JSON.stringify([created.body, (await read(call('GET', `/endpoints/${id}`))).body])).not.toContain(plain)
    }
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers).toMatchObject({ authorization: TOKEN, 'x-room': 'room-4711' })
  })

  it('have a key that no route shows and that signs nothing', async () => {
    const { call, engine, select, addEndpoint } = await api()
    const { id, secret } = await addEndpoint({ headers })
    expect(await select('select scheme from keepsend_secrets where endpoint_id = ? order by scheme', id)).toEqual([
      { scheme: 'headers' },
      { scheme: 'v1' },
    ])
    expect(await engine.endpoints.secrets('w1', id)).toMatchObject([{ scheme: 'v1', secret }])
    const shown = await read(call('GET', `/endpoints/${id}/secret`))
    expect(shown.body['data']).toMatchObject([{ scheme: 'v1' }])
  })

  it('are replaced as a whole under a new key, left alone by other changes, and removed with their key', async () => {
    const made = await rig()
    const { addEndpoint, engine, select, work, sender } = made
    const { id } = await addEndpoint({ headers })
    const key = async () =>
      (await select("select secret from keepsend_secrets where endpoint_id = ? and scheme = 'headers'", id))[0]?.[
        'secret'
      ]
    const [first] = [await key()]
    await engine.endpoints.update('w1', id, { description: 'other' })
    expect(await key()).toBe(first)
    await engine.endpoints.update('w1', id, { headers: { 'x-new': 'n1' } })
    expect(await key()).not.toBe(first)
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers).toMatchObject({ 'x-new': 'n1' })
    expect(sender.requests[0]?.headers).not.toHaveProperty('x-room')
    await engine.endpoints.update('w1', id, { headers: {} })
    expect(await key()).toBeUndefined()
    await engine.publish(event)
    await work()
    expect(sender.requests[1]?.headers).not.toHaveProperty('x-new')
  })

  it('are those of one of two concurrent changes, and can be decrypted', async () => {
    const { addEndpoint, engine, work, sender } = await rig()
    const { id } = await addEndpoint({ headers })
    for (let round = 0; round < 5; round++) {
      const values = ['one', 'two'].map((name) => `${name}-${round}`)
      await Promise.all(
        values.map((value) => engine.endpoints.update('w1', id, { headers: { 'x-a': value, 'x-b': value } })),
      )
      await engine.publish(event)
      await work()
      const sent = sender.requests.at(-1)?.headers ?? {}
      expect(values).toContain(sent['x-a'])
      expect(sent['x-b']).toBe(sent['x-a'])
    }
    expect(sender.requests).toHaveLength(5)
  })

  it('are re-encrypted with the secrets, and decrypted without the old key', async () => {
    const on = await openDatabase()
    const [k1, k2] = [newKey('k1'), newKey('k2')]
    await (await rig({ on, secrets: createKeyRing([k1]) })).addEndpoint({ headers })
    const { db } = await rig({ on })
    expect(await reencryptSecrets({ db, secrets: createKeyRing([k2, k1]) })).toMatchObject({
      reencrypted: 2,
      failed: 0,
    })
    const { engine, work, sender } = await rig({ on, secrets: createKeyRing([k2]) })
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers).toMatchObject({ authorization: TOKEN })
  })

  it.each([
    ['their key is missing', "delete from keepsend_secrets where scheme = 'headers'"],
    ['they were changed by hand', `update keepsend_endpoints set headers = '{"authorization":"Bearer plain"}'`],
    ['their key is another', "update keepsend_secrets set secret = 'AAAA', key_id = null where scheme = 'headers'"],
  ])(
    'send nothing when they cannot be decrypted, without counting an attempt or affecting other endpoints: %s',
    async (_, damage) => {
      const { addEndpoint, engine, exec, work, sender, log } = await rig()
      const { id } = await addEndpoint({ headers })
      await exec(damage)
      await addEndpoint({ headers: { 'x-own': 'mine' } })
      await engine.publish(event)
      const outcomes = await work()
      expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
      expect(outcomes).toContainEqual(
        expect.objectContaining({ deferral: true, error: expect.stringMatching(/^secret_unreadable: /) }),
      )
      expect(sender.requests.map((request) => request.headers['x-own'])).toEqual(['mine'])
      expect(log.entries).toMatchObject([{ level: 'error', fields: { endpointId: id, code: 'secret_unreadable' } }])
      expect(JSON.stringify(log.entries)).not.toContain('s3cret')
    },
  )

  it('cost one KMS call of a few bytes for each endpoint and process', async () => {
    const sizes: number[] = []
    let unwraps = 0
    const encryption: SecretEncryption = {
      ...TEST_KEYS,
      wrap: (plain, context) => {
        sizes.push(plain.length)
        return TEST_KEYS.wrap(plain, context)
      },
      unwrap: (wrapped, context, keyId) => {
        if (context.scheme === 'headers') unwraps++
        return TEST_KEYS.unwrap(wrapped, context, keyId)
      },
    }
    let clock = 0
    const { addEndpoint, engine, work, sender } = await rig({ secrets: encryption, monotonic: () => clock })
    await addEndpoint({ headers: Object.fromEntries(['a', 'b', 'c'].map((name) => [`x-${name}`, name.repeat(4000)])) })
    for (let round = 0; round < 3; round++) {
      await engine.publish(event)
      await work()
      clock += 2000
    }
    expect([sender.requests.length, unwraps]).toEqual([3, 1])
    expect(Math.max(...sizes)).toBeLessThanOrEqual(256)
  })
})
