// Links that let customers into the portal. On each database; on D1 in packages/adapter-cloudflare/test/workerd/portal-links.test.ts.
import { createHash } from 'node:crypto'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import type { PortalLinkOptions } from '../src/index.ts'
import { openDatabase, openFile, temporaryFile } from './database.ts'
import { recordedRig } from './plans.ts'
import { type Rig, rig } from './rig.ts'

const MINUTE_MS = 60_000
const HOUR_MS = 3_600_000
const DAY_MS = 86_400_000
const NOBODYS_LINK = 'plk_01890000-0000-7000-8000-000000000000'

/** Two engines, each with its own connection to one database. */
async function twoEngines(): Promise<[Rig, Rig]> {
  if (process.env['KEEPSEND_TEST_ON'] === 'postgres') {
    const on = await openDatabase()
    return [await rig({ on }), await rig({ on })]
  }
  const path = temporaryFile()
  return [await rig({ on: openFile(path).database }), await rig({ on: openFile(path).database })]
}

/** Lets a link expire now, by the time of the database. */
function expire({ exec }: Rig, id: string): Promise<void> {
  return exec('update keepsend_portal_links set expires_at = (select ms from keepsend_clock) where id = ?', id)
}

/** The character of base64url whose last bit differs. */
function neighbour(character: string): string {
  const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_'
  return alphabet[alphabet.indexOf(character) ^ 1] ?? ''
}

/** A link of w1 that was opened. */
async function opened(made: Rig, options: PortalLinkOptions = {}) {
  const { token, link } = await made.engine.portalLinks.create('w1', options)
  const session = (await made.engine.portalLinks.open(token))?.session ?? ''
  return { token, id: link.id, session }
}

