import { createExecutionContext } from 'cloudflare:test'
import { env } from 'cloudflare:workers'
import { createKeyRing, createWebCryptoSigner, reencryptSecrets } from '@keepsend/engine'
import { signatureHeaders } from '@keepsend/engine/internal'
import { describe, expect, it } from 'vitest'
import { createWorker } from '../../src/index.ts'
import { fates, rig } from './rig.ts'
import type { Env } from './worker.ts'

// From Svix's own tests.
const VECTOR = {
  secret: 'whsk_6Xb/dCcHpPea21PS1N9VY/NZW723CEc77N4rJCubMbfVKIDij2HKpMKkioLlX0dRqSKJp4AJ6p9lMicMFs6Kvg==',
  message: { id: 'msg_p5jXN8AQM9LWM0D4loKWxJek', timestampSeconds: 1_614_265_330, body: '{"test": 2432232314}' },
  signature: 'v1a,hnO3f9T8Ytu9HwrXslvumlUpqtNVqkhqw/enGzPCXe5BdqzCInXqYXFymVJaA7AZdpXwVLPo3mNl8EM+m7TBAg==',
}
const K2 = 'k2:YW5vdGhlciBrZXkgb2YgMzIgYnl0ZXMgaW4gYmFzZTY='

describe('secrets in workerd', () => {
  it('WebCrypto signs v1a with the known answer', async () => {
    const headers = await signatureHeaders(createWebCryptoSigner(), [VECTOR.secret], VECTOR.message)
    expect(headers['webhook-signature']).toBe(VECTOR.signature)
  })

  it('are encrypted in D1, and deliveries are signed with all schemes', async () => {
    const parts = await rig()
    const hook = await parts.addEndpoint(
      { status: 200 },
      { signatures: ['v1', 'v1a'], compatSignature: { header: 'acme-signature', secret: 'the-secret-of-before' } },
    )
    const { results } = await env.DB.prepare('select * from keepsend_secrets').all()
    expect(results.map(({ scheme, key_id: keyId }) => [scheme, keyId])).toEqual([
      ['compat', 'test'],
      ['v1', 'test'],
      ['v1a', 'test'],
    ])
    expect(JSON.stringify(results)).not.toMatch(/whs|the-secret/)
    await parts.publish(1)
    expect(fates(await parts.consume())).toEqual(['ack'])
    const [arrival] = await hook.arrivals()
    expect(arrival?.headers['webhook-signature']).toMatch(/^v1,[\w+/]{43}= v1a,[\w+/]{86}==$/)
    expect(arrival?.headers['acme-signature']).toMatch(/^t=\d{10},v1=[0-9a-f]{64}$/)
    const { 'webhook-id': id, 'webhook-timestamp': time, 'webhook-signature': signatures } = arrival?.headers ?? {}
    const shown = await parts.engine.endpoints.secrets('w', hook.endpointId)
    const publicKey = await crypto.subtle.importKey(
      'raw',
      bytesOf(shown.find(({ scheme }) => scheme === 'v1a')?.secret.slice('whpk_'.length) ?? ''),
      'Ed25519',
      false,
      ['verify'],
    )
    const signature = bytesOf(String(signatures).split('v1a,')[1] ?? '')
    const content = new TextEncoder().encode(`${String(id)}.${String(time)}.${arrival?.body}`)
    expect(await crypto.subtle.verify('Ed25519', publicKey, signature, content)).toBe(true)
  })

  it('are re-encrypted in bounded batches, and can be read under the new key', async () => {
    const { db, engine, addEndpoint } = await rig()
    const endpoints = [await addEndpoint(), await addEndpoint(), await addEndpoint()]
    const before = await engine.endpoints.secrets('w', endpoints[0]?.endpointId ?? '')
    const { key } = await engine.apiKeys.create({ workspaceId: 'w' })
    const secrets = createKeyRing(`${K2},test:a2VlcHNlbmQgdGVzdCBrZXksIDMyIGJ5dGVzIGxvbmc=`)
    const first = await reencryptSecrets({ db, secrets, limit: 3 })
    expect(first).toMatchObject({ reencrypted: 3, failed: 0, next: expect.any(String) })
    expect(await reencryptSecrets({ db, secrets, limit: 3, after: first.next })).toEqual({
      reencrypted: 1,
      failed: 0,
      next: undefined,
    })
    const worker = createWorker({
      bindings: (given: Env) => ({ db: given.DB, queue: given.WEBHOOKS, secrets: createKeyRing(K2) }),
    })
    const response = await worker.fetch(
      new Request(`http://app/webhooks/endpoints/${endpoints[0]?.endpointId}/secret`, {
        headers: { authorization: `Bearer ${key}` },
      }),
      env,
      createExecutionContext(),
    )
    expect(await response.json()).toMatchObject({ data: before.map(({ secret }) => ({ secret })) })
  })

  it('are required: a Worker without its key answers only how to create one', async () => {
    const worker = createWorker({
      bindings: (given: Env & { KEEPSEND_SECRET_KEY?: string }) => ({
        db: given.DB,
        queue: given.WEBHOOKS,
        secrets: createKeyRing(given.KEEPSEND_SECRET_KEY),
      }),
    })
    await expect(
      worker.fetch(new Request('http://app/webhooks/health'), env, createExecutionContext()),
    ).rejects.toThrow(/a key ring has 1 to 32 keys; found 0: make one with/)
  })

  it('an API key is rotated, and the old one ends', async () => {
    const { engine } = await rig()
    const made = await engine.apiKeys.create({ workspaceId: 'w' })
    const fresh = await engine.apiKeys.rotate('w', made.id, { overlapMs: 0 })
    const asks = [made, fresh].map(({ key }) =>
      engine.apiKeys.authenticate(new Request('http://app/', { headers: { authorization: `Bearer ${key}` } })),
    )
    expect(await Promise.all(asks)).toEqual([undefined, expect.objectContaining({ workspaceId: 'w' })])
  })
})

function bytesOf(base64: string): Uint8Array {
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0))
}
