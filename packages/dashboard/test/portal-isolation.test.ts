import { raw, sqlText } from '@keepsend/outbox/internal'
import { createTestEngine } from '@keepsend/testing'
import { defineEvents, event } from '@keepsend/engine'
import { describe, expect, it } from 'vitest'
import { PORTAL, openPortal } from './open-portal.ts'
import { visitor } from './visitor.ts'

const MINUTE_MS = 60_000
/** Stands in each text of the other workspace. */
const THEIRS = 'juniper'
/** Stands in each text of the customer's own. */
const OWN = 'bluebird'

type Opened = Awaited<ReturnType<typeof openTwo>>
type Visitor = ReturnType<typeof visitor>

/** A customer of `w1`, and a workspace `w2` that has one of everything. */
async function openTwo() {
  const schema = {
    '~standard': {
      version: 1 as const,
      vendor: 'test',
      validate: (value: unknown) => ({ value: Object(value) as object }),
    },
  }
  const catalog = defineEvents({ 'message.posted': event({ schema, description: 'A message was posted.' }) })
  const engine = await createTestEngine({ history: true, catalog })
  const opened = await openPortal({ engine, link: { uses: 'many', subject: OWN } })
  const fill = async (workspaceId: string, name: string) => {
    const { endpoint, secret } = await engine.endpoints.create(workspaceId, {
      url: `https://${name}.example.com/hooks`,
      description: `${name} sync`,
      retrySchedule: [],
    })
    engine.receiver.answer([{ status: 401, body: `${name} says no` }], { endpointId: endpoint.id })
    const { eventId } = await engine.publish({ type: 'message.posted', workspaceId, data: { text: name } })
    await engine.deliverAll({ forMs: 0 })
    engine.advance(MINUTE_MS)
    const replay = await engine.replays.create(workspaceId, { what: 'failed', endpointId: endpoint.id })
    const { link, token } = await engine.portalLinks.create(workspaceId, { subject: name })
    const problem = (await engine.problems.list(workspaceId, { limit: 1 })).rows[0]
    const attempt = (await engine.attempts.list(workspaceId, { limit: 1 })).rows[0]
    return {
      endpoint: endpoint.id,
      delivery: `${eventId}.${endpoint.id}`,
      event: eventId,
      replay: replay.id,
      problem: problem?.id ?? '',
      attempt: attempt?.id ?? '',
      link: link.id,
      token,
      secret,
    }
  }
  const theirs = await fill('w2', THEIRS)
  const own = await fill('w1', OWN)
  return { ...opened, engine, theirs, own }
}

/** The routes of the portal, each once. Those of a middleware are of all methods. */
function routesOf({ app }: Opened): { method: string; path: string }[] {
  const seen = new Map(
    app.routes
      .filter(({ method, path }) => method !== 'ALL' && path.startsWith(PORTAL))
      .map(({ method, path }) => [`${method} ${path}`, { method, path }]),
  )
  // Last the one after which there is no endpoint of one's own.
  return [...seen.values()].toSorted((a, b) => Number(a.path.endsWith('/delete')) - Number(b.path.endsWith('/delete')))
}

const PARAMETER = /:\w+/g

/** Assets and the entrance are for those who have no session. */
const isOpen = (path: string): boolean => /\/(assets\/|brand\.css|portal-element\.js|enter\/)/.test(path)

/** The ids that a path of one's own has. */
function ownPath(path: string, { own }: Opened): string {
  const id = path.startsWith(`${PORTAL}/deliveries`) ? own.delivery : own.endpoint
  return path.replaceAll(PARAMETER, id).replace('*', 'none')
}

/** The rows of all tables, or of those the ones that mention one of these texts. */
async function rowsOf({ engine }: Opened, mentioned?: readonly string[]): Promise<Record<string, unknown[]>> {
  const tables = await engine.db.run<{ name: string }>(sqlText`
    select name as "name" from sqlite_master where type = 'table' and (name like 'keepsend%' or name like '%events')
    order by name`)
  const rows: Record<string, unknown[]> = {}
  for (const { name } of tables.rows) {
    const found = await engine.db.run(sqlText`select * from ${raw(name)}`)
    rows[name] = found.rows.filter((row) => mentioned?.some((text) => JSON.stringify(row).includes(text)) ?? true)
  }
  return rows
}

/** A form that would do something on every page that has one. */
const FIELDS = {
  do: 'replay',
  what: 'failed',
  time: '24h',
  url: 'https://new.example.com/hooks',
  status: 'enabled',
  types: '*',
  data: '{}',
  type: 'message.posted',
  version: '1',
}

/** The fields of a form: the verb is one that its page has. */
const fieldsOf = (path: string) => ({ ...FIELDS, do: path.includes('/secret') ? 'reveal' : FIELDS.do })

