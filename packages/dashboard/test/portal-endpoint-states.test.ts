// Disabling, enabling and deleting an endpoint, its secrets, and the filter in words and as JSON.
import { sqlText } from '@keepsend/outbox/internal'
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { copyDelivery } from './copy-delivery.ts'
import { PORTAL, openPortal } from './open-portal.ts'

const NEW = `${PORTAL}/endpoints/new`
const DAY_MS = 86_400_000

async function world() {
  const engine = await createTestEngine({ history: true })
  const portal = await openPortal({ engine })
  const { endpoint, secret } = await engine.endpoints.create('w1', { url: 'https://api.bluebird.example.com/hooks' })
  const at = (path: string): string => `${PORTAL}/endpoints/${endpoint.id}${path}`
  const publish = (): Promise<unknown> => engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
  return { ...portal, engine, endpoint, secret, at, publish }
}

describe('an endpoint', () => {
  it('is disabled after a page that says what that does, and enabled again', async () => {
    const { page, send, at, engine, endpoint, publish } = await world()
    engine.receiver.answer([400])
    await publish()
    await engine.deliverAll()
    await publish()
    const { html } = await page(at('/disable'))
    expect(html).toContain('1 delivery that waits for an attempt is held too.')
    expect(html).toContain('1 that failed stays as it is.')
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ status: 'enabled' })

    expect(await send(at('/disable'), at('/disable'), {})).toMatchObject({ status: 303, location: at('') })
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ disabledReason: 'manual' })
    await publish()
    expect((await page(at('/delete'))).html).toContain('1 delivery that is held for it fails.')
    expect((await page(at('/settings'))).html).toContain(`action="${at('/enable')}"`)
    expect(await send(at('/settings'), at('/enable'), {})).toMatchObject({ status: 303, location: at('') })
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ status: 'enabled' })
  })

  it('that the sender disabled is enabled by the sender alone', async () => {
    const { page, send, at, engine, endpoint } = await world()
    await engine.endpoints.setStatus('w1', endpoint.id, 'disabled', { by: 'dana' })
    const { html } = await page(at('/settings'))
    expect(html).toContain('Ask Plover to enable it')
    expect(html).not.toContain('>Enable</button>')
    const refused = await send(at('/settings'), at('/enable'), {})
    expect([refused.status, refused.html]).toEqual([409, expect.stringContaining('Ask Plover to enable it')])
    expect(await engine.endpoints.get('w1', endpoint.id)).toMatchObject({ status: 'disabled' })
  })

  it('is deleted after a page that says what fails', async () => {
    const { page, send, at, engine, publish } = await world()
    await publish()
    const { html } = await page(at('/delete'))
    expect(html).toContain('1 delivery that is still being tried fails.')
    expect(html).toContain(`href="${at('/disable')}"`)
    expect(await engine.endpoints.list('w1', { limit: 10 })).toHaveLength(1)
    expect(await send(at('/delete'), at('/delete'), {})).toMatchObject({ status: 303, location: PORTAL })
    expect(await engine.endpoints.list('w1', { limit: 10 })).toEqual([])
  })

  it('with very many deliveries has them counted up to a bound', async () => {
    const { page, at, engine, publish } = await world()
    await publish()
    await copyDelivery(engine.db, 10_000)
    expect((await page(at('/delete'))).html).toContain('more than 10,000 deliveries that are still being tried')
    await engine.db.run(sqlText`delete from pending_events where id in (select max(id) from pending_events)`)
    const { html } = await page(at('/delete'))
    expect(html).toContain('10,000 deliveries that are still being tried')
    expect(html).not.toContain('more than')
  })
})

