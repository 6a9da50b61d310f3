import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { type EngineOptions, type SecretEncryption, createEngine, createKeyRing } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { TEST_KEYS, rig, settled, verifies, verify } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }
const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') })

/** An encryption that counts its calls and fails on demand. */
function counting(encryption: SecretEncryption = TEST_KEYS) {
  const calls = { wrap: 0, unwrap: 0, failing: false }
  const asked = (what: 'wrap' | 'unwrap') => {
    calls[what]++
    if (calls.failing) throw new Error('the KMS does not answer')
  }
  return {
    calls,
    keyId: encryption.keyId,
    wrap: async (...of: Parameters<SecretEncryption['wrap']>) => {
      asked('wrap')
      return encryption.wrap(...of)
    },
    unwrap: async (...of: Parameters<SecretEncryption['unwrap']>) => {
      asked('unwrap')
      return encryption.unwrap(...of)
    },
  }
}

describe('an engine without a valid option secrets', () => {
  it.each([{}, { secrets: undefined }, { secrets: 'plaintext' }, { secrets: { keys: [] } }, { secrets: null }])(
    'does not start: %j',
    async (wrong) => {
      const { db } = await openDatabase()
      const make = () => createEngine({ db, queue: { async send() {} }, ...wrong } as EngineOptions)
      expect(make).toThrow(expect.objectContaining({ code: 'invalid_option' }))
      expect(make).toThrow(/secrets must be createKeyRing\(process\.env\.KEEPSEND_SECRET_KEY\)/)
    },
  )

  it('stores them in plaintext if the option says so by name, with a warning', async () => {
    const { addEndpoint, select, log, engine, work, sender } = await rig({ secrets: 'plaintext-for-development' })
    const { secret } = await addEndpoint()
    expect(await select('select secret, key_id as "keyId" from keepsend_secrets')).toEqual([{ secret, keyId: null }])
    expect(log.entries).toMatchObject([{ level: 'warn', message: expect.stringContaining('plaintext') }])
    await engine.publish(event)
    await work()
    verify(sender.requests[0], secret)
  })
})

describe('at rest', () => {
  it('no table contains a secret or the pepper in plaintext, and each row names its key', async () => {
    const { addEndpoint, engine, select, log } = await rig()
    const { id, secret } = await addEndpoint({
      signatures: ['v1', 'v1a'],
      compatSignature: { header: 'acme-signature', secret: 'an-old-secret-text' },
    })
    const { secret: rotated } = await engine.endpoints.rotateSecret('w1', id)
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const rows = await select('select * from keepsend_secrets order by endpoint_id, scheme, version')
    expect(rows.map(({ scheme, version, key_id }) => [scheme, Number(version), key_id])).toEqual([
      ['pepper', 1, 'k1'],
      ['compat', 1, 'k1'],
      ['v1', 1, 'k1'],
      ['v1', 2, 'k1'],
      ['v1a', 1, 'k1'],
    ])
    const all = JSON.stringify([rows, await select('select * from keepsend_api_keys'), log.entries])
    for (const plain of [secret, rotated, key, 'an-old-secret-text']) expect(all).not.toContain(plain.slice(6))
    expect(all).not.toMatch(/whs[ek]c?_/)
  })

  it('a row that is copied to another endpoint or version fails only that endpoint', async () => {
    const on = await openDatabase()
    const { addEndpoint, engine, exec, work, sender, rows, log } = await rig({ on })
    const [victim, thief, bystander] = [await addEndpoint(), await addEndpoint(), await addEndpoint()]
    await engine.publish(event)
    await work()
    sender.requests.length = 0
    await exec(
      `update keepsend_secrets set secret = (select secret from keepsend_secrets where endpoint_id = ?) where endpoint_id = ?`,
      victim.id,
      thief.id,
    )
    let clock = 0
    const { engine: later, work: go } = await rig({ on, sender, monotonic: () => clock })
    await later.publish(event)
    const outcomes = await go()
    expect(outcomes.filter(({ kind }) => kind === 'complete')).toHaveLength(2)
    expect(outcomes).toContainEqual({
      kind: 'reschedule',
      deferral: true,
      delayMs: 60_000,
      error: 'secret_unreadable: a secret of the endpoint could not be read; nothing was sent',
    })
    expect(sender.requests).toHaveLength(2)
    for (const { secret } of [victim, bystander]) {
      expect(sender.requests.filter((request) => verifies(request, secret))).toHaveLength(1)
    }
    const [waiting] = await rows()
    expect(waiting).toMatchObject({ endpointId: thief.id, status: 'pending', attempts: 0, deferrals: 1 })
    // Nor later, when the process has cached the victim's secret, whose row has the same text.
    await later.endpoints.secrets('w1', victim.id)
    clock += 2000
    await exec('update pending_events set due_at = 0')
    expect(await go()).toMatchObject([{ kind: 'reschedule', deferral: true }])
    expect(sender.requests).toHaveLength(2)
    await expect(later.endpoints.secrets('w1', thief.id)).rejects.toMatchObject({ code: 'secret_unreadable' })
    expect(await later.endpoints.secrets('w1', victim.id)).toMatchObject([{ secret: victim.secret }])
    expect(JSON.stringify(log.entries)).not.toContain('whsec_')
  })

  it('an endpoint that was moved to another workspace by hand does not sign', async () => {
    const { addEndpoint, engine, exec, work, sender } = await rig()
    const { id } = await addEndpoint()
    await exec('update keepsend_endpoints set workspace_id = ? where id = ?', 'w2', id)
    await exec('update keepsend_subscriptions set workspace_id = ? where endpoint_id = ?', 'w2', id)
    await engine.publish({ ...event, workspaceId: 'w2' })
    expect(await work()).toMatchObject([{ kind: 'reschedule', error: expect.stringMatching(/^secret_unreadable: /) }])
    expect(sender.requests).toEqual([])
  })

  it('a version that was changed by hand does not decrypt, and the error only says where', async () => {
    const { addEndpoint, engine, exec } = await rig()
    const { id } = await addEndpoint()
    await exec('update keepsend_secrets set version = 7 where endpoint_id = ?', id)
    await expect(engine.endpoints.secrets('w1', id)).rejects.toThrow(
      `the secret w1/${id}/v1/7 could not be decrypted: it was not encrypted under the key k1 for this row`,
    )
  })

  it('a secret under a missing key costs free deferrals first, then attempts on the schedule', async () => {
    const on = await openDatabase()
    await (await rig({ on })).addEndpoint()
    const other = await rig({ on, secrets: createKeyRing([newKey('k2')]) })
    await other.engine.publish(event)
    expect(await other.work()).toMatchObject([{ kind: 'reschedule', deferral: true }])
    expect(JSON.stringify(other.log.entries)).toContain('the key ring has no key k1')
    await other.exec('update pending_events set deferrals = 20, due_at = 0')
    expect(await other.work()).toMatchObject([
      { kind: 'reschedule', deferral: false, error: expect.stringMatching(/^secret_unreadable/) },
    ])
    expect(await other.rows()).toMatchObject([{ attempts: 1, status: 'pending' }])
    const plain = await rig({ on, secrets: 'plaintext-for-development' })
    await plain.exec('update pending_events set due_at = 0')
    await plain.work()
    expect(JSON.stringify(plain.log.entries)).toContain('this engine stores secrets in plaintext')
    // With the key back, the waiting row is delivered.
    const mended = await rig({ on })
    await mended.exec('update pending_events set due_at = 0')
    expect(await mended.work()).toMatchObject([{ kind: 'complete' }])
  })

  it('an endpoint without any secret sends nothing unsigned', async () => {
    const { addEndpoint, engine, exec, work, sender } = await rig()
    await addEndpoint()
    await exec('delete from keepsend_secrets')
    await engine.publish(event)
    expect(await work()).toMatchObject([
      { kind: 'reschedule', deferral: true, error: expect.stringMatching(/^secret_unreadable/) },
    ])
    expect(sender.requests).toEqual([])
  })
})