describe('a portal link', () => {
  it('allows everything once for an hour, unless it is made otherwise', async () => {
    const { engine } = await rig()
    const { link, token } = await engine.portalLinks.create('w1')
    expect(link).toEqual({
      id: expect.stringMatching(/^plk_[\da-f-]{36}$/),
      workspaceId: 'w1',
      capabilities: ['endpoints:write', 'secrets:write', 'tests:send', 'replays:write'],
      uses: 'once',
      subject: null,
      theme: null,
      language: null,
      returnUrl: null,
      createdBy: '',
      createdAt: expect.any(Number),
      expiresAt: expect.any(Number),
      lastUsedAt: null,
      state: 'active',
    })
    expect(Math.abs(link.expiresAt - link.createdAt - HOUR_MS)).toBeLessThan(1000)
    expect(token).toMatch(/^[A-Za-z0-9_-]{43}$/)
    const given = {
      uses: 'many',
      subject: '🙂'.repeat(200),
      theme: 'dark',
      language: 'pt-BR',
      returnUrl: 'https://app.example.com/settings?tab=webhooks',
    } as const
    const other = await engine.portalLinks.create('w1', {
      ...given,
      capabilities: ['tests:send', 'endpoints:write', 'tests:send'],
      expiresInMs: 30 * DAY_MS,
      by: 'dana\0',
    })
    expect(other.link).toMatchObject({ ...given, capabilities: ['endpoints:write', 'tests:send'], createdBy: 'dana' })
    expect(Math.abs(other.link.expiresAt - other.link.createdAt - 30 * DAY_MS)).toBeLessThan(1000)
    expect(other.token).not.toBe(token)
    const looking = await engine.portalLinks.create('w1', { capabilities: [], expiresInMs: MINUTE_MS })
    expect(looking.link.capabilities).toEqual([])
  })

  it.each<[PortalLinkOptions, string]>([
    [{ expiresInMs: MINUTE_MS - 1 }, 'expiresInMs must be a whole number from 60000 to 2592000000; found 59999'],
    [{ expiresInMs: 30 * DAY_MS + 1 }, 'found 2592000001'],
    [{ expiresInMs: Number.NaN }, 'found NaN'],
    [{ uses: 'twice' as 'once' }, 'uses must be one of once, many; found "twice"'],
    [
      { capabilities: ['endpoints:read' as 'tests:send'] },
      'capabilities must be one of endpoints:write, secrets:write',
    ],
    [{ theme: 'pink' as 'dark' }, 'theme must be one of light, dark; found "pink"'],
    [{ subject: 'x'.repeat(201) }, 'subject must be at most 200 characters; found 201'],
    [{ subject: 'a\0' }, 'subject must be well-formed text without a NUL'],
    [{ subject: '\ud800' }, 'subject must be well-formed text without a NUL'],
    [{ language: '' }, 'language must be a language tag such as de or pt-BR; found ""'],
    [{ language: 'de_AT' }, 'found "de_AT"'],
    // A tag that is valid but for its length.
    [{ language: `de-x-${'abcdefgh-'.repeat(4)}a` }, 'language must be a language tag'],
    [{ returnUrl: 'javascript:alert(1)' }, 'returnUrl must be an https:// or http:// URL of at most 2048 characters'],
    [{ returnUrl: '/settings' }, 'found "/settings"'],
    [{ returnUrl: `https://example.com/${'x'.repeat(2048)}` }, 'returnUrl must be'],
    [{ returnUrl: `https://example.com/${'ä'.repeat(1000)}` }, 'returnUrl must be'],
  ])('is not made with %j, and nothing is written', async (options, message) => {
    const { engine, count } = await rig()
    await expect(engine.portalLinks.create('w1', options)).rejects.toMatchObject({
      code: 'invalid_option',
      message: expect.stringContaining(message),
    })
    expect([await count('keepsend_portal_links'), await count('keepsend_audit')]).toEqual([0, 0])
  })

  it('has a URL that leads back as browsers read it', async () => {
    const { engine } = await rig()
    const made = await engine.portalLinks.create('w1', { returnUrl: ' HTTPS://App.Example.com\n/a"b' })
    expect(made.link.returnUrl).toBe('https://app.example.com/a%22b')
  })

  it('is stored as a hash that needs the pepper', async () => {
    const { engine, select } = await rig()
    const { token } = await engine.portalLinks.create('w1')
    const [row] = await select('select * from keepsend_portal_links')
    expect(row?.['token_hash']).toMatch(/^[\da-f]{64}$/)
    expect(row?.['token_hash']).not.toBe(createHash('sha256').update(token).digest('hex'))
    expect(JSON.stringify(row)).not.toContain(token)
    const other = await rig()
    await other.engine.portalLinks.create('w1')
    await other.exec('update keepsend_portal_links set token_hash = ?', String(row?.['token_hash']))
    expect(await other.engine.portalLinks.find(token)).toBeUndefined()
  })

  it('is found by its token in every state, and finding it changes nothing', async () => {
    const made = await rig()
    const { portalLinks } = made.engine
    const { token, link } = await portalLinks.create('w1')
    for (let times = 0; times < 2; times++) expect(await portalLinks.find(token)).toEqual(link)
    expect(await made.count('keepsend_audit')).toBe(1)
    await portalLinks.open(token)
    expect(await portalLinks.find(token)).toMatchObject({ id: link.id, state: 'used', lastUsedAt: expect.any(Number) })
    await expire(made, link.id)
    expect(await portalLinks.find(token)).toMatchObject({ state: 'expired' })
    await portalLinks.revoke('w1', link.id)
    expect(await portalLinks.find(token)).toMatchObject({ state: 'revoked' })
  })

  it('with capabilities that were broken by hand has those that are left', async () => {
    const { engine, exec } = await rig()
    const { token } = await engine.portalLinks.create('w1')
    for (const [text, capabilities] of [
      ['["tests:send","fly",7]', ['tests:send']],
      ['broken', []],
      ['{}', []],
    ] as const) {
      await exec('update keepsend_portal_links set capabilities = ?', text)
      expect(await engine.portalLinks.find(token)).toMatchObject({ capabilities })
    }
  })
})