async function csrfOf({ page }: Visitor): Promise<string> {
  const { html } = await page(`${PORTAL}/preferences`)
  return /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
}

/** A page without the parts that differ from request to request. */
function same(html: string, id: string): string {
  return html
    .replaceAll(/[0-9a-f]{128}/g, 'csrf')
    .replaceAll(encodeURIComponent(id), 'id')
    .replaceAll(id, 'id')
}

describe('a customer of one workspace', () => {
  it('gets nothing of another one by any route and any id, and no other answer than for an id that does not exist', async () => {
    const opened = await openTwo()
    const { theirs, page, post } = opened
    const csrf = await csrfOf(opened)
    const before = await rowsOf(opened)
    // The catalog is everybody's, and the page after a frame was opened reads no token.
    const shared = (path: string): boolean => path.includes('/events/') || path.endsWith('/framed')
    const walked = routesOf(opened).filter(({ path }) => path.includes(':') && !shared(path))
    expect(walked.length).toBeGreaterThanOrEqual(7)
    const { token: _token, secret, ...ids } = theirs
    for (const { method, path } of walked) {
      for (const id of Object.values(ids)) {
        const ask = async (one: string) => {
          const to = path.replaceAll(PARAMETER, encodeURIComponent(one))
          return method === 'GET' ? page(to) : post(to, { csrf, ...fieldsOf(path) })
        }
        const answer = await ask(id)
        const none = id.replaceAll(/\d/g, (digit) => String(9 - Number(digit)))
        const other = await ask(none)
        const said = `${method} ${path} with ${id}`
        expect([401, 403, 404, 410], said).toContain(answer.status)
        expect(answer.html.replaceAll(id, ''), said).not.toContain(THEIRS)
        expect(answer.html, said).not.toContain(secret)
        expect({ ...answer, html: same(answer.html, id) }, said).toEqual({ ...other, html: same(other.html, none) })
      }
    }
    expect(await rowsOf(opened)).toEqual(before)
  })

  it('gets nothing of another one by the names of fields and of queries', async () => {
    const opened = await openTwo()
    const { theirs, page, post } = opened
    const csrf = await csrfOf(opened)
    const { token: _token, secret: _secret, ...ids } = theirs
    const mentioned = [...Object.values(ids), '"w2"']
    const before = await rowsOf(opened, mentioned)
    const names = ['q', 'id', 'before', 'after', 'cursor', 'attempt', 'endpoint', 'workspace', 'workspaceId', 'since']
    for (const { method, path } of routesOf(opened)) {
      if (isOpen(path)) continue
      const to = ownPath(path, opened)
      for (const id of [...Object.values(ids), 'w2']) {
        const query = new URLSearchParams(names.map((name) => [name, id]))
        const answer =
          method === 'GET'
            ? await page(`${to}?${query}`)
            : await post(to, { csrf, ...fieldsOf(path), ...Object.fromEntries(query) })
        expect(answer.status, `${method} ${path} with ${id}`).toBeLessThan(500)
        expect(answer.html, `${method} ${path} with ${id}`).not.toContain(THEIRS)
      }
    }
    expect(await rowsOf(opened, mentioned)).toEqual(before)
  })
})

describe('a session', () => {
  it.each(['expired', 'revoked'] as const)('whose link is %s shows and changes nothing by any route', async (how) => {
    const opened = await openTwo()
    const csrf = await csrfOf(opened)
    if (how === 'revoked') await opened.engine.portalLinks.revoke('w1', opened.link.id)
    else opened.engine.advance(120 * MINUTE_MS)
    await expectNothing(opened, { by: opened, csrf, statuses: [401] })
  })

  it('that somebody made up, or that belongs to another link, is none', async () => {
    const opened = await openTwo()
    const csrf = await csrfOf(opened)
    await expectNothing(opened, { by: visitor(opened.app), csrf, statuses: [401] })
  })
})

/** Asks every route for what is one's own: nothing of it is shown, and nothing is changed. */
async function expectNothing(
  opened: Opened,
  { by, csrf, statuses }: { by: Visitor; csrf: string; statuses: readonly number[] },
): Promise<void> {
  const before = await rowsOf(opened)
  for (const { method, path } of routesOf(opened)) {
    if (isOpen(path)) continue
    const to = ownPath(path, opened)
    const answer = method === 'GET' ? await by.page(to) : await by.post(to, { csrf, ...fieldsOf(path) })
    // Only a form has routes of the method POST: an address that is none has no answer of ours.
    expect(path.endsWith('*') ? [...statuses, 404] : statuses, `${method} ${path}`).toContain(answer.status)
    expect(answer.html, `${method} ${path}`).not.toContain(OWN)
    for (const what of ['HEAD', 'OPTIONS', 'PUT', 'DELETE', 'PATCH']) await by.request(to, { method: what })
  }
  expect(await rowsOf(opened)).toEqual(before)
}

