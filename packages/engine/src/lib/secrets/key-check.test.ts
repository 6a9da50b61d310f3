import { randomBytes } from 'node:crypto'
import { describe, expect, it, onTestFinished, vi } from 'vitest'
import { OutboxError } from '@keepsend/outbox'
import { createKeyRing, reencryptSecrets } from '../../index.ts'
import { type TestDatabase, openDatabase } from '../../../test/database.ts'
import { rig } from '../../../test/rig.ts'

const newKey = (id: string) => ({ id, key: randomBytes(32).toString('base64') })
const [k1, k2] = [newKey('k1'), newKey('k2')]

const under = (on: TestDatabase, ...keys: (typeof k1)[]) =>
  rig({ on, secrets: keys.length === 0 ? 'plaintext-for-development' : createKeyRing(keys) })

async function health({ engine }: Awaited<ReturnType<typeof rig>>): Promise<number> {
  return (await engine.routes.request('/health')).status
}

const checksOf = (on: TestDatabase) =>
  on.select(`select version, key_id as "keyId" from keepsend_secrets where endpoint_id = 'key_check' order by version`)

describe('the keys of secrets', () => {
  it('are verified at the start and by GET /health, against missing and different keys', async () => {
    const on = await openDatabase()
    const right = await under(on, k1)
    await right.engine.worker.checkKeys()
    await right.engine.worker.checkKeys()
    expect(await health(right)).toBe(200)
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
    for (const [keys, why] of [
      [[newKey('k1')], /not encrypted under the key k1/],
      [[k2], /no key k1: append it to the ring/],
      [[k2, newKey('k1')], /not encrypted under the key k1/],
      [[], /this engine stores secrets in plaintext/],
    ] as const) {
      const wrong = await under(on, ...keys)
      await expect(wrong.engine.worker.checkKeys()).rejects.toMatchObject({
        code: 'secret_unreadable',
        message: expect.stringMatching(why),
      })
      const answer = await wrong.engine.routes.request('/health')
      expect([answer.status, await answer.json()]).toEqual([503, { status: 'unavailable' }])
      expect(wrong.log.entries.at(-1)).toMatchObject({
        level: 'error',
        message: 'health check failed: the keys of secrets are not those of the database',
        fields: { error: expect.stringMatching(why) },
      })
    }
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
  })

  it('are verified with the pepper of the API keys while there is no check value', async () => {
    const on = await openDatabase()
    await (await under(on, k1)).engine.apiKeys.create({ workspaceId: 'w1' })
    await expect((await under(on, k2)).engine.worker.checkKeys()).rejects.toMatchObject({ code: 'secret_unreadable' })
    expect(await checksOf(on)).toEqual([])
  })

  it('can be changed in steps, each of which works for old and new processes', async () => {
    const on = await openDatabase()
    const old = await under(on, k1)
    await old.engine.worker.checkKeys()
    await old.addEndpoint()
    for (const keys of [
      [k1, k2],
      [k2, k1],
    ]) {
      const next = await under(on, ...keys)
      await next.engine.worker.checkKeys()
      expect(await health(next)).toBe(200)
    }
    expect(await checksOf(on)).toEqual([
      { version: 1, keyId: 'k1' },
      { version: 2, keyId: 'k2' },
    ])
    // A process whose second key is mistyped would write secrets that no other process can read.
    await expect((await under(on, newKey('k2'), k1)).engine.worker.checkKeys()).rejects.toThrow('under the key k2')
    expect(await reencryptSecrets({ db: old.db, secrets: createKeyRing([k2, k1]) })).toMatchObject({ failed: 0 })
    const last = await under(on, k2)
    await last.engine.worker.checkKeys()
    expect(await health(last)).toBe(200)
    expect((await checksOf(on)).map(({ keyId }) => keyId)).toEqual(['k2', 'k2'])
  })

  it('get one check value, however many processes start', async () => {
    const on = await openDatabase()
    // One process creates the tables.
    const first = await under(on, k1)
    const engines = [first, ...(await Promise.all(Array.from({ length: 3 }, () => under(on, k1))))]
    await Promise.all(engines.map(({ engine }) => engine.worker.checkKeys()))
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
  })

  it('are verified by GET /health with each check of the database, and it writes nothing', async () => {
    let [asked, refuses] = [0, false]
    const made = await rig({
      wrap: (db) => ({
        ...db,
        run: (statement) => {
          if (refuses) return Promise.reject(new OutboxError('not_accepted', 'disk full'))
          if (JSON.stringify(statement).includes('keepsend_secrets')) asked++
          return db.run(statement)
        },
      }),
    })
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    for (let n = 0; n < 20; n++) expect(await health(made)).toBe(200)
    expect([asked, await made.count('keepsend_secrets')]).toEqual([1, 0])
    vi.advanceTimersByTime(1000)
    expect([await health(made), asked]).toEqual([200, 2])
    refuses = true
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(503)
    refuses = false
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(200)
  })

  it('are verified with secrets of endpoints while there is no check value, and a damaged row does not count', async () => {
    const on = await openDatabase()
    const { addEndpoint, exec } = await under(on, k1)
    const { id } = await addEndpoint()
    await addEndpoint()
    await expect((await under(on, k2)).engine.worker.checkKeys()).rejects.toThrow('no key k1')
    expect(await checksOf(on)).toEqual([])
    await exec(`update keepsend_secrets set secret = 'AAAA' where endpoint_id = '${id}'`)
    await (await under(on, k1)).engine.worker.checkKeys()
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
  })

  it('in a service that does not answer do not prevent the start: log and GET /health say so until it answers', async () => {
    const on = await openDatabase()
    const ring = createKeyRing([k1])
    await (await under(on, k1)).engine.worker.checkKeys()
    let isDown = true
    const made = await rig({
      on,
      secrets: {
        ...ring,
        unwrap: (...given) => (isDown ? Promise.reject(new Error('connect ECONNREFUSED')) : ring.unwrap(...given)),
      },
    })
    vi.useFakeTimers({ toFake: ['performance'] })
    onTestFinished(() => void vi.useRealTimers())
    await made.engine.worker.checkKeys()
    expect(await health(made)).toBe(503)
    const error = expect.stringContaining('connect ECONNREFUSED')
    expect(made.log.entries).toMatchObject([
      {
        level: 'warn',
        message: 'failed to check the keys of secrets; GET /health checks them again',
        fields: { error },
      },
      { level: 'error', message: 'health check failed: the key service of secrets does not answer', fields: { error } },
    ])
    isDown = false
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(200)
    // After one success the service is not called again, so that a later outage does no harm.
    isDown = true
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(200)
  })

  it('do not prevent the start when the database does not answer, which is logged', async () => {
    const { engine, log } = await rig({
      wrap: (db) => ({ ...db, run: () => Promise.reject(new OutboxError('not_accepted', 'disk full')) }),
    })
    await engine.worker.checkKeys()
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { error: 'disk full' } }])
  })
})
