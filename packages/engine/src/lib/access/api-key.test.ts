import { createHash } from 'node:crypto'
import { describe, expect, it } from 'vitest'
import { SCOPES } from '../../index.ts'
import { openDatabase } from '../../../test/database.ts'
import { bearer, rig } from '../../../test/rig.ts'

const HOUR = 3_600_000

/** A rig that counts statements by their first word. */
async function counted(on?: Awaited<ReturnType<typeof openDatabase>>) {
  const asked: string[] = []
  const made = await rig({
    ...(on && { on }),
    wrap: (db) => ({
      ...db,
      run(one) {
        if ('sql' in one) asked.push(one.sql.trim().split(/\s/)[0] ?? '')
        return db.run(one)
      },
    }),
  })
  return { ...made, asked }
}

describe('an API key', () => {
  it('is refused without a database query if its checksum is wrong', async () => {
    const { engine, asked } = await counted()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    asked.length = 0
    const last = key.at(-1) === 'A' ? 'B' : 'A'
    for (const wrong of [
      '',
      'x',
      'ks_',
      `${key.slice(0, -1)}${last}`,
      `${key}A`,
      key.slice(0, -1),
      `ks_${'A'.repeat(49)}`,
    ]) {
      expect(await engine.apiKeys.authenticate(bearer(wrong))).toBeUndefined()
    }
    expect(asked).toEqual([])
    expect(await engine.apiKeys.authenticate(bearer(key))).toMatchObject({
      workspaceId: 'w1',
      scopes: SCOPES.filter((scope) => scope !== 'keys:write' && scope !== 'erasures:write'),
    })
    expect(asked).toEqual(['select', 'update'])
  })

  it('is stored as a hash that needs the pepper', async () => {
    const { engine, select } = await rig()
    const { key, id } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const [row] = await select('select * from keepsend_api_keys where id = ?', id)
    expect(row?.['key_hash']).toMatch(/^[0-9a-f]{64}$/)
    for (const text of [key, key.slice(3), key.slice(3, 46)]) {
      expect(row?.['key_hash']).not.toBe(createHash('sha256').update(text).digest('hex'))
    }
    const other = await rig()
    const made = await other.engine.apiKeys.create({ workspaceId: 'w1' })
    await other.exec('update keepsend_api_keys set key_hash = ? where id = ?', String(row?.['key_hash']), made.id)
    expect(await other.engine.apiKeys.authenticate(bearer(key))).toBeUndefined()
  })

  it('reads the pepper once, shares it between two processes that make one, and makes none to authenticate', async () => {
    const on = await openDatabase()
    const [one, two] = [await counted(on), await counted(on)]
    const stranger = (await (await rig()).engine.apiKeys.create({ workspaceId: 'w1' })).key
    expect(await one.engine.apiKeys.authenticate(bearer(stranger))).toBeUndefined()
    expect(await one.count('keepsend_secrets')).toBe(0)
    const made = await Promise.all([one, two].map(({ engine }) => engine.apiKeys.create({ workspaceId: 'w1' })))
    expect(await one.count('keepsend_secrets')).toBe(1)
    one.asked.length = 0
    for (const { key } of made) {
      for (const { engine } of [one, two]) {
        expect(await engine.apiKeys.authenticate(bearer(key))).toMatchObject({ workspaceId: 'w1' })
      }
    }
    // The two look-ups and nothing else: creating a key has read the pepper.
    expect(one.asked.filter((word) => word === 'select')).toHaveLength(2)
  })

  it('works again, and can be created, after the tables were created again under a running process', async () => {
    const on = await openDatabase()
    const [running, other] = [await rig({ on }), await rig({ on })]
    const old = await running.engine.apiKeys.create({ workspaceId: 'w1' })
    await running.exec('delete from keepsend_secrets')
    await running.exec('delete from keepsend_api_keys')
    const { key } = await other.engine.apiKeys.create({ workspaceId: 'w2' })
    expect(await running.engine.apiKeys.authenticate(bearer(old.key))).toBeUndefined()
    expect(await running.engine.apiKeys.authenticate(bearer(key))).toMatchObject({ workspaceId: 'w2' })
    await running.exec('delete from keepsend_secrets')
    const again = await running.engine.apiKeys.create({ workspaceId: 'w3' })
    const later = await rig({ on })
    expect(await later.engine.apiKeys.authenticate(bearer(again.key))).toMatchObject({ workspaceId: 'w3' })
  })

  it('shares its pepper with secrets that two processes derive, which differ by purpose', async () => {
    const made = await rig()
    const other = await rig({ on: made })
    const secrets = await Promise.all([made, other].map(({ engine }) => engine.apiKeys.deriveSecret('session cookies')))
    expect(secrets[0]).toMatch(/^[0-9a-f]{64}$/)
    expect(secrets[1]).toBe(secrets[0])
    expect(await made.engine.apiKeys.deriveSecret('forms')).not.toBe(secrets[0])
    // UTF-8 has no half of a surrogate pair: two purposes would share a secret.
    for (const purpose of ['', 'a\ud800'])
      await expect(made.engine.apiKeys.deriveSecret(purpose)).rejects.toMatchObject({ code: 'invalid_option' })
  })

  it('is refused if the pepper cannot be decrypted, with the reason', async () => {
    const on = await openDatabase()
    const { engine, exec } = await rig({ on })
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    await exec("update keepsend_secrets set key_id = 'k0' where scheme = 'pepper'")
    const later = await rig({ on })
    await expect(later.engine.apiKeys.authenticate(bearer(key))).rejects.toMatchObject({ code: 'secret_unreadable' })
    await exec("update keepsend_secrets set key_id = 'k1' where scheme = 'pepper'")
    expect(await later.engine.apiKeys.authenticate(bearer(key))).toMatchObject({ workspaceId: 'w1' })
  })

  it('records its last use at most once an hour', async () => {
    const { engine, exec, asked, select } = await counted()
    const { key, id } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const used = async () => (await engine.apiKeys.list('w1'))[0]?.lastUsedAt
    const uses = async (times: number) => {
      asked.length = 0
      for (let n = 0; n < times; n++) await engine.apiKeys.authenticate(bearer(key))
      return asked.filter((word) => word === 'update').length
    }
    expect(await used()).toBeNull()
    expect(await uses(5)).toBe(1)
    const first = await used()
    expect(Math.abs(Number(first) - Date.now())).toBeLessThan(60_000)
    expect(await uses(5)).toBe(0)
    await exec('update keepsend_api_keys set last_used_at = last_used_at - ? where id = ?', HOUR + 1000, id)
    expect(await uses(5)).toBe(1)
    expect(Number(await used())).toBeGreaterThanOrEqual(Number(first))
    expect(await select('select count(*) as n from keepsend_api_keys')).toMatchObject([{}])
  })

  it('is accepted if its use cannot be recorded', async () => {
    const { engine, readOnly, log } = await rig()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    await readOnly(true)
    expect(await engine.apiKeys.authenticate(bearer(key))).toMatchObject({ workspaceId: 'w1' })
    expect(log.entries).toMatchObject([{ level: 'warn', message: 'failed to record the use of an API key' }])
    expect(JSON.stringify(log.entries)).not.toContain(key.slice(3))
  })

  it.each([
    [{ name: 'x'.repeat(201) }, 'name must be at most 200'],
    [{ expiresInMs: 1.5 }, 'expiresInMs must be a whole number'],
  ])('is not made with %j', async (options, message) => {
    const { engine } = await rig()
    await expect(engine.apiKeys.create({ workspaceId: 'w1', ...options })).rejects.toThrow(message)
  })
})

