import { describe, expect, it } from 'vitest'
import type { IdempotencyKey } from '../src/index.ts'
import { recordsStatement } from '../src/lib/row-ceiling.ts'
import { ends } from './limits.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

describe('idempotency records', () => {
  const key = (name: string, workspaceId = 'w1'): IdempotencyKey => ({
    key: name,
    workspaceId,
    method: 'POST',
    route: '/',
    body: '',
  })

  it('are allowed up to the limit of a workspace; another key is 429, a repeat is answered', async () => {
    const made = await rig({ limits: { idempotencyRecordsPerWorkspace: 2 } })
    const commit = (idempotencyKey: IdempotencyKey) => made.engine.commit({ writes: [], events: [], idempotencyKey })
    await commit(key('a'))
    await commit(key('b'))
    expect(await ends([commit(key('c')), commit(key('d'))])).toEqual([
      'too_many_idempotency_records',
      'too_many_idempotency_records',
    ])
    await expect(commit(key('c'))).rejects.toMatchObject({ status: 429, retryAfterSeconds: 60 })
    expect((await commit(key('a'))).replayed).toBe(true)
    expect((await commit(key('a', 'w2'))).replayed).toBe(false)
    expect([await made.count('keepsend_idempotency_records'), await made.count('keepsend_idempotency_marks')]).toEqual([
      3, 0,
    ])
  })

  it('are counted by a sample of one in 16 or 256 hashes, a new one each time, if the limit exceeds 50,000', async () => {
    const made = await rig()
    const hashes = Array.from({ length: 512 }, (_, n) => `${(n % 256).toString(16).padStart(2, '0')}${n}`)
    const rows = hashes.map((hash) => `('w1', 'POST', '/', '${hash}', '', 0, 200, '')`)
    await made.exec(`insert into keepsend_idempotency_records values ${rows.join(', ')}`)
    for (const [most, share] of [
      [50_000, 1],
      [800_000, 16],
      [10_000_000, 256],
    ] as const) {
      for (const drawn of [0, 0.5, 0.999]) {
        const sample = recordsStatement('w1', most, () => drawn)
        const found = await made.db.run<{ count: number }>(sample.statement)
        expect([sample.share, found.rows]).toEqual([share, [{ count: 512 / share }]])
      }
    }
  })

  it('are counted up to the limit, and a sample up to its share', async () => {
    const made = await rig()
    const rows = Array.from({ length: 20 }, (_, n) => `('w1', 'POST', '/', '0${n + 10}', '', 0, 200, '')`)
    await made.exec(`insert into keepsend_idempotency_records values ${rows.join(', ')}`)
    const { statement } = recordsStatement('w1', 7, () => 0)
    expect((await made.db.run(statement)).rows).toEqual([{ count: 7 }])
  })

  it('are deleted after the configured retention', async () => {
    const made = await rig({ idempotencyRetentionMs: 60_000 })
    await made.engine.commit({ writes: [], events: [], idempotencyKey: key('a') })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedRecords: 0 })
    await made.exec('update keepsend_idempotency_records set created_at = created_at - 60001')
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedRecords: 1 })
  })
})

describe('requests of a key', () => {
  it('are not limited by default', async () => {
    const { call } = await api({ monotonic: () => 0 })
    const answers = await Promise.all(Array.from({ length: 50 }, () => call('GET', '/endpoints')))
    expect(new Set(answers.map(({ status }) => status))).toEqual(new Set([200]))
  })

  it('are allowed up to the limit in a second; of two concurrent ones at it one is 429, but not that of another key', async () => {
    let now = 0
    const { call, engine, keys } = await api({ limits: { requestsPerSecond: 3 }, monotonic: () => now })
    const statuses = async (count: number, key = keys.w1) =>
      (await Promise.all(Array.from({ length: count }, () => call('GET', '/endpoints', undefined, key))))
        .map(({ status }) => status)
        .toSorted((one, other) => one - other)
    expect(await statuses(2)).toEqual([200, 200])
    expect(await statuses(2)).toEqual([200, 429])
    const refused = await call('GET', '/endpoints')
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await read(refused)).toEqual(problem(429, 'too_many_requests'))
    const { key: second } = await engine.apiKeys.create({ workspaceId: 'w1' })
    expect([await statuses(1, second), await statuses(1, keys.w2)]).toEqual([[200], [200]])
    now += 1000
    expect(await statuses(4)).toEqual([200, 200, 200, 429])
  })

  it('are counted per workspace if the host authenticates them', async () => {
    let workspaceId = 'w1'
    const { call } = await api({
      limits: { requestsPerSecond: 1 },
      monotonic: () => 0,
      authenticate: async () => ({ workspaceId, scopes: ['endpoints:read'] }),
    })
    const status = async () => (await call('GET', '/endpoints')).status
    expect([await status(), await status()]).toEqual([200, 429])
    workspaceId = 'w2'
    expect([await status(), await status()]).toEqual([200, 429])
  })
})
