// The list of workspaces: who is in it, its pages, and the rows that a page reads beside many other workspaces.
import { expect, it } from 'vitest'
import { OPERATOR_SCOPES, SCOPES } from '../src/index.ts'
import { readsOf, recordedRig } from './plans.ts'
import { rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const IDS = ['w', 'w/', 'w0', 'w1', 'w10', 'W1', ' w', 'é', '😀', '日本', "o'brien", '%', '*', 'x'.repeat(255)]

it('has each workspace with endpoints or API keys once, with its endpoints by status', async () => {
  const { engine, addEndpoint } = await rig()
  for (let n = 0; n < 3; n++) await addEndpoint({ workspaceId: 'both' })
  const { id } = await addEndpoint({ workspaceId: 'both' })
  await engine.endpoints.setStatus('both', id, 'disabled')
  await engine.apiKeys.create({ workspaceId: 'both' })
  await engine.apiKeys.create({ workspaceId: 'keys alone', expiresInMs: -1 })
  await engine.publish({ type: 'a', workspaceId: 'events alone', data: {} })
  expect(await engine.workspaces.list({ limit: 10 })).toEqual([
    { id: 'both', endpoints: { enabled: 3, disabled: 1 } },
    { id: 'keys alone', endpoints: { enabled: 0, disabled: 0 } },
  ])
})

it('shows every id once in pages of every size, in one order', async () => {
  const { engine, addEndpoint } = await rig()
  for (const [n, workspaceId] of IDS.entries()) {
    if (n % 3 !== 1) await addEndpoint({ workspaceId })
    if (n % 3 !== 0) await engine.apiKeys.create({ workspaceId })
  }
  const all = await engine.workspaces.list({ limit: 100 })
  expect(new Set(all.map(({ id }) => id))).toEqual(new Set(IDS))
  expect(all).toHaveLength(IDS.length)
  for (const limit of [1, 2, 5, IDS.length]) {
    const paged = []
    for (let after: string | undefined; ;) {
      const page = await engine.workspaces.list({ limit, after })
      paged.push(...page)
      after = page.at(-1)?.id
      if (after === undefined) break
      expect(page.length).toBeLessThanOrEqual(limit)
    }
    expect(paged, String(limit)).toEqual(all)
  }
})

it('refuses a limit beyond its bounds and an id that no workspace can have', async () => {
  const { engine } = await rig()
  for (const limit of [0, 1001, 1.5, NaN])
    await expect(engine.workspaces.list({ limit })).rejects.toMatchObject({ code: 'invalid_option' })
  for (const after of ['a\0', '\ud800', 'x'.repeat(256)])
    await expect(engine.workspaces.list({ limit: 1, after })).rejects.toMatchObject({ code: 'invalid_request' })
})

it('over HTTP is for keys with workspaces:read alone, which follow its cursors', async () => {
  const { engine, addEndpoint, call, keys } = await api()
  for (const workspaceId of ['x'.repeat(255), '日'.repeat(255)]) await addEndpoint({ workspaceId })
  for (const query of ['', '?limit=1', '?cursor=dzE']) {
    expect(await read(call('GET', `/workspaces${query}`))).toMatchObject(problem(403, 'forbidden'))
  }
  const { key } = await engine.apiKeys.create({ workspaceId: 'ops', scopes: ['workspaces:read'] })
  const ids: unknown[] = []
  for (let cursor = ''; ;) {
    const { status, body } = await read(call('GET', `/workspaces?limit=1${cursor}`, undefined, key))
    expect(status).toBe(200)
    ids.push(...(body['data'] as { id: string }[]).map(({ id }) => id))
    if (body['cursor'] === undefined) break
    cursor = `&cursor=${encodeURIComponent(body['cursor'] as string)}`
  }
  expect(ids).toHaveLength(5)
  expect(new Set(ids)).toEqual(new Set(['w1', 'w2', 'ops', 'x'.repeat(255), '日'.repeat(255)]))
  for (const cursor of ['?', '', 'AA', '_w', btoa('evt'), 'x'.repeat(1201), 'dzE=']) {
    const answer = await read(call('GET', `/workspaces?cursor=${encodeURIComponent(cursor)}`, undefined, key))
    expect(answer, cursor).toMatchObject(cursor === btoa('evt') ? { status: 200 } : problem(400, 'invalid_request'))
  }
  expect(keys.w1).not.toBe(key)
  expect([...SCOPES]).not.toContain(OPERATOR_SCOPES[0])
})

it.each([
  ['that were never analyzed', false],
  ['that were analyzed with one row', true],
])('reads a few rows for a page beside 3,000 workspaces, of tables %s', async (_, isAnalyzed) => {
  const made = await recordedRig()
  if (onPostgres)
    for (const table of ['keepsend_endpoints', 'keepsend_api_keys'])
      await made.exec(`alter table ${table} set (autovacuum_enabled = off)`)
  if (isAnalyzed) {
    await made.addEndpoint({ workspaceId: 'a' })
    await made.engine.apiKeys.create({ workspaceId: 'a' })
    await made.exec('analyze')
  }
  const numbers = (most: number) =>
    onPostgres
      ? `generate_series(1, ${most}) as numbers (n)`
      : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < ${most}) select value as n from n) as numbers`
  await made.exec(`insert into keepsend_endpoints (id, workspace_id, url, event_types, channels, created_at, updated_at)
    select 'ep_' || n, 'w' || (n % 3000), 'https://hooks.example.com/', '["*"]', '[]', 1, 1 from ${numbers(9000)}`)
  await made.exec(`insert into keepsend_api_keys (key_hash, id, workspace_id, name, scopes, created_at)
    select 'hash' || n, 'key_' || n, 'w' || (n % 3000), '', '[]', 1 from ${numbers(9000)}`)
  made.statements()
  expect(await made.engine.workspaces.list({ limit: 20, after: 'w2' })).toHaveLength(20)
  const of = {
    postgres: /^keepsend_(endpoints|api_keys)/,
    sqlite: /^(SCAN|SEARCH) (endpoint|keepsend_endpoints|keepsend_api_keys)\b/,
  }
  const reads = []
  for (const statement of made.statements()) reads.push(...(await readsOf(made.db, statement, of)))
  expect(reads.length).toBeGreaterThanOrEqual(6)
  for (const { by } of reads) expect(by).toMatch(/keepsend_(endpoints|api_keys)_workspace|Bitmap Heap Scan/)
  // One look-up in each table for each workspace, and its three endpoints twice.
  expect(reads.reduce((sum, { rows }) => sum + rows, 0)).toBeLessThan(400)
})