describe('opening a portal link', () => {
  it('uses a one-time link up, and its session goes on', async () => {
    const { engine } = await rig()
    const { token } = await engine.portalLinks.create('w1', { subject: 'dana' })
    const first = await engine.portalLinks.open(token)
    expect(first?.link).toMatchObject({ state: 'used', uses: 'once', subject: 'dana', lastUsedAt: expect.any(Number) })
    expect(first?.session).toMatch(/^[\w.-]{80,110}$/)
    expect(await engine.portalLinks.open(token)).toBeUndefined()
    expect(await engine.portalLinks.session(first?.session ?? '')).toEqual(first?.link)
  })

  it('of many uses starts a session each time, and says when it was opened last', async () => {
    const made = await rig()
    const { engine } = made
    const { token, link } = await engine.portalLinks.create('w1', { uses: 'many' })
    const first = await engine.portalLinks.open(token)
    await made.exec('update keepsend_portal_links set last_used_at = 1')
    const second = await engine.portalLinks.open(token)
    expect(second?.link).toMatchObject({ id: link.id, state: 'active', uses: 'many' })
    expect(second?.link.lastUsedAt).toBeGreaterThanOrEqual(link.createdAt)
    expect(second?.session).not.toBe(first?.session)
    for (const session of [first?.session, second?.session])
      expect(await engine.portalLinks.session(session ?? '')).toEqual(second?.link)
  })

  it('opens a one-time link once when two engines race', async () => {
    const [one, other] = await twoEngines()
    for (let round = 0; round < 10; round++) {
      const { token, link } = await one.engine.portalLinks.create('w1')
      const both = await Promise.all([one, other, one, other].map(({ engine }) => engine.portalLinks.open(token)))
      expect(both.filter((result) => result !== undefined)).toMatchObject([{ link: { id: link.id, state: 'used' } }])
      const { rows } = await one.engine.audit.list('w1', { limit: 100, verb: 'portal_link.open' })
      expect(rows.filter(({ portalLinkId }) => portalLinkId === link.id)).toHaveLength(1)
    }
  })

  it('is refused once the database’s clock has reached its end, whatever the clock of the process says', async () => {
    const made = await rig()
    const { portalLinks } = made.engine
    const { token, link } = await portalLinks.create('w1', { uses: 'many' })
    const { session } = (await portalLinks.open(token)) ?? { session: '' }
    await made.exec('update keepsend_portal_links set expires_at = (select ms from keepsend_clock) + ?', MINUTE_MS)
    expect(await portalLinks.session(session)).toMatchObject({ state: 'active' })
    await expire(made, link.id)
    expect([await portalLinks.open(token), await portalLinks.session(session)]).toEqual([undefined, undefined])
    expect((await portalLinks.list('w1')).rows).toMatchObject([{ id: link.id, state: 'expired' }])
    expect(await made.count('keepsend_audit')).toBe(2)
  })

  it('of an engine in another process gives a session that this one accepts', async () => {
    const [one, other] = await twoEngines()
    const { session, token, id } = await opened(one)
    expect(await other.engine.portalLinks.session(session)).toMatchObject({ id })
    expect(await other.engine.portalLinks.find(token)).toMatchObject({ id, state: 'used' })
  })
})

describe('revoking a portal link', () => {
  it('ends its sessions and refuses it; again, it stays as it is and no action is recorded', async () => {
    const made = await rig()
    const { portalLinks, audit } = made.engine
    const { id, session, token } = await opened(made, { uses: 'many' })
    const revoked = await portalLinks.revoke('w1', id, { by: 'dana' })
    expect(revoked).toMatchObject({ id, state: 'revoked' })
    expect(await portalLinks.revoke('w1', id, { by: 'eve' })).toEqual(revoked)
    expect([await portalLinks.open(token), await portalLinks.session(session)]).toEqual([undefined, undefined])
    // Actions of one millisecond are in no order.
    const { rows } = await audit.list('w1', { limit: 10 })
    const recorded = rows.map(({ verb, by, portalLinkId }) => ({ verb, by, portalLinkId }))
    expect(recorded.toSorted((one, other) => one.verb.localeCompare(other.verb))).toEqual([
      { verb: 'portal_link.create', by: null, portalLinkId: id },
      { verb: 'portal_link.open', by: null, portalLinkId: id },
      { verb: 'portal_link.revoke', by: 'dana', portalLinkId: id },
    ])
  })

  it('is refused for a link of another workspace, one that does not exist, and any other text', async () => {
    const made = await rig()
    const { portalLinks } = made.engine
    const { id, session } = await opened(made)
    for (const [workspaceId, of] of [
      ['w2', id],
      ['w1', NOBODYS_LINK],
      ['w1', ''],
      ['w1', `${id}\0`],
      ['w1', 'x'.repeat(1_000_000)],
    ] as const)
      await expect(portalLinks.revoke(workspaceId, of)).rejects.toMatchObject({ code: 'not_found' })
    expect(await portalLinks.session(session)).toMatchObject({ id, state: 'used' })
  })
})

