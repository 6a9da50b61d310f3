import { randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { type SecretEncryption, createKeyRing, reencryptSecrets } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { TEST_KEYS, bearer, rig, verifies } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') })

describe('re-encrypting', () => {
  it('moves plaintext and older keys to the active key in batches, while everything works', async () => {
    const on = await openDatabase()
    const plain = await rig({ on, secrets: 'plaintext-for-development' })
    const made = [await plain.addEndpoint(), await plain.addEndpoint({ signatures: ['v1', 'v1a'] })]
    const { key } = await plain.engine.apiKeys.create({ workspaceId: 'w1' })
    const [k1, k2] = [newKey('k1'), newKey('k2')]
    const old = await rig({ on, secrets: createKeyRing([k1]) })
    made.push(await old.addEndpoint())

    const ring = createKeyRing([k2, k1])
    const counts = []
    let after: string | undefined
    do {
      const batch = await reencryptSecrets({ db: plain.db, secrets: ring, limit: 2, after })
      counts.push([batch.reencrypted, batch.failed])
      after = batch.next
    } while (after !== undefined)
    expect(counts).toEqual([
      [2, 0],
      [2, 0],
      [1, 0],
    ])
    const keys = await plain.select('select distinct key_id from keepsend_secrets')
    expect(keys).toEqual([{ key_id: 'k2' }])
    expect(await reencryptSecrets({ db: plain.db, secrets: ring })).toEqual({
      reencrypted: 0,
      failed: 0,
      next: undefined,
    })

    // Without the old key: signing, showing secrets and API keys still work.
    const { engine, work, sender } = await rig({ on, secrets: createKeyRing([k2]) })
    await engine.publish(event)
    await work()
    for (const { secret } of made)
      expect(sender.requests.filter((request) => verifies(request, secret))).toHaveLength(1)
    expect(await engine.apiKeys.authenticate(bearer(key))).toMatchObject({ workspaceId: 'w1' })
  })

  it('leaves secrets that it cannot read, counts them, and continues after them', async () => {
    const { db, addEndpoint, exec, select, log } = await rig()
    const [one, two] = [await addEndpoint(), await addEndpoint()]
    await exec('update keepsend_secrets set version = 5 where endpoint_id = ?', one.id)
    const k2 = newKey('k2')
    const both: SecretEncryption = {
      ...createKeyRing([k2]),
      unwrap: (wrapped, context, keyId) => TEST_KEYS.unwrap(wrapped, context, keyId),
    }
    expect(await reencryptSecrets({ db, secrets: both, logger: log })).toEqual({
      reencrypted: 1,
      failed: 1,
      next: undefined,
    })
    const rows = await select('select endpoint_id as id, key_id as "keyId" from keepsend_secrets order by endpoint_id')
    expect(rows).toEqual([
      { id: one.id, keyId: 'k1' },
      { id: two.id, keyId: 'k2' },
    ])
    expect(log.entries).toMatchObject([{ level: 'error', fields: { endpointId: one.id } }])
  })

  it('leaves a secret that is replaced meanwhile as it was replaced', async () => {
    const k2 = newKey('k2')
    const { db, addEndpoint, engine } = await rig()
    const { id, secret } = await addEndpoint()
    const racing: SecretEncryption = {
      ...createKeyRing([k2]),
      async unwrap(wrapped, context, keyId) {
        await engine.endpoints.update('w1', id, { signatures: ['v1a'] })
        await engine.endpoints.update('w1', id, { signatures: ['v1'] })
        return TEST_KEYS.unwrap(wrapped, context, keyId)
      },
    }
    expect(await reencryptSecrets({ db, secrets: racing })).toMatchObject({ reencrypted: 0, failed: 0 })
    const [now] = await engine.endpoints.secrets('w1', id)
    expect(now).toMatchObject({ scheme: 'v1', version: 1 })
    expect(now?.secret).not.toBe(secret)
  })

  it('requires a key and a bounded batch', async () => {
    const { db } = await rig()
    await expect(reencryptSecrets({ db, secrets: 'plaintext-for-development' })).rejects.toThrow('found plaintext')
    for (const limit of [0, 501, 1.5]) {
      await expect(reencryptSecrets({ db, secrets: TEST_KEYS, limit })).rejects.toThrow(`found ${limit}`)
    }
  })
})
