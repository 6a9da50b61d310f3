import { describe, expect, it } from 'vitest'
import { rig, verify } from '../../../test/rig.ts'

const event = { type: 'message.created', workspaceId: 'w1', data: {} }

describe('rotation', () => {
  it('allows ten active secrets; refuses the eleventh, unless its overlap is 0, which ends the others', async () => {
    const { addEndpoint, engine, work, sender } = await rig()
    const { id, secret } = await addEndpoint()
    const secrets = [secret]
    for (let made = 1; made < 10; made++) secrets.unshift((await engine.endpoints.rotateSecret('w1', id)).secret)
    await expect(engine.endpoints.rotateSecret('w1', id)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('10 v1 secrets of this endpoint are active'),
    })
    expect((await engine.endpoints.secrets('w1', id)).map((one) => one.secret)).toEqual(secrets)
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(10)
    for (const one of secrets) verify(sender.requests[0], one)

    const { secret: last } = await engine.endpoints.rotateSecret('w1', id, { overlapMs: 0 })
    expect(await engine.endpoints.secrets('w1', id)).toMatchObject([{ secret: last, version: 11, expiresAt: null }])
    await engine.publish(event)
    await work()
    expect(sender.requests[1]?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
    verify(sender.requests[1], last)
  })

  it('can be ended: the old secret signs nothing more, and the current one cannot be ended', async () => {
    const { addEndpoint, engine, work, sender } = await rig()
    const { id } = await addEndpoint()
    const { secret } = await engine.endpoints.rotateSecret('w1', id)
    for (const version of [3, 0, 1.5, Number.NaN, 2 ** 40])
      await expect(engine.endpoints.endSecret('w1', id, { version })).rejects.toMatchObject({ code: 'not_found' })
    await expect(engine.endpoints.endSecret('w1', id, { version: 1, scheme: 'v1a' })).rejects.toThrow('no active v1a')
    await expect(engine.endpoints.endSecret('w2', id, { version: 1 })).rejects.toMatchObject({ code: 'not_found' })
    await expect(engine.endpoints.endSecret('w1', id, { version: 2 })).rejects.toMatchObject({ code: 'conflict' })

    const ends = [1, 2].map(() => engine.endpoints.endSecret('w1', id, { version: 1 }))
    expect((await Promise.allSettled(ends)).map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected'])
    expect(await engine.endpoints.secrets('w1', id)).toMatchObject([{ secret, version: 2 }])
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
    verify(sender.requests[0], secret)
  })

  it('leaves the old secret active for 24 hours or a given time up to 7 days, and never extends it', async () => {
    const { addEndpoint, engine } = await rig()
    const { id } = await addEndpoint()
    const windows = async () => {
      const now = Date.now()
      const found = await engine.endpoints.secrets('w1', id)
      return found.map(({ expiresAt }) => expiresAt && Math.round((expiresAt - now) / 60_000))
    }
    await engine.endpoints.rotateSecret('w1', id)
    expect(await windows()).toEqual([null, 1440])
    await engine.endpoints.rotateSecret('w1', id, { overlapMs: 604_800_000 })
    expect(await windows()).toEqual([null, 10_080, 1440])
    await engine.endpoints.rotateSecret('w1', id, { overlapMs: 3_600_000 })
    expect(await windows()).toEqual([null, 60, 60, 60])
    for (const overlapMs of [-1, 604_800_001, 0.5]) {
      await expect(engine.endpoints.rotateSecret('w1', id, { overlapMs })).rejects.toThrow(`found ${overlapMs}`)
    }
  })

  it('ends by itself: an expired secret does not sign, show or count, and maintenance deletes it', async () => {
    const { addEndpoint, engine, exec, count, work, sender } = await rig()
    const { id } = await addEndpoint()
    for (let made = 1; made < 10; made++) await engine.endpoints.rotateSecret('w1', id)
    await exec('update keepsend_secrets set expires_at = 1 where version < 10')
    expect(await engine.endpoints.secrets('w1', id)).toMatchObject([{ version: 10 }])
    await engine.publish(event)
    await work()
    expect(sender.requests[0]?.headers['webhook-signature']?.split(' ')).toHaveLength(1)
    expect(await count('keepsend_secrets')).toBe(10)
    expect(await engine.worker.maintain()).toMatchObject({ deletedSecrets: 9 })
    expect(await count('keepsend_secrets')).toBe(1)
    expect(await engine.endpoints.rotateSecret('w1', id)).toMatchObject({ version: 11 })
  })

  it('gives each of many concurrent callers its own version, one of which is current', async () => {
    const { addEndpoint, engine } = await rig()
    const { id } = await addEndpoint()
    const made = await Promise.all(Array.from({ length: 6 }, () => engine.endpoints.rotateSecret('w1', id)))
    const found = await engine.endpoints.secrets('w1', id)
    expect(found.map(({ version }) => version)).toEqual([7, 6, 5, 4, 3, 2, 1])
    expect(found.filter(({ expiresAt }) => expiresAt === null)).toHaveLength(1)
    expect(made.length).toBe(6)
  })

  it('is not_found for an endpoint of another workspace or a deleted one', async () => {
    const { addEndpoint, engine } = await rig()
    const { id } = await addEndpoint()
    await expect(engine.endpoints.rotateSecret('w2', id)).rejects.toMatchObject({ code: 'not_found' })
    await engine.endpoints.delete('w1', id)
    await expect(engine.endpoints.rotateSecret('w1', id)).rejects.toMatchObject({ code: 'not_found' })
  })
})
