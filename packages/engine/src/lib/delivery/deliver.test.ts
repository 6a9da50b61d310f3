import { claimDueEvents } from '@keepsend/outbox'
import { createCipheriv, randomBytes } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { createEngine, silentLogger } from '../../index.ts'
import { INTERNAL_ERROR } from './deliver.ts'
import { LATER, TEST_KEYS, receivers, rig, verify } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: { text: 'é🙂\u0000\ud800' } }

/** A header's value as stored in its row. */
function sealedAs(name: string, value: string, key: string): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', Buffer.from(key, 'base64'), nonce).setAAD(Buffer.from(name))
  const sealed = Buffer.concat([cipher.update(value), cipher.final(), cipher.getAuthTag()])
  return nonce.toString('base64') + sealed.toString('base64')
}

describe('an attempt', () => {
  it('sends the stored bytes, signed, as JSON, with the deadline and the bound on the answer', async () => {
    const { engine, addEndpoint, work, sender, rows } = await rig({ userAgent: 'Acme/1', deadlineMs: 9000 })
    const { secret } = await addEndpoint({ url: 'https://hooks.example.com:8443/in?x=1' })
    const { eventId } = await engine.publish(event)
    const [row] = await rows()
    expect(await work()).toMatchObject([{ kind: 'complete', httpStatus: 200 }])
    const [request] = sender.requests
    verify(request, secret)
    expect(request).toMatchObject({
      url: 'https://hooks.example.com:8443/in?x=1',
      body: row?.payload,
      deadlineMs: 9000,
      maxResponseBytes: 65_536,
      // Some firewalls refuse a request without `accept`.
      headers: { accept: '*/*', 'content-type': 'application/json', 'user-agent': 'Acme/1', 'webhook-id': eventId },
    })
  })

  it('repeats webhook-id and the body under a new timestamp: the body contains no time of an attempt (trap 15)', async () => {
    const { engine, addEndpoint, work, sender, rows } = await rig({ answer: () => 500 })
    await addEndpoint()
    const { eventId } = await engine.publish(event)
    const payload = (await rows())[0]?.payload
    for (const attempt of [0, 1, 2]) await work({ now: LATER + attempt * 86_400_000 })
    const { requests } = sender
    expect(requests.map(({ body, headers }) => [body, headers['webhook-id']])).toEqual(
      requests.map(() => [payload, eventId]),
    )
    expect(requests).toHaveLength(3)
    const times = requests.map(({ headers }) => Number(headers['webhook-timestamp']))
    expect(times).toEqual([0, 1, 2].map((day) => Math.floor(LATER / 1000) + day * 86_400))
    expect(new Set(requests.map(({ headers }) => headers['webhook-signature'])).size).toBe(3)
  })

  it("sends the endpoint's own headers, which cannot replace Keepsend's", async () => {
    const { engine, addEndpoint, work, sender, exec, select } = await rig({ secrets: 'plaintext-for-development' })
    const { id } = await addEndpoint({ headers: { Authorization: 'Bearer s3cret', 'X-Env': 'prod' } })
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers).toMatchObject({ authorization: 'Bearer s3cret', 'x-env': 'prod' })
    // Not even if another program with the key wrote the row.
    const [row] = await select("select secret from keepsend_secrets where scheme = 'headers'")
    const seal = (name: string, value: string) => sealedAs(name, value, String(row?.['secret']))
    const forged = { 'webhook-id': seal('webhook-id', 'forged'), 'content-type': seal('content-type', 'text/plain') }
    await exec(`update keepsend_endpoints set headers = '${JSON.stringify(forged)}'`)
    await engine.endpoints.setStatus('w1', id, 'enabled')
    const { eventId } = await engine.publish(event)
    await work()
    expect(sender.requests[1]?.headers).toMatchObject({ 'webhook-id': eventId, 'content-type': 'application/json' })
  })

  it('disables the endpoint of a receiver that wants no more; the delivery that it accepted is complete', async () => {
    const { engine, addEndpoint, work, rows, sender } = await rig({
      answer: () => ({ status: 200, headers: { 'webhook-delivery': 'disable' } }),
    })
    const { id } = await addEndpoint()
    await engine.publish(event)
    await work()
    expect(await rows()).toEqual([])
    expect(await engine.endpoints.get('w1', id)).toMatchObject({
      status: 'disabled',
      disabledReason: 'receiver_requested',
    })
    await engine.publish(event)
    expect(await work()).toEqual([])
    expect(sender.requests).toHaveLength(1)
  })

  it("uses the endpoint's own deadline and schedule, within the engine's bounds", async () => {
    const { engine, addEndpoint, work, sender } = await rig({
      answer: () => 500,
      maxDeadlineMs: 20_000,
      retrySchedule: [7],
    })
    await addEndpoint({ deadlineMs: 2000, retrySchedule: [60, 120] })
    await addEndpoint({ deadlineMs: 30_000 })
    await engine.publish(event)
    const outcomes = await work()
    // Two concurrent attempts: the one whose signature is ready first is sent first.
    expect(sender.requests.map(({ deadlineMs }) => deadlineMs).sort((a, b) => a - b)).toEqual([2000, 20_000])
    expect(outcomes).toMatchObject([{ delayMs: 60_000 }, { delayMs: 7000 }])
  })

  it('requires a sender, and names it in the error', async () => {
    const { db, engine, addEndpoint, messages } = await rig()
    await addEndpoint()
    await engine.publish(event)
    const publisher = createEngine({
      db,
      queue: { send: async (message) => void messages.push(message) },
      secrets: TEST_KEYS,
      logger: silentLogger,
    })
    const { claims } = await claimDueEvents(db, { limit: 1 })
    const [claim] = claims
    expect(claim && (await publisher.worker.deliver(claim, claim.claimedAt))).toMatchObject({
      kind: 'reschedule',
      error: INTERNAL_ERROR,
    })
  })
})

