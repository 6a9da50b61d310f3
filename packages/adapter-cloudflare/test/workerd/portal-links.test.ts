// Portal links on D1, whose transaction is a batch, and whose sessions workerd signs.
import { env } from 'cloudflare:workers'
import { createEngine } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { sweep } from '../../src/index.ts'
import { TEST_KEYS } from './keys.ts'
import { metered } from './metered.ts'
import { rig } from './rig.ts'

const MONTH_MS = 30 * 86_400_000

/** An engine as another isolate has it. */
function otherIsolate() {
  return createEngine({ db: fromD1(env.DB), queue: { send: () => Promise.resolve() }, secrets: TEST_KEYS })
}

async function exec(sql: string, ...params: unknown[]): Promise<void> {
  await env.DB.prepare(sql)
    .bind(...params)
    .run()
}

describe('a portal link on D1', () => {
  it('is opened once when two isolates race, and each accepts the session', async () => {
    const { engine } = await rig()
    const other = otherIsolate()
    for (let round = 0; round < 5; round++) {
      const { token, link } = await engine.portalLinks.create('w', {
        subject: 'dana',
        language: 'de-AT',
        returnUrl: 'https://app.example.com',
      })
      expect(await other.portalLinks.find(token)).toEqual(link)
      const both = await Promise.all([engine, other].map(({ portalLinks }) => portalLinks.open(token)))
      const won = both.filter((result) => result !== undefined)
      expect(won).toMatchObject([
        { link: { id: link.id, state: 'used', subject: 'dana', returnUrl: 'https://app.example.com/' } },
      ])
      for (const { portalLinks } of [engine, other])
        expect(await portalLinks.session(won[0]?.session ?? '')).toEqual(won[0]?.link)
    }
    expect((await engine.audit.list('w', { limit: 50, verb: 'portal_link.open' })).rows).toHaveLength(5)
  })

  it('ends by the time of D1, or when it is revoked, with its sessions', async () => {
    const { engine } = await rig()
    const { portalLinks } = engine
    const made = [await portalLinks.create('w', { uses: 'many' }), await portalLinks.create('w', { uses: 'many' })]
    const sessions = await Promise.all(made.map(async ({ token }) => (await portalLinks.open(token))?.session ?? ''))
    const [expired, revoked] = made.map(({ link }) => link.id)
    await exec('update keepsend_portal_links set expires_at = (select ms from keepsend_clock) where id = ?', expired)
    for (let times = 0; times < 2; times++)
      expect(await portalLinks.revoke('w', revoked ?? '')).toMatchObject({ state: 'revoked' })
    await expect(portalLinks.revoke('other', revoked ?? '')).rejects.toMatchObject({ code: 'not_found' })
    for (const session of sessions) expect(await portalLinks.session(session)).toBeUndefined()
    for (const { token } of made) expect(await portalLinks.open(token)).toBeUndefined()
    expect((await portalLinks.list('w')).rows.map(({ state }) => state)).toEqual(['revoked', 'expired'])
    expect((await engine.audit.list('w', { limit: 50, verb: 'portal_link.revoke' })).rows).toHaveLength(1)
  })

  it('is refused if its token or session was forged, and a text that is none costs no statement', async () => {
    const { db, read } = meter()
    const { engine } = await rig({ wrap: () => db })
    const { token } = await engine.portalLinks.create('w')
    const { session = '' } = (await engine.portalLinks.open(token)) ?? {}
    const forged = session.slice(0, -5) + (session.at(-5) === 'A' ? 'B' : 'A') + session.slice(-4)
    expect(await engine.portalLinks.session(forged)).toBeUndefined()
    read()
    for (const text of ['', '\0', '\ud800', token.slice(1), `${session}.`, 'x'.repeat(1_000_000)])
      expect([
        await engine.portalLinks.find(text),
        await engine.portalLinks.open(text),
        await engine.portalLinks.session(text),
      ]).toEqual([undefined, undefined, undefined])
    expect(read().statements).toBe(0)
    expect(await engine.portalLinks.session(session)).toMatchObject({ state: 'used' })
    expect(read()).toMatchObject({ statements: 1, rowsWritten: 0 })
  })

  it('is refused to one of two that are made concurrently at the limit', async () => {
    const { engine } = await rig({ engine: { limits: { portalLinksPerWorkspace: 2 } } })
    await engine.portalLinks.create('w')
    const two = await Promise.allSettled([1, 2].map(() => engine.portalLinks.create('w')))
    expect(two.find((one) => one.status === 'rejected')).toMatchObject({ reason: { code: 'too_many_portal_links' } })
    expect((await engine.portalLinks.list('w')).rows).toHaveLength(2)
  })

  it('is deleted by the cron 30 days after it expired', async () => {
    const { engine, policy } = await rig()
    const { link } = await engine.portalLinks.create('w')
    const kept = await engine.portalLinks.create('w')
    await exec(
      'update keepsend_portal_links set expires_at = (select ms from keepsend_clock) - ? where id = ?',
      MONTH_MS + 60_000,
      link.id,
    )
    await sweep(policy)
    expect((await engine.portalLinks.list('w')).rows).toEqual([kept.link])
  })
})

function meter() {
  const { d1, read } = metered(env.DB)
  return { db: fromD1(d1), read }
}