describe('rotating an API key', () => {
  it('makes a new key with the same name, scopes and lifetime; the old one works for another day', async () => {
    const { engine } = await rig()
    const { id, key } = await engine.apiKeys.create({
      workspaceId: 'w1',
      name: 'ci',
      scopes: ['events:write'],
      expiresInMs: 90 * 24 * HOUR,
    })
    const fresh = await engine.apiKeys.rotate('w1', id)
    for (const one of [key, fresh.key]) {
      expect(await engine.apiKeys.authenticate(bearer(one))).toMatchObject({
        workspaceId: 'w1',
        scopes: ['events:write'],
      })
    }
    const now = Date.now()
    const listed = await engine.apiKeys.list('w1')
    expect(
      listed.map((one) => ({ ...one, expiresAt: Math.round((Number(one.expiresAt) - now) / HOUR) })),
    ).toMatchObject([
      { id, name: 'ci', expiresAt: 24 },
      { id: fresh.id, name: 'ci', scopes: ['events:write'], expiresAt: 90 * 24, lastUsedAt: expect.any(Number) },
    ])
  })

  it('is listed in pages of 100 by default', async () => {
    const { engine } = await rig({ limits: { apiKeysPerWorkspace: 1000 } })
    const ids = []
    for (let n = 0; n < 101; n++) ids.push((await engine.apiKeys.create({ workspaceId: 'w1' })).id)
    const page = async (options?: { limit?: number; after?: string | undefined }) =>
      (await engine.apiKeys.list('w1', options)).map(({ id }) => id)
    expect(await page()).toEqual(ids.slice(0, 100))
    expect(await page({ limit: 3, after: ids[97] })).toEqual(ids.slice(98))
    for (const limit of [0, 1001, NaN]) await expect(page({ limit })).rejects.toMatchObject({ code: 'invalid_option' })
  })

  it('without an overlap ends the old key immediately; an earlier end is never extended', async () => {
    const { engine } = await rig()
    const { id, key } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const second = await engine.apiKeys.rotate('w1', id, { overlapMs: 0 })
    expect(await engine.apiKeys.authenticate(bearer(key))).toBeUndefined()
    expect((await engine.apiKeys.list('w1')).at(-1)).toMatchObject({ id: second.id, expiresAt: null })
    await engine.apiKeys.rotate('w1', second.id, { overlapMs: HOUR })
    const before = (await engine.apiKeys.list('w1')).find((one) => one.id === second.id)?.expiresAt
    await engine.apiKeys.rotate('w1', second.id, { overlapMs: 2 * HOUR })
    expect((await engine.apiKeys.list('w1')).find((one) => one.id === second.id)?.expiresAt).toBe(before)
  })

  it('is refused for a key of another workspace, an expired or a deleted one, and beyond 7 days', async () => {
    const { engine, count } = await rig()
    const { id } = await engine.apiKeys.create({ workspaceId: 'w1' })
    const expired = await engine.apiKeys.create({ workspaceId: 'w1', expiresInMs: -1 })
    for (const [workspaceId, of] of [
      ['w2', id],
      ['w1', expired.id],
      ['w1', 'key_gone'],
    ] as const) {
      await expect(engine.apiKeys.rotate(workspaceId, of)).rejects.toMatchObject({ code: 'not_found' })
    }
    for (const overlapMs of [-1, 604_800_001]) {
      await expect(engine.apiKeys.rotate('w1', id, { overlapMs })).rejects.toThrow(`found ${overlapMs}`)
    }
    expect(await count('keepsend_api_keys')).toBe(2)
    expect((await engine.apiKeys.list('w1'))[0]).toMatchObject({ id, expiresAt: null })
  })
})
