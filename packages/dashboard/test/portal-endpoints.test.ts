// The pages on which customers add, change, disable and delete their endpoints.
import { type PortalCapability, defineEvents, event } from '@keepsend/engine'
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { PORTAL, openPortal } from './open-portal.ts'

const NEW = `${PORTAL}/endpoints/new`
const URL_OF_ENDPOINT = 'https://api.bluebird.example.com/hooks'
const ALL: PortalCapability[] = ['endpoints:write', 'secrets:write', 'tests:send', 'replays:write']

const anything = {
  '~standard': {
    version: 1 as const,
    vendor: 'test',
    validate: (value: unknown) => ({ value: value as Record<string, unknown> }),
  },
}
const catalog = defineEvents(
  {
    'message.posted': event({ schema: anything, description: 'Somebody posted a message.', jsonSchema: {} }),
    'message.edited': event({ schema: anything, jsonSchema: {} }),
    'member.joined': event({ schema: anything, jsonSchema: {} }),
  },
  { versions: ['2025-01', '2026-01'] },
)

/** A portal whose workspace has an endpoint, and another workspace's endpoint. */
async function world(options: Parameters<typeof openPortal>[0] = {}) {
  const engine = await createTestEngine({ history: true, catalog })
  const portal = await openPortal({ engine, ...options })
  const { endpoint } = await engine.endpoints.create('w1', { url: URL_OF_ENDPOINT, description: 'Booking sync' })
  const { endpoint: others } = await engine.endpoints.create('w2', { url: 'https://juniper.example.com/' })
  const at = (path: string, id = endpoint.id): string => `${PORTAL}/endpoints/${id}${path}`
  return { ...portal, engine, endpoint, others, at }
}

/** Whether the field is marked as wrong, and linked from the note above the form. */
function expectProblem(html: string, field: string, said: string): void {
  expect(html).toContain(`href="#${field}"`)
  expect(html).toMatch(new RegExp(`id="${field}-err"[^]*?${said}`))
}