describe('the decryption of secrets', () => {
  it('runs once for a secret, however many deliveries and reads there are', async () => {
    const encryption = counting()
    let clock = 0
    const { addEndpoint, engine, work, sender } = await rig({ secrets: encryption, monotonic: () => clock })
    const { id } = await addEndpoint()
    await addEndpoint()
    for (let round = 0; round < 5; round++) {
      for (let sent = 0; sent < 4; sent++) await engine.publish(event)
      await work()
      // After the second for which an endpoint is cached, its row is read again.
      clock += 2000
    }
    expect([sender.requests.length, encryption.calls.unwrap]).toEqual([40, 2])
    await engine.endpoints.secrets('w1', id)
    expect(encryption.calls.unwrap).toBe(2)
  })

  it('runs again after a failure; meanwhile no attempt counts and others are delivered', async () => {
    const encryption = counting()
    const on = await openDatabase()
    const first = await rig({ on, secrets: encryption })
    await first.addEndpoint()
    let clock = 0
    const { engine, work, exec } = await rig({
      on,
      secrets: encryption,
      monotonic: () => clock,
    })
    encryption.calls.failing = true
    await engine.publish(event)
    expect(await work()).toMatchObject([{ kind: 'reschedule', deferral: true }])
    encryption.calls.failing = false
    clock += 2000
    await exec('update pending_events set due_at = 0')
    expect(await work()).toMatchObject([{ kind: 'complete' }])
  })

  it('a KMS that never answers delays only its endpoint, for seconds', async () => {
    const on = await openDatabase()
    const stuck = await rig({ on })
    const { id } = await stuck.addEndpoint()
    const { secret } = await stuck.addEndpoint()
    const encryption: SecretEncryption = {
      ...TEST_KEYS,
      unwrap: (wrapped, context, keyId) =>
        context.endpointId === id ? new Promise(() => {}) : TEST_KEYS.unwrap(wrapped, context, keyId),
    }
    const { engine, work, sender } = await rig({ on, secrets: encryption })
    await engine.publish(event)
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] })
    onTestFinished(() => void vi.useRealTimers())
    let working = true
    const worked = work().finally(() => (working = false))
    const stillWorking = (): boolean => working
    while (stillWorking()) {
      await settled()
      // Only after the other delivery was sent: the time-out delays nothing else.
      if (sender.requests.length > 0) vi.advanceTimersByTime(1000)
    }
    const outcomes = await worked
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
    verify(sender.requests[0], secret)
  })

  it('gets workspace, endpoint, scheme and version as text', async () => {
    const seen: unknown[] = []
    const encryption: SecretEncryption = {
      ...TEST_KEYS,
      async wrap(plain, context) {
        seen.push(context)
        return TEST_KEYS.wrap(plain, context)
      },
    }
    const { addEndpoint, engine } = await rig({ secrets: encryption })
    const { id } = await addEndpoint()
    await engine.endpoints.rotateSecret('w1', id)
    expect(seen).toEqual(['1', '2'].map((version) => ({ workspaceId: 'w1', endpointId: id, scheme: 'v1', version })))
  })
})