describe('the signing secret', () => {
  it('is shown after a POST alone, which the audit records', async () => {
    const { page, send, at, engine, secret } = await world()
    const { html } = await page(at('/secret'))
    expect(html).not.toContain(secret)
    expect(html).toContain('whsec_••••')
    expect((await engine.audit.list('w1', { limit: 10, verb: 'endpoint.reveal_secrets' })).rows).toEqual([])
    const revealed = await send(at('/secret'), at('/secret'), { do: 'reveal' })
    expect(revealed.html).toContain(secret)
    const { rows } = await engine.audit.list('w1', { limit: 10, verb: 'endpoint.reveal_secrets' })
    expect(rows).toMatchObject([{ by: expect.stringMatching(/^portal: /) }])
    expect(await send(at('/secret'), at('/secret'), { do: 'hide' })).toMatchObject({ location: at('/secret') })
  })

  it.each([
    ['3600000', 3_600_000],
    ['259200000', 3 * DAY_MS],
    ['604800000', 7 * DAY_MS],
  ])('is rotated, and the old one signs beside it for %s ms', async (overlap, ms) => {
    const { page, send, at, engine, endpoint } = await world()
    expect(await send(at('/secret'), at('/secret'), { do: 'rotate', overlap })).toMatchObject({ status: 303 })
    const [current, old] = await engine.endpoints.secrets('w1', endpoint.id)
    expect([current?.version, old?.version, (old?.expiresAt ?? 0) - (current?.createdAt ?? 0)]).toEqual([2, 1, ms])
    const { html } = await page(at('/secret'))
    expect(html).toContain('Signs beside the new one until')
    expect(html).toContain(`href="${at('/secret/end/1')}"`)
  })

  it('is rotated without an overlap too, and with no other time than those of the form', async () => {
    const { send, at, engine, endpoint, secret } = await world()
    for (const overlap of ['-1', '604800001', 'NaN', '1'])
      expect((await send(at('/secret'), at('/secret'), { do: 'rotate', overlap })).status).toBe(400)
    expect((await send(at('/secret'), at('/secret'), { do: 'steal' })).status).toBe(400)
    await send(at('/secret'), at('/secret'), { do: 'rotate', overlap: '0' })
    const secrets = await engine.endpoints.secrets('w1', endpoint.id)
    expect(secrets).toMatchObject([{ version: 2, expiresAt: null }])
    expect(secrets[0]?.secret).not.toBe(secret)
  })

  it('of an old version ends after a page that says what that does; the current one does not', async () => {
    const { page, send, at, engine, endpoint } = await world()
    await engine.endpoints.rotateSecret('w1', endpoint.id)
    for (const version of ['2', '3', 'x']) expect((await page(at(`/secret/end/${version}`))).status).toBe(404)
    const { html } = await page(at('/secret/end/1'))
    expect(html).toContain('Version 1 of')
    expect(html).toContain('Servers that know only the old secret refuse every request from now on.')
    expect(await engine.endpoints.secrets('w1', endpoint.id)).toHaveLength(2)
    expect(await send(at('/secret/end/1'), at('/secret/end/1'), { scheme: 'v1' })).toMatchObject({
      status: 303,
      location: at('/secret'),
    })
    expect(await engine.endpoints.secrets('w1', endpoint.id)).toMatchObject([{ version: 2 }])
    expect((await send(at('/secret'), at('/secret/end/2'), {})).status).toBe(404)
    const { rows } = await engine.audit.list('w1', { limit: 1, verb: 'endpoint.end_secret' })
    expect(rows).toMatchObject([{ by: expect.stringMatching(/^portal: /) }])
  })

  it('is one of ten at most', async () => {
    const { send, at, engine, endpoint } = await world()
    for (let version = 2; version <= 10; version++) await engine.endpoints.rotateSecret('w1', endpoint.id)
    const { status, html } = await send(at('/secret'), at('/secret'), { do: 'rotate' })
    expect([status, html]).toEqual([409, expect.stringContaining('Ten secrets sign at the same time')])
  })

  it('of several schemes is said and rotated by its scheme', async () => {
    const { page, send, at, engine, endpoint } = await world()
    await engine.endpoints.update('w1', endpoint.id, { signatures: ['v1', 'v1a'] })
    const { html } = await page(at('/secret'))
    expect(html).toContain('Current secret (v1a)')
    expect(html).toContain('whpk_••••')
    await send(at('/secret'), at('/secret'), { do: 'rotate', scheme: 'v1a' })
    expect((await page(at('/secret'))).html).toContain(`href="${at('/secret/end/1?scheme=v1a')}"`)
    expect((await page(at('/secret/end/1?scheme=v1a'))).status).toBe(200)
    await send(at('/secret/end/1?scheme=v1a'), at('/secret/end/1'), { scheme: 'v1a' })
    const secrets = await engine.endpoints.secrets('w1', endpoint.id)
    expect(secrets.map(({ scheme, version }) => `${scheme}.${version}`)).toEqual(['v1.1', 'v1a.2'])
  })

  it('has the language of its sample in the address', async () => {
    const { page, at } = await world()
    expect((await page(at('/secret?lang=go'))).html).toMatch(/id="lang-go" value="go" checked/)
    expect((await page(at('/secret?lang=cobol'))).html).toMatch(/id="lang-node" value="node" checked/)
  })
})

describe('the filter', () => {
  const LINES = {
    'filter-kind': 'words',
    'filter-0-path': 'channel.name',
    'filter-0-operator': 'one_of',
    'filter-0-value': 'a, "1", 2',
    'filter-1-path': 'text',
    'filter-1-operator': 'begins',
    'filter-1-value': '100',
  }

  it('goes from words to JSON and back without a loss, and adds and removes lines', async () => {
    const { send } = await openPortal()
    const typed = { url: 'https://example.com/', description: 'As typed' }
    const json = await send(NEW, NEW, { ...typed, ...LINES, do: 'filter-json' })
    expect(json.status).toBe(200)
    const [, written = ''] = /<textarea id="filter"[^>]*>([^<]*)</.exec(json.html) ?? []
    const filter = JSON.parse(written.replaceAll('&quot;', '"'))
    expect(filter).toEqual({ 'data.channel.name': { $in: ['a', '1', 2] }, 'data.text': { $startsWith: '100' } })

    const back = { ...typed, 'filter-kind': 'json', filter: JSON.stringify(filter), do: 'filter-words' }
    const words = await send(NEW, NEW, back)
    for (const [name, value] of Object.entries(LINES).filter(([one]) => !one.endsWith('operator')))
      expect(words.html).toContain(`name="${name}" value="${value.replaceAll('"', '&quot;')}"`)
    expect(words.html).toContain('value="As typed"')

    const added = await send(NEW, NEW, { ...typed, ...LINES, do: 'filter-add' })
    expect(added.html).toContain('name="filter-2-path"')
    const removed = await send(NEW, NEW, { ...typed, ...LINES, do: 'filter-remove-0' })
    expect(removed.html).toContain('name="filter-0-path" value="text"')
    expect(removed.html).not.toContain('name="filter-1-path"')
  })

  it.each([
    { $or: [{ 'data.a': 1 }, { 'data.b': 2 }] },
    { type: 'a.b' },
    { 'data.a': { $in: ['with, comma'] } },
    { 'data.a': { $not: { $eq: 1 } } },
  ])('%j, which words cannot say, stays JSON', async (filter) => {
    const { page, send, at, engine, endpoint } = await world()
    await engine.endpoints.update('w1', endpoint.id, { filter })
    const { html } = await page(at('/settings'))
    expect(html).toContain('name="filter-kind" value="json"')
    const again = { 'filter-kind': 'json', filter: JSON.stringify(filter), do: 'filter-words' }
    expect((await send(at('/settings'), at('/settings'), again)).html).toContain('name="filter-kind" value="json"')
  })
})