describe('a link', () => {
  it('that is used up, revoked or expired opens by no method', async () => {
    const opened = await openTwo()
    const { engine, linkOf, app } = opened
    const used = await linkOf({ uses: 'once' })
    expect(await visitor(app).post(used.path, {})).toMatchObject({ status: 303 })
    const revoked = await linkOf({ uses: 'once' })
    await engine.portalLinks.revoke('w1', revoked.link.id)
    const expired = await linkOf({ uses: 'many', expiresInMs: MINUTE_MS })
    engine.advance(2 * MINUTE_MS)
    const before = await rowsOf(opened)
    for (const { path } of [used, revoked, expired]) {
      const stranger = visitor(app)
      expect(await stranger.page(path)).toMatchObject({ status: 410 })
      expect(await stranger.post(path, {})).toMatchObject({ status: 410 })
      await stranger.request(path, { method: 'HEAD' })
      expect(await stranger.page(PORTAL)).toMatchObject({ status: 401 })
    }
    expect(await rowsOf(opened)).toEqual(before)
  })

  it('is not used up by the scanner of a mail, which sends no POST', async () => {
    const opened = await openTwo()
    const { linkOf, app } = opened
    const { path } = await linkOf({ uses: 'once' })
    const before = await rowsOf(opened)
    const scanner = visitor(app)
    for (const to of [path, `${path}/framed`, `${path}?utm=1`, `${path}/`]) {
      for (const method of ['GET', 'HEAD', 'OPTIONS', 'GET']) {
        const response = await scanner.request(to, { method, headers: { 'user-agent': 'MailScanner' } })
        expect(response.headers.getSetCookie()).toEqual([])
      }
    }
    expect(await rowsOf(opened)).toEqual(before)
    expect(await scanner.page(PORTAL)).toMatchObject({ status: 401 })
    expect(await visitor(app).post(path, {})).toMatchObject({ status: 303, location: PORTAL })
  })
})

describe('a form', () => {
  const forms = (opened: Opened) =>
    routesOf(opened).filter(({ method, path }) => method === 'POST' && !isOpen(path) && !path.endsWith('*'))

  it('without its token, with a wrong one, or with that of another session changes nothing', async () => {
    const opened = await openTwo()
    const { app, engine, linkOf, post } = opened
    const tokenOf = async (path: string): Promise<string> => {
      const other = visitor(app)
      await other.request(path)
      return csrfOf(other)
    }
    const tokens = {
      none: '',
      wrong: '0'.repeat(128),
      cut: (await csrfOf(opened)).slice(0, -2),
      'of another session': await tokenOf((await linkOf({ uses: 'many' })).path),
      'of another workspace': await tokenOf((await linkOf({ workspaceId: 'w2', uses: 'many' })).path),
    }
    expect(forms(opened).length).toBeGreaterThanOrEqual(3)
    const before = await rowsOf(opened)
    for (const { path } of forms(opened)) {
      for (const [name, csrf] of Object.entries(tokens)) {
        const answer = await post(ownPath(path, opened), { ...FIELDS, ...(csrf !== '' && { csrf }) })
        expect(answer.status, `${path} with the token ${name}`).toBe(403)
      }
    }
    expect(await rowsOf(opened)).toEqual(before)
    expect(engine.lines.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('that another site sent changes nothing, though its token is right', async () => {
    const opened = await openTwo()
    const csrf = await csrfOf(opened)
    const before = await rowsOf(opened)
    for (const { path } of forms(opened)) {
      for (const site of ['cross-site', 'same-site', 'none']) {
        const answer = await opened.post(ownPath(path, opened), { csrf, ...FIELDS }, { 'sec-fetch-site': site })
        expect(answer.status, `${path} from ${site}`).toBe(403)
      }
      // A browser that sends no such header names the origin.
      const response = await opened.request(ownPath(path, opened), {
        method: 'POST',
        headers: { 'content-type': 'application/x-www-form-urlencoded', origin: 'https://evil.example.com' },
        body: new URLSearchParams({ csrf, ...FIELDS }).toString(),
      })
      expect(response.status, `${path} from another origin`).toBe(403)
    }
    expect(await rowsOf(opened)).toEqual(before)
  })
})

it('no page may be shown in a frame of another site that the host does not name', async () => {
  const opened = await openTwo()
  const framed = { 'sec-fetch-dest': 'iframe', 'sec-fetch-site': 'cross-site' }
  for (const { method, path } of routesOf(opened)) {
    if (method !== 'GET' || isOpen(path)) continue
    const { headers } = await opened.request(ownPath(path, opened), { headers: framed })
    expect(headers.get('content-security-policy'), path).toContain("frame-ancestors 'none'")
    expect(headers.get('access-control-allow-origin'), path).toBe(null)
  }
})