describe('an error before an attempt is sent', () => {
  it('is an outcome of its row and does not stop the other rows (trap 10)', async () => {
    const { engine, addEndpoint, work, rows, sender, log, exec } = await rig()
    const [good, poisoned] = [await addEndpoint(), await addEndpoint()]
    await exec(
      'update keepsend_secrets set secret = ?, key_id = null where endpoint_id = ?',
      'not a secret',
      poisoned.id,
    )
    await engine.publish(event)
    const outcomes = await work()
    expect(outcomes.map(({ kind }) => kind).sort()).toEqual(['complete', 'reschedule'])
    expect(sender.requests.map(({ headers }) => headers['webhook-signature']?.startsWith('v1,'))).toEqual([true])
    verify(sender.requests[0], good.secret)
    expect(await rows()).toMatchObject([
      {
        endpointId: poisoned.id,
        status: 'pending',
        attempts: 1,
        lastError: expect.stringMatching(/^internal_error: /),
      },
    ])
    expect(log.entries).toMatchObject([{ level: 'error', fields: { deliveryId: (await rows())[0]?.id } }])
    expect(JSON.stringify([log.entries, await rows()])).not.toContain('not a secret')
  })

  it('fails the row when its attempts are exhausted, instead of returning forever (trap 10)', async () => {
    const signer = () => {
      throw new Error('no key')
    }
    const { engine, addEndpoint, work, rows } = await rig({ signer })
    await addEndpoint({ retrySchedule: [1] })
    await engine.publish(event)
    await work()
    await work({ now: LATER })
    expect(await rows()).toMatchObject([{ status: 'failed', attempts: 2, lastError: INTERNAL_ERROR }])
  })

  it('may be a sender that throws', async () => {
    const broken = { send: () => Promise.reject(new Error('no sockets')) }
    const { engine, addEndpoint, work } = await rig({ sender: broken })
    await addEndpoint()
    await engine.publish(event)
    expect(await work()).toMatchObject([{ kind: 'reschedule', error: INTERNAL_ERROR }])
  })

  it('fails the row of an endpoint that was deleted or never existed', async () => {
    const { engine, addEndpoint, work, rows, sender } = await rig()
    const { id } = await addEndpoint()
    await engine.publish(event)
    await engine.endpoints.delete('w1', id)
    expect(await work()).toEqual([{ kind: 'fail', error: 'endpoint_gone: the endpoint does not exist' }])
    expect([(await rows())[0]?.status, sender.requests]).toEqual(['failed', []])
  })
})