describe('a session of a portal link', () => {
  it('is refused if any character of it is another one', async () => {
    const made = await rig()
    const { portalLinks } = made.engine
    const { session, id } = await opened(made)
    const forged = Array.from(session, (character, at) =>
      // The neighbour of the last character spells the same bytes.
      ['A', 'B', 'f', '0', '.', neighbour(character)]
        .filter((other) => other !== character)
        .map((other) => session.slice(0, at) + other + session.slice(at + 1)),
    ).flat()
    expect(forged.length).toBeGreaterThan(400)
    for (const one of forged) expect(await portalLinks.session(one), one).toBeUndefined()
    expect(await portalLinks.session(session)).toMatchObject({ id })
  })

  it('cannot be moved to another link, and neither a token nor a session of another installation is one', async () => {
    const [made, elsewhere] = [await rig(), await rig()]
    const { portalLinks } = made.engine
    const [mine, theirs] = [await opened(made), await opened(made)]
    const moved = theirs.session.replace(theirs.id, mine.id)
    const foreign = await opened(elsewhere)
    await made.exec('update keepsend_portal_links set id = ? where id = ?', foreign.id, theirs.id)
    for (const session of [moved, mine.token, mine.id, foreign.session, theirs.session])
      expect(await portalLinks.session(session)).toBeUndefined()
    expect(await portalLinks.find(mine.session)).toBeUndefined()
    expect(await portalLinks.session(mine.session)).toMatchObject({ id: mine.id })
  })

  it('costs one statement, and a text that is no session none', async () => {
    const made = await recordedRig()
    const { session, token } = await opened(made)
    made.statements()
    await made.engine.portalLinks.session(session)
    expect(made.statements()).toHaveLength(1)
    for (const text of ['', 'x', token, session.slice(1), `${session}A`, 'x'.repeat(1_000_000)])
      await made.engine.portalLinks.session(text)
    for (const text of ['', 'x', session, token.slice(1), `${token}A`, `${token.slice(1)}=`])
      expect([await made.engine.portalLinks.find(text), await made.engine.portalLinks.open(text)]).toEqual([
        undefined,
        undefined,
      ])
    expect(made.statements()).toEqual([])
  })

  it('works again after the tables were created again under a running process', async () => {
    const on = await openDatabase()
    const [running, finding, other] = [await rig({ on }), await rig({ on }), await rig({ on })]
    const old = await opened(running)
    expect(await finding.engine.portalLinks.find(old.token)).toMatchObject({ id: old.id })
    await running.exec('delete from keepsend_secrets')
    await running.exec('delete from keepsend_portal_links')
    const fresh = await opened(other, { uses: 'many' })
    expect(await running.engine.portalLinks.session(fresh.session)).toMatchObject({ id: fresh.id })
    expect(await finding.engine.portalLinks.find(fresh.token)).toMatchObject({ id: fresh.id })
    for (const { engine } of [running, finding, other])
      expect([await engine.portalLinks.session(old.session), await engine.portalLinks.find(old.token)]).toEqual([
        undefined,
        undefined,
      ])
  })
})

it('hostile tokens and sessions are answered with undefined, and no statement fails', async () => {
  const made = await rig()
  const { portalLinks } = made.engine
  const { session, token } = await opened(made)
  const alphabet = fc.constantFrom('a', 'Z', '0', '9', '_', '-', '.', '=', '~', ' ', '\0', '%', '🙂', '\ud800')
  const hostile = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 200 }),
    fc.array(alphabet, { maxLength: 120 }).map((all) => all.join('')),
    fc.string({ unit: fc.constantFrom('a', 'Z', '0', '9', '_', '-'), minLength: 43, maxLength: 43 }),
    fc.tuple(fc.nat(session.length), alphabet).map(([at, one]) => session.slice(0, at) + one + session.slice(at)),
    fc.constantFrom(...[undefined, null, 7, {}, [token], 'x'.repeat(100_000)].map((value) => value as string)),
  )
  await fc.assert(
    fc.asyncProperty(hostile, async (text) => {
      expect([await portalLinks.find(text), await portalLinks.open(text), await portalLinks.session(text)]).toEqual([
        undefined,
        undefined,
        undefined,
      ])
    }),
    { numRuns: 200 },
  )
})

