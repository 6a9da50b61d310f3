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
  it('are known at the start, and told by health: the right ones, or others under the same id or another', async () => {
    const on = await openDatabase()
    const right = await under(on, k1)
    await right.engine.worker.checkKeys()
    await right.engine.worker.checkKeys()
    expect(await health(right)).toBe(200)
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
    for (const [keys, why] of [
      [[newKey('k1')], /not encrypted under the key k1/],
      [[k2], /no key k1: give it as one of the later keys/],
      [[k2, newKey('k1')], /not encrypted under the key k1/],
      [[], /this engine keeps secrets in plaintext/],
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
        message: 'the keys of secrets are not those of the database',
        fields: { error: expect.stringMatching(why) },
      })
    }
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
  })

  it('of a database that has API keys and nothing to check by are told by those', async () => {
    const on = await openDatabase()
    await (await under(on, k1)).engine.apiKeys.create({ workspaceId: 'w1' })
    await expect((await under(on, k2)).engine.worker.checkKeys()).rejects.toMatchObject({ code: 'secret_unreadable' })
    expect(await checksOf(on)).toEqual([])
  })

  it('change one after another, and each step of the way is right for old and new processes', async () => {
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
    // A process whose second key is mistyped would write what no other reads.
    await expect((await under(on, newKey('k2'), k1)).engine.worker.checkKeys()).rejects.toThrow('under the key k2')
    expect(await reencryptSecrets({ db: old.db, secrets: createKeyRing([k2, k1]) })).toMatchObject({ failed: 0 })
    const last = await under(on, k2)
    await last.engine.worker.checkKeys()
    expect(await health(last)).toBe(200)
    expect((await checksOf(on)).map(({ keyId }) => keyId)).toEqual(['k2', 'k2'])
  })

  it('are stored to check by once, however many processes start', async () => {
    const on = await openDatabase()
    // One makes the tables.
    const first = await under(on, k1)
    const engines = [first, ...(await Promise.all(Array.from({ length: 3 }, () => under(on, k1))))]
    await Promise.all(engines.map(({ engine }) => engine.worker.checkKeys()))
    expect(await checksOf(on)).toEqual([{ version: 1, keyId: 'k1' }])
  })

  it('are looked at by health with its look at the database, and health writes nothing', async () => {
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

  it('of a database that has secrets of endpoints and nothing to check by are told by those, and no damaged row is', async () => {
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

  it('in a service that does not answer keep nothing from starting: log and health say so, until it answers', async () => {
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
        message: 'the keys of secrets could not be checked; GET /health checks them again',
        fields: { error },
      },
      { level: 'error', message: 'the keys of secrets do not answer', fields: { error } },
    ])
    isDown = false
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(200)
    // Read once, it is not asked again: a service that goes down later ends nothing.
    isDown = true
    vi.advanceTimersByTime(1000)
    expect(await health(made)).toBe(200)
  })

  it('a database that does not answer keeps nothing from starting: it is logged', async () => {
    const { engine, log } = await rig({
      wrap: (db) => ({ ...db, run: () => Promise.reject(new OutboxError('not_accepted', 'disk full')) }),
    })
    await engine.worker.checkKeys()
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { error: 'disk full' } }])
  })
})