describe('the endpoint of an attempt', () => {
  const setup = async () => {
    const clock = { ms: 0 }
    const made = await rig({ monotonic: () => clock.ms })
    const endpoint = await made.addEndpoint()
    const send = async () => {
      await made.engine.publish(event)
      return made.work()
    }
    await send()
    return { ...made, ...endpoint, clock, send }
  }

  it('is at most a second old when another process changed it', async () => {
    const { exec, id, clock, send, sender } = await setup()
    await exec('update keepsend_endpoints set url = ? where id = ?', 'https://new.example.com/', id)
    clock.ms = 999
    await send()
    clock.ms = 1000
    await send()
    expect(sender.requests.map(({ url }) => new URL(url).hostname)).toEqual([
      'hooks.example.com',
      'hooks.example.com',
      'new.example.com',
    ])
  })

  it('is read immediately when this process changed it', async () => {
    const { engine, id, send, sender } = await setup()
    await engine.endpoints.update('w1', id, { url: 'https://new.example.com/' })
    await send()
    expect(sender.requests.at(-1)?.url).toBe('https://new.example.com/')
    await engine.endpoints.rotateSecret('w1', id)
    await send()
    expect(sender.requests.at(-1)?.headers['webhook-signature']?.split(' ')).toHaveLength(2)
  })

  it('is read in one statement for many rows', async () => {
    let reads = 0
    const counting: Parameters<typeof rig>[0] = {
      wrap: (db) => ({
        ...db,
        atomic: (list) => db.atomic(list),
        run: (one) => {
          if ('sql' in one && one.sql.includes('left join keepsend_secrets')) reads++
          return db.run(one)
        },
      }),
    }
    const { engine, addEndpoint, work, sender } = await rig(counting)
    for (let made = 0; made < 5; made++) await addEndpoint()
    for (let sent = 0; sent < 4; sent++) await engine.publish(event)
    await work()
    expect([sender.requests.length, reads]).toEqual([20, 1])
  })
})

describe('secrets', () => {
  it('sign side by side while one replaces the other, and an expired one no longer (trap 34)', async () => {
    const { engine, addEndpoint, work, sender } = await rig()
    const { id, secret: old } = await addEndpoint()
    const { secret: fresh } = await engine.endpoints.rotateSecret('w1', id, { overlapMs: 3_600_000 })
    const attempt = async (now: number) => {
      await engine.publish(event)
      await work({ now })
      return sender.requests.at(-1)
    }
    const during = await attempt(Date.now() + 60_000)
    for (const secret of [old, fresh]) verify(during, secret)
    expect(during?.headers['webhook-signature']?.split(' ')).toHaveLength(2)
    const after = await attempt(Date.now() + 3_700_000)
    expect(after?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
    expect((await engine.endpoints.secrets('w1', id)).map(({ secret }) => secret)).toEqual([fresh, old])
  })
})

describe('a URL that is not allowed', () => {
  const BAD = [
    'http://example.com/',
    'https://127.0.0.1/',
    'https://localhost/',
    'https://10.0.0.1/',
    'https://a:b@example.com/',
    'https://example.com:22/',
  ]

  it.each(BAD)('%s is refused when an endpoint is created, and when it is changed', async (url) => {
    const { engine, addEndpoint, count } = await rig()
    await expect(addEndpoint({ url })).rejects.toMatchObject({ code: 'invalid_endpoint' })
    expect(await count('keepsend_endpoints')).toBe(0)
    const { id } = await addEndpoint()
    await expect(engine.endpoints.update('w1', id, { url })).rejects.toMatchObject({ code: 'invalid_endpoint' })
    expect(await engine.endpoints.get('w1', id)).toMatchObject({ url: 'https://hooks.example.com/', version: 1 })
  })

  it.each(BAD)(
    '%s is refused again at the attempt, and nothing is sent, even if it was written to the table by hand',
    async (url) => {
      const { engine, addEndpoint, work, exec, sender, rows } = await rig()
      const { id } = await addEndpoint()
      await exec('update keepsend_endpoints set url = ? where id = ?', url, id)
      await engine.publish(event)
      const error = expect.stringMatching(/^(scheme|credentials|port|blocked_address): /)
      expect(await work()).toMatchObject([{ kind: 'reschedule', deferral: false, error }])
      expect([sender.requests, (await rows())[0]?.attempts]).toEqual([[], 1])
    },
  )

  it('is sent to if the operator allows it', async () => {
    const { engine, addEndpoint, work, sender } = await rig({
      urlPolicy: { allowHttp: true, allowHosts: ['localhost'], allowPorts: [3000] },
      sender: receivers(),
    })
    await addEndpoint({ url: 'http://localhost:3000/hooks' })
    await engine.publish(event)
    expect([await work(), sender.requests]).toMatchObject([[{ kind: 'complete', httpStatus: 200 }], []])
  })
})