describe('portal links of a workspace', () => {
  it('are listed newest first, page by page, without those of others', async () => {
    const { engine } = await rig()
    const ids: string[] = []
    for (let n = 0; n < 5; n++) {
      ids.unshift((await engine.portalLinks.create('w1')).link.id)
      await engine.portalLinks.create('w2')
    }
    const paged: string[] = []
    let cursor: string | undefined
    do {
      const page = await engine.portalLinks.list('w1', { limit: 2, cursor })
      expect(page.complete).toBe(true)
      paged.push(...page.rows.map(({ id }) => id))
      cursor = page.next
    } while (cursor !== undefined)
    expect(paged).toEqual(ids)
    expect((await engine.portalLinks.list('w1', {})).rows.map(({ id }) => id)).toEqual(ids)
    expect(await engine.portalLinks.list('nobody')).toEqual({ rows: [], next: undefined, complete: true })
    for (const bad of ['', 'x', `${ids[0]}\0`, 'plk_%'])
      await expect(engine.portalLinks.list('w1', { cursor: bad })).rejects.toMatchObject({ code: 'invalid_request' })
    for (const limit of [0, 1001, Number.NaN])
      await expect(engine.portalLinks.list('w1', { limit })).rejects.toMatchObject({ code: 'invalid_option' })
    await expect(engine.portalLinks.list('')).rejects.toMatchObject({ code: 'invalid_request' })
  })

  it('are at most as many active ones as the limit says: used, expired and revoked ones do not count', async () => {
    const made = await rig({ limits: { portalLinksPerWorkspace: 2 } })
    const { portalLinks } = made.engine
    const create = () => portalLinks.create('w1', { uses: 'many' })
    const [used, revoked] = [await portalLinks.create('w1'), await create()]
    const tooMany = {
      code: 'too_many_portal_links',
      status: 409,
      message:
        'a workspace has at most 2 active portal links (limits.portalLinksPerWorkspace): revoke one, or let links expire sooner',
    }
    await expect(create()).rejects.toMatchObject(tooMany)
    expect([await made.count('keepsend_portal_links'), await made.count('keepsend_audit')]).toEqual([2, 2])
    await portalLinks.open(used.token)
    const expired = await create()
    await expect(create()).rejects.toMatchObject(tooMany)
    await portalLinks.revoke('w1', revoked.link.id)
    await create()
    await expect(create()).rejects.toMatchObject(tooMany)
    await expire(made, expired.link.id)
    const { token } = await create()
    await portalLinks.open(token)
    await expect(create()).rejects.toMatchObject(tooMany)
    await portalLinks.create('w2')
  })

  it('do not exceed the limit when two are created concurrently', async () => {
    const made = await rig({ limits: { portalLinksPerWorkspace: 2 } })
    for (let round = 0; round < 5; round++) {
      await made.engine.portalLinks.create(`w${round}`)
      const two = await Promise.allSettled([1, 2].map(() => made.engine.portalLinks.create(`w${round}`)))
      expect(two.map(({ status }) => status).toSorted()).toEqual(['fulfilled', 'rejected'])
    }
    expect(await made.count('keepsend_portal_links')).toBe(10)
  })

  it('go 30 days after they expired, at most 500 in a round of maintenance', async () => {
    const made = await rig()
    const { link } = await made.engine.portalLinks.create('w1')
    await made.engine.portalLinks.create('w1')
    await made.exec(
      'update keepsend_portal_links set expires_at = (select ms from keepsend_clock) - ?',
      30 * DAY_MS - MINUTE_MS,
    )
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedPortalLinks: 0, more: false })
    const age = 'update keepsend_portal_links set expires_at = expires_at - ? where id = ?'
    await made.exec(age, 2 * MINUTE_MS, link.id)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedPortalLinks: 1, more: false })
    const digits = '(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4)'
    const numbers = ['a', 'b', 'c', 'd'].map((name) => `${digits} as ${name}`).join(' cross join ')
    await made.exec(`insert into keepsend_portal_links (id, token_hash, workspace_id, capabilities, created_by, created_at, expires_at)
      select 'plk_' || a.d || b.d || c.d || d.d, 'h' || a.d || b.d || c.d || d.d, 'w1', '[]', '', 1, 1 from ${numbers}`)
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedPortalLinks: 500, more: true })
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedPortalLinks: 125, more: false })
    expect(await made.count('keepsend_portal_links')).toBe(1)
  })

  it('go with an erasure of the workspace: those that let somebody in immediately, the others with its steps', async () => {
    const made = await rig()
    const { engine } = made
    const live = await opened(made)
    const active = await engine.portalLinks.create('w1')
    const [expired, revoked] = [await opened(made), await opened(made)]
    await expire(made, expired.id)
    await engine.portalLinks.revoke('w1', revoked.id)
    const other = await engine.portalLinks.create('w2')
    await engine.erase({ workspaceId: 'w1', what: 'workspace' })
    expect([await engine.portalLinks.session(live.session), await engine.portalLinks.open(active.token)]).toEqual([
      undefined,
      undefined,
    ])
    expect(await made.count('keepsend_portal_links')).toBe(3)
    for (let step = 0; step < 5; step++) {
      await made.exec('update keepsend_erasures set due_at = 0')
      await engine.worker.stepErasures()
    }
    expect(await made.select('select id from keepsend_portal_links')).toEqual([{ id: other.link.id }])
  })
})