describe('the form of a new endpoint', () => {
  it('says all rules before anything is typed, and what the receiver has to do', async () => {
    const { page } = await world()
    const { html } = await page(NEW)
    for (const said of [
      'starts with https://',
      'points to a public host',
      'uses port 443 or 8443',
      'has no user name or password',
      'Answers 2xx within 15 seconds',
      'we try again 9 times, over 3 days',
      'value="message.*"',
      'Somebody posted a message.',
    ])
      expect(html).toContain(said)
    expect(html).not.toContain('aria-invalid')
  })

  it('says the rules of the policy of the engine, and accepts what it accepts', async () => {
    const engine = await createTestEngine({ urlPolicy: { allowHttp: true, allowPorts: [8080] } })
    const { page, send } = await openPortal({ engine })
    const { html } = await page(NEW)
    expect(html).toContain('starts with https:// or http://')
    expect(html).toContain('uses port 8080')
    const refused = await send(NEW, NEW, { url: 'http://example.com:443/' })
    expectProblem(refused.html, 'url', 'Use port 8080')
    expect(await send(NEW, NEW, { url: 'http://example.com:8080/' })).toMatchObject({ status: 303 })
  })

  it('adds an endpoint with everything that was chosen, and leads to it', async () => {
    const { send, engine } = await world()
    const { status, location } = await send(NEW, NEW, {
      do: 'save',
      url: ` ${URL_OF_ENDPOINT}2 `,
      description: 'Sync',
      all: 'some',
      types: 'message.*',
      'filter-kind': 'words',
      'filter-0-path': 'channel.name',
      'filter-0-operator': 'one_of',
      'filter-0-value': 'bookings, groups',
      'filter-1-path': 'amount',
      'filter-1-operator': 'least',
      'filter-1-value': '100',
      rate: '30',
      ratePeriod: 'minute',
      retryStatuses: '409, 423',
      version: '2025-01',
    })
    expect(status).toBe(303)
    const id = location?.split('/').at(-1) ?? ''
    expect(location).toBe(`${PORTAL}/endpoints/${id}`)
    expect(await engine.endpoints.get('w1', id)).toMatchObject({
      url: `${URL_OF_ENDPOINT}2`,
      description: 'Sync',
      eventTypes: ['message.*'],
      filter: { 'data.channel.name': { $in: ['bookings', 'groups'] }, 'data.amount': { $gte: 100 } },
      rateLimit: 30,
      ratePeriod: 'minute',
      retryStatuses: [409, 423],
      eventVersion: '2025-01',
    })
    const { rows } = await engine.audit.list('w1', { limit: 5, verb: 'endpoint.create' })
    expect(rows.map(({ by }) => by)).toContainEqual(expect.stringMatching(/^portal: /))
  })

  it.each([
    [{ url: '' }, 'url', 'Type the URL of your server'],
    [{ url: 'bluebird' }, 'url', 'This is no whole URL'],
    [{ url: 'http://example.com/' }, 'url', 'Requests are sent over https'],
    [{ url: 'https://user@example.com/' }, 'url', 'user name or a password'],
    [{ url: 'https://example.com:3000/' }, 'url', 'Use port 443 or 8443'],
    [{ url: 'http://10.0.4.7:3000/' }, 'url', 'inside a private network'],
    [{ url: 'https://localhost/' }, 'url', 'inside a private network'],
    [{ description: 'x'.repeat(501) }, 'description', 'at most|500 characters'],
    [{ all: 'some' }, 'types', 'Choose at least one event'],
    [{ all: 'some', patterns: 'message.**' }, 'types', 'eventTypes must hold names'],
    [{ rate: '0' }, 'rate', 'whole number from 1 to 10,000'],
    [{ rate: '1.5' }, 'rate', 'whole number from 1 to 10,000'],
    [{ retryStatuses: '410' }, 'retryStatuses', 'without 410; found 410'],
    [{ version: '1999' }, 'version', 'one of 2025-01, 2026-01; found'],
    [{ 'filter-kind': 'json', filter: '{ "data.a": ' }, 'filter', 'JSON'],
    [{ 'filter-kind': 'json', filter: '{ "data.a": { "$regex": "x" } }' }, 'filter', 'filter: has no operator'],
    [{ 'filter-0-path': 'a..b', 'filter-0-operator': 'is' }, 'filter', 'filter: a path must be names joined by dots'],
    [{ 'filter-0-path': 'a', 'filter-0-operator': 'one_of' }, 'filter', 'filter: \\$in at'],
  ])('refuses %j at the field, and what was typed stays', async (fields, field, said) => {
    const { send, engine } = await world()
    const typed = { do: 'save', url: 'https://example.com/', description: 'As typed', ...fields }
    const { status, html } = await send(NEW, NEW, typed)
    expect(status).toBe(400)
    expect(html).toContain('One thing needs a change')
    expectProblem(html, field, said)
    // The events are a group of controls, which no attribute marks as wrong.
    const mark = field === 'types' ? 'aria-describedby="types-err"' : 'aria-invalid="true"'
    expect(html).toMatch(new RegExp(`id="${field}"[^>]*${mark}`))
    expect(html).toContain(`value="${typed.description}"`)
    expect(await engine.endpoints.list('w1', { limit: 10 })).toHaveLength(1)
  })

  it('marks the English of the engine as such on a page of another language', async () => {
    const { send } = await world()
    const typed = { do: 'save', url: 'https://example.com/', rate: '0', retryStatuses: '410' }
    const german = { 'accept-language': 'de' }
    const ours = await send(NEW, NEW, typed, german)
    expect(ours.html).toMatch(/id="rate-err".*?<span>[^<]*ganze Zahl/s)
    const engines = await send(NEW, NEW, { ...typed, rate: '' }, german)
    expect(engines.html).toMatch(/id="retryStatuses-err".*?<span lang="en">retryStatuses [^<]*found 410/s)
  })

  it('names everything that is wrong at the same time, and ticks each rule of the URL', async () => {
    const { send } = await world()
    const { html } = await send(NEW, NEW, { url: 'http://10.0.4.7:3000/', all: 'some', rate: '0' })
    expect(html).toContain('3 things need a change')
    const rules = [...html.matchAll(/<li class="(yes|no)" data-rule="(\w+)"/g)].map(([, holds, rule]) => [rule, holds])
    expect(rules).toEqual([
      ['https', 'no'],
      ['public', 'no'],
      ['port', 'no'],
      ['credentials', 'yes'],
    ])
  })

  it('ignores what belongs to the sender', async () => {
    const { send, engine } = await world()
    const { location } = await send(NEW, NEW, {
      url: 'https://example.com/',
      channels: 'secret',
      headers: 'authorization: x',
      auth: '{"type":"bearer","token":"x"}',
      signatures: 'v1a',
      uid: 'mine',
      deadline: '30',
      concurrency: '1000',
    })
    expect(await engine.endpoints.get('w1', location?.split('/').at(-1) ?? '')).toMatchObject({
      channels: [],
      headerNames: [],
      auth: null,
      signatures: ['v1'],
      uid: null,
      deadlineMs: null,
      concurrency: null,
    })
  })

  it('says how many endpoints there may be', async () => {
    const engine = await createTestEngine({ limits: { endpointsPerWorkspace: 1 } })
    const { send } = await openPortal({ engine })
    await engine.endpoints.create('w1', { url: URL_OF_ENDPOINT })
    const { status, html } = await send(NEW, NEW, { url: 'https://example.com/' })
    expect([status, html]).toEqual([400, expect.stringContaining('as many endpoints as Plover allows')])
  })
})

describe('the settings', () => {
  it('show the endpoint, and change only what the form has', async () => {
    const { page, send, at, engine, endpoint } = await world()
    await engine.endpoints.update('w1', endpoint.id, { channels: ['c'], deadlineMs: 5000, headers: { 'x-a': 'b' } })
    const { html } = await page(at('/settings'))
    expect(html).toContain('value="Booking sync"')
    expect(html).toContain('Answers 2xx within 5 seconds')
    const [, version = ''] = /name="if-version" value="(\d+)"/.exec(html) ?? []
    const saved = await send(at('/settings'), at('/settings'), {
      do: 'save',
      'if-version': version,
      url: `${URL_OF_ENDPOINT}/v2`,
      description: 'Other',
      all: 'all',
      version: '2026-01',
    })
    expect(saved).toMatchObject({ status: 303, location: at('/settings?saved=1') })
    expect((await page(at('/settings?saved=1'))).html).toContain('Your changes are saved')
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({
      url: `${URL_OF_ENDPOINT}/v2`,
      description: 'Other',
      channels: ['c'],
      deadlineMs: 5000,
      headerNames: ['x-a'],
      filter: null,
    })
  })

  it('do not replace what somebody else changed meanwhile, until it is saved again', async () => {
    const { send, at, engine, endpoint } = await world()
    await engine.endpoints.update('w1', endpoint.id, { description: 'Theirs' })
    const fields = { do: 'save', url: URL_OF_ENDPOINT, description: 'Mine', all: 'all', version: '2026-01' }
    const late = await send(at('/settings'), at('/settings'), { ...fields, 'if-version': String(endpoint.version) })
    expect([late.status, late.html]).toEqual([409, expect.stringContaining('Somebody else changed this endpoint')])
    expect(late.html).toContain('value="Mine"')
    const [, version = ''] = /name="if-version" value="(\d+)"/.exec(late.html) ?? []
    expect(await send(at('/settings'), at('/settings'), { ...fields, 'if-version': version })).toMatchObject({
      status: 303,
    })
  })

  it.each([{ headers: { 'x-key': 'secret' } }, { auth: { type: 'bearer' as const, token: 'secret' } }])(
    'do not take %j of an endpoint to another host',
    async (credentials) => {
      const { send, at, engine, endpoint } = await world()
      const { version } = await engine.endpoints.update('w1', endpoint.id, credentials)
      const fields = { do: 'save', 'if-version': String(version), all: 'all', version: '2026-01' }
      const { status, html } = await send(at('/settings'), at('/settings'), {
        ...fields,
        url: 'https://evil.example.com/',
      })
      expect(status).toBe(400)
      expectProblem(html, 'url', 'only this host may have')
      const path = await send(at('/settings'), at('/settings'), { ...fields, url: `${URL_OF_ENDPOINT}/other` })
      expect(path.status).toBe(303)
    },
  )
})

describe('what a link does not allow', () => {
  const PAGES: readonly [path: string, needs: PortalCapability][] = [
    ['/new', 'endpoints:write'],
    ['/:id/settings', 'endpoints:write'],
    ['/:id/disable', 'endpoints:write'],
    ['/:id/enable', 'endpoints:write'],
    ['/:id/delete', 'endpoints:write'],
    ['/:id/secret', 'secrets:write'],
    ['/:id/secret/end/1', 'secrets:write'],
    ['/:id/test', 'tests:send'],
  ]
  const pathOf = (path: string, id: string): string => `${PORTAL}/endpoints${path.replace(':id', id)}`

  it.each(PAGES)('is refused at the POST of %s without %s, and nothing is changed', async (path, needs) => {
    const { request, post, page, engine, endpoint } = await world({
      link: { capabilities: ALL.filter((one) => one !== needs) },
    })
    await engine.endpoints.rotateSecret('w1', endpoint.id)
    const before = await engine.endpoints.get('w1', endpoint.id)
    const { html } = await page(PORTAL)
    const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
    const sent = await post(pathOf(path, endpoint.id), { csrf, do: 'reveal', url: 'https://example.com/', data: '{}' })
    expect([sent.status, sent.html]).toEqual([403, expect.stringContaining('Your link does not allow this')])
    expect(await engine.endpoints.get('w1', endpoint.id)).toEqual(before)
    // The page that a customer can look at is there; a form that is of no use is not.
    const shown = path === '/:id/enable' ? 404 : path === '/:id/secret' ? 200 : 403
    expect((await request(pathOf(path, endpoint.id))).status).toBe(shown)
  })

  it('is not drawn', async () => {
    const { page, at } = await world({ link: { capabilities: [] } })
    const { html } = await page(at('/secret'))
    for (const absent of ['/settings', '/test"', 'Reveal', 'Rotate']) expect(html).not.toContain(absent)
    expect((await page(PORTAL)).html).not.toContain('endpoints/new')
  })

  it.each(PAGES.slice(1))('an endpoint of another workspace answers %s as one that does not exist', async (path) => {
    const { page, post, others, engine } = await world()
    await engine.endpoints.rotateSecret('w2', others.id)
    const { html } = await page(NEW)
    const csrf = /name="csrf" value="([0-9a-f]+)"/.exec(html)?.[1] ?? ''
    const answersOf = async (id: string) => {
      const shown = await page(pathOf(path, id))
      const fields = { csrf, do: path.endsWith('secret') ? 'reveal' : 'save', url: 'https://example.com/', data: '{}' }
      const sent = await post(pathOf(path, id), fields)
      return [shown, sent].map((one) => ({
        status: one.status,
        html: one.html.replaceAll(id, 'ID').replace(/name="csrf" value="\w+"/g, ''),
      }))
    }
    const found = await answersOf(others.id)
    expect(found.map(({ status }) => status)).toEqual([404, 404])
    expect(found).toEqual(await answersOf('ep_01890000-0000-7000-8000-000000000000'))
    expect(await engine.endpoints.get('w2', others.id)).toMatchObject({ status: 'enabled' })
  })
})
