// Each action of a person is one row of the audit, in the transaction of its change. On each database.
import { type Statement, toSql } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type AuditVerb, type Engine, SCOPES, allWorkspaces } from '../src/index.ts'
import { AUDIT_VERBS } from '../src/lib/audit-verbs.ts'
import { type Rig, rig } from './rig.ts'
import { GOOD_BODIES, api, changesSomething, documentOf, read, routesOf } from './routes.ts'

const DAY_MS = 86_400_000
// A database for each of twenty routes: on Postgres a second each.
const SLOW = { timeout: 120_000 }

interface World extends Rig {
  ids: {
    endpointId: string
    failedId: string
    waitingId: string
    problemId: string
    replayId: string
    pausedId: string
    apiKeyId: string
    portalLinkId: string
  }
  /** Of the portal link. */
  token: string
  /** Lets the next transaction fail at its last statement. */
  refuseNext: () => void
}

/** An endpoint of w1 with a failed delivery, one that waits, and a problem. */
async function world(options: Parameters<typeof rig>[0] = {}): Promise<World> {
  let isRefusing = false
  const made = await rig({
    history: true,
    retrySchedule: [60],
    answer: ({ body }) => (body.includes('"fails"') ? 400 : 500),
    wrap: (db) => ({
      ...db,
      atomic(statements: readonly Statement[]) {
        const isRefused = isRefusing
        isRefusing = false
        return db.atomic(
          isRefused ? [...statements, { sql: 'insert into nowhere values (1)', params: [] }] : statements,
        )
      },
    }),
    ...options,
  })
  const { id: endpointId } = await made.addEndpoint()
  await made.engine.endpoints.rotateSecret('w1', endpointId)
  for (const text of ['fails', 'waits']) await made.engine.publish({ type: 'a', workspaceId: 'w1', data: { text } })
  await made.work()
  const rows = await made.rows()
  const idOf = (status: string): string => rows.find((row) => row.status === status)?.id ?? ''
  const { id: apiKeyId } = await made.engine.apiKeys.create({ workspaceId: 'w1' })
  const { link, token } = await made.engine.portalLinks.create('w1')
  // A replay of another endpoint, and one of several: an endpoint has one at a time.
  const { id: otherId } = await made.addEndpoint({ eventTypes: ['other'] })
  await made.engine.publish({ type: 'other', workspaceId: 'w1', data: { text: 'fails' } })
  await made.work()
  // Not in the millisecond in which the replays are made, which takes none of these.
  await made.exec(`update pending_events set completed_at = completed_at - 1000 where status = 'failed'`)
  const { replays } = made.engine
  const { id: replayId } = await replays.create('w1', { what: 'failed', endpointId: otherId })
  const { id: pausedId } = await replays.pause('w1', (await replays.create('w1', { what: 'failed' })).id)
  const problemId = `prb_${endpointId}.http_4xx.400`
  return {
    ...made,
    ids: {
      endpointId,
      failedId: idOf('failed'),
      waitingId: idOf('pending'),
      problemId,
      replayId,
      pausedId,
      apiKeyId,
      portalLinkId: link.id,
    },
    token,
    refuseNext: () => void (isRefusing = true),
  }
}

type Act = (engine: Engine, ids: World['ids'], by: { by?: string | undefined }, token: string) => Promise<unknown>

const ENDPOINT = { url: 'https://other.example.com/' }
const RETENTION = { attemptsMs: 60_000 }

/** Every action, by its verb. A verb without an entry does not compile. */
const ACTS: Record<AuditVerb, { act: Act; names: readonly (keyof World['ids'] | 'new')[] }> = {
  'endpoint.create': { act: ({ endpoints }, _ids, by) => endpoints.create('w1', ENDPOINT, by), names: ['new'] },
  'endpoint.update': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.update('w1', endpointId, { description: 'd' }, by),
    names: ['endpointId'],
  },
  'endpoint.delete': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.delete('w1', endpointId, by),
    names: ['endpointId'],
  },
  'endpoint.enable': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.setStatus('w1', endpointId, 'enabled', by),
    names: ['endpointId'],
  },
  'endpoint.disable': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.setStatus('w1', endpointId, 'disabled', by),
    names: ['endpointId'],
  },
  'endpoint.pause': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.pause('w1', endpointId, by),
    names: ['endpointId'],
  },
  'endpoint.resume': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.resume('w1', endpointId, by),
    names: ['endpointId'],
  },
  'endpoint.rotate_secret': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.rotateSecret('w1', endpointId, by),
    names: ['endpointId'],
  },
  'endpoint.end_secret': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.endSecret('w1', endpointId, { version: 1, ...by }),
    names: ['endpointId'],
  },
  'endpoint.reveal_secrets': {
    act: ({ endpoints }, { endpointId }, by) => endpoints.revealSecrets('w1', endpointId, by),
    names: ['endpointId'],
  },
  'endpoint.test': {
    act: (engine, { endpointId }, by) => engine.publishTest('w1', endpointId, by),
    names: ['endpointId', 'new'],
  },
  'delivery.replay': {
    act: ({ deliveries }, { failedId }, by) => deliveries.replay('w1', failedId, by),
    names: ['endpointId', 'failedId', 'new'],
  },
  'delivery.retry_now': {
    act: ({ deliveries }, { waitingId }, by) => deliveries.retryNow('w1', waitingId, by),
    names: ['endpointId', 'waitingId'],
  },
  'delivery.give_up': {
    act: ({ deliveries }, { waitingId }, by) => deliveries.giveUp('w1', waitingId, by),
    names: ['endpointId', 'waitingId'],
  },
  'replay.create': {
    act: ({ replays }, { endpointId }, by) => replays.create('w1', { what: 'failed', endpointId }, by),
    names: ['endpointId', 'new'],
  },
  'erasure.create': {
    act: (engine, _ids, by) => engine.erase({ workspaceId: 'w1', what: 'range', until: 0 }, by),
    names: ['new'],
  },
  'replay.pause': { act: ({ replays }, { replayId }, by) => replays.pause('w1', replayId, by), names: ['replayId'] },
  'replay.resume': { act: ({ replays }, { pausedId }, by) => replays.resume('w1', pausedId, by), names: ['pausedId'] },
  'replay.cancel': { act: ({ replays }, { replayId }, by) => replays.cancel('w1', replayId, by), names: ['replayId'] },
  'problem.acknowledge': {
    act: ({ problems }, { problemId }, by) => problems.acknowledge('w1', problemId, by),
    names: ['endpointId', 'problemId'],
  },
  'problem.resolve': {
    act: ({ problems }, { problemId }, by) => problems.resolve('w1', problemId, by),
    names: ['endpointId', 'problemId'],
  },
  'api_key.create': { act: ({ apiKeys }, _ids, by) => apiKeys.create({ workspaceId: 'w1', ...by }), names: ['new'] },
  'api_key.revoke': { act: ({ apiKeys }, { apiKeyId }, by) => apiKeys.revoke('w1', apiKeyId, by), names: ['apiKeyId'] },
  'api_key.rotate': {
    act: ({ apiKeys }, { apiKeyId }, by) => apiKeys.rotate('w1', apiKeyId, by),
    names: ['apiKeyId', 'new'],
  },
  'portal_link.create': { act: ({ portalLinks }, _ids, by) => portalLinks.create('w1', by), names: ['new'] },
  'portal_link.revoke': {
    act: ({ portalLinks }, { portalLinkId }, by) => portalLinks.revoke('w1', portalLinkId, by),
    names: ['portalLinkId'],
  },
  'portal_link.open': {
    act: async ({ portalLinks }, { portalLinkId }, by, token) => {
      const opened = await portalLinks.open(portalLinkId === 'ep_none' ? portalLinkId : token, by)
      if (!opened) throw new Error('there is no such link')
    },
    names: ['portalLinkId'],
  },
  'workspace.set_retention': {
    act: ({ workspaces }, _ids, by) => workspaces.setRetention('w1', RETENTION, by),
    names: [],
  },
}
const EVERY_ACT = AUDIT_VERBS.map((verb) => ({ verb, ...ACTS[verb] }))

/** The methods of the stores that are no actions of a person. */
const NO_ACTIONS = [
  'endpoints.get',
  'endpoints.getByUid',
  'endpoints.getMany',
  'endpoints.matchEvent',
  // By `create` or `update`, which are.
  'endpoints.upsert',
  'endpoints.list',
  'endpoints.secrets',
  'deliveries.list',
  'deliveries.listEvents',
  'deliveries.listByEvent',
  'deliveries.get',
  'deliveries.getWithAttempts',
  'replays.get',
  'replays.list',
  'erasures.get',
  'erasures.list',
  'problems.list',
  'apiKeys.list',
  'apiKeys.authenticate',
  'apiKeys.deriveSecret',
  'portalLinks.list',
  'portalLinks.find',
  'portalLinks.session',
  'workspaces.getRetention',
  'workspaces.list',
]

async function audited({ engine }: Pick<Rig, 'engine'>, verb?: AuditVerb) {
  return (await engine.audit.list('w1', { limit: 100, verb })).rows
}

describe('the audit', () => {
  it.each(EVERY_ACT)('has one row of $verb with who acted and on what, and the log one line of ids', async (one) => {
    const made = await world()
    const before = await made.count('keepsend_audit')
    made.log.actions.length = 0
    await one.act(made.engine, made.ids, { by: 'dana 🙂\0\ud800' }, made.token)
    expect(await made.count('keepsend_audit')).toBe(before + 1)
    const [entry, ...others] = (await audited(made)).filter(({ by }) => by !== null)
    expect(others).toEqual([])
    expect(entry).toMatchObject({ verb: one.verb, workspaceId: 'w1', by: 'dana 🙂\ufffd', at: expect.any(Number) })
    const { id, at: _at, by: _by, verb: _verb, workspaceId: _workspace, ...ids } = entry!
    const found = Object.values(ids).filter((value) => value !== null)
    const own = Object.values(made.ids)
    const known = one.names.flatMap((name) => (name === 'new' ? [] : [made.ids[name]]))
    expect(found.filter((value) => own.includes(value)).sort()).toEqual(known.sort())
    expect(found).toHaveLength(one.names.length)
    const given = Object.fromEntries(Object.entries(ids).filter(([, value]) => value !== null))
    expect(made.log.actions).toEqual([
      { level: 'info', message: `action recorded: ${one.verb}`, fields: { auditId: id, workspaceId: 'w1', ...given } },
    ])
  })

  it.each(EVERY_ACT)('has no row of $verb if its transaction fails, and neither has the log', async ({ act }) => {
    const made = await world()
    const before = await made.count('keepsend_audit')
    made.log.actions.length = 0
    made.refuseNext()
    await expect(act(made.engine, made.ids, {}, made.token)).rejects.toThrow()
    expect([await made.count('keepsend_audit'), made.log.actions]).toEqual([before, []])
  })

  it.each(EVERY_ACT)(
    'has no row of $verb in another workspace, or for an id that does not exist',
    async ({ act, names }) => {
      const made = await world()
      const before = await made.count('keepsend_audit')
      const nobodys = Object.fromEntries(Object.keys(made.ids).map((name) => [name, 'ep_none']))
      const isOfAnId = names.some((name) => name !== 'new')
      const refused = await act(made.engine, { ...made.ids, ...nobodys }, {}, made.token).then(
        () => false,
        () => true,
      )
      expect(refused).toBe(isOfAnId)
      expect(await made.count('keepsend_audit')).toBe(before + (isOfAnId ? 0 : 1))
    },
  )

  it('knows every method of the stores: as an action, or as one that is none', async () => {
    const { engine } = await rig()
    const { endpoints, deliveries, replays, erasures, problems, apiKeys, portalLinks, workspaces } = engine
    const stores = { endpoints, deliveries, replays, erasures, problems, apiKeys, portalLinks, workspaces }
    const methods = Object.entries(stores).flatMap(([store, all]) => Object.keys(all).map((name) => `${store}.${name}`))
    const actions = EVERY_ACT.map(({ act }) => /\b(\w+\.\w+)\(/.exec(act.toString())?.[1])
    const known = [...new Set([...actions, ...NO_ACTIONS])].filter((name) => !name?.startsWith('engine.'))
    expect(new Set(methods)).toEqual(new Set(known))
  })

  it(
    'has one row of each request that changes something or shows secrets, by its key, and none of a repeat',
    SLOW,
    async () => {
      const document = await documentOf(await rig())
      const changing = routesOf(document).filter(
        (route) => (changesSomething(route) && !route.path.startsWith('/events')) || route.path.endsWith('/secret'),
      )
      expect(changing.length).toBeGreaterThan(15)
      for (const { method, path } of changing) {
        const made = await world()
        const { id: by, key } = await made.engine.apiKeys.create({ workspaceId: 'w1', scopes: SCOPES })
        const { endpointId, failedId, waitingId, problemId, replayId, pausedId, apiKeyId } = made.ids
        const ids: Record<string, string> = {
          deliveries: path.endsWith('replay') ? failedId : waitingId,
          problems: problemId,
          replays: path.endsWith('resume') ? pausedId : replayId,
          'api-keys': apiKeyId,
        }
        const id = ids[path.split('/')[1] ?? ''] ?? endpointId
        const body = GOOD_BODIES[`${method} ${path}`]
        const before = await made.count('keepsend_audit')
        const ask = () =>
          made.engine.routes.request(path.replace(/\{u?id\}/, id), {
            method,
            headers: {
              authorization: `Bearer ${key}`,
              'content-type': 'application/json',
              ...(method !== 'GET' && { 'idempotency-key': 'k' }),
            },
            ...(body !== undefined && { body: JSON.stringify(body) }),
          })
        for (let times = 0; times < 2; times++) expect((await ask()).status, `${method} ${path}`).toBeLessThan(300)
        const isRead = method === 'GET'
        expect(await made.count('keepsend_audit'), `${method} ${path}`).toBe(before + (isRead ? 2 : 1))
        expect((await audited(made)).filter((entry) => entry.by === by)).toHaveLength(isRead ? 2 : 1)
      }
    },
  )

  it('names the principal of the host, which must be a short text', async () => {
    let name: unknown = 'dana@example.com'
    const scopes = ['endpoints:write', 'audit:read', 'deliveries:write'] as const
    const made = await world({ authenticate: async () => ({ workspaceId: 'w1', scopes, name: name as string }) })
    const call = (path: string, body?: object) =>
      made.engine.routes.request(path, {
        method: body ? 'POST' : 'GET',
        headers: { 'content-type': 'application/json' },
        ...(body && { body: JSON.stringify(body) }),
      })
    await call('/endpoints', ENDPOINT)
    // The name that people see beside the problem is not that of the audit.
    await call(`/problems/${made.ids.problemId}/acknowledge`, { by: 'team' })
    expect((await audited(made)).filter(({ by }) => by !== null).map(({ by }) => by)).toEqual([name, name])
    const shown = (await read(call('/audit?verb=endpoint.create&limit=1'))).body
    expect(shown).toMatchObject({ data: [{ verb: 'endpoint.create', by: name, at: expect.stringMatching(/Z$/) }] })
    for (const wrong of ['x'.repeat(201), 7, null]) {
      name = wrong
      expect((await call('/audit')).status).toBe(500)
    }
  })

  it('refuses a name of more than 200 characters before anything is written', async () => {
    const made = await world()
    const before = await made.count('keepsend_audit')
    for (const { verb, act } of EVERY_ACT) {
      await expect(act(made.engine, made.ids, { by: '🙂'.repeat(201) }, made.token), verb).rejects.toMatchObject({
        code: 'invalid_option',
        message: expect.stringContaining('by must be'),
      })
    }
    expect(await made.count('keepsend_audit')).toBe(before)
    await made.engine.endpoints.pause('w1', made.ids.endpointId, { by: '🙂'.repeat(200) })
    expect(await audited(made, 'endpoint.pause')).toHaveLength(1)
  })

  it('has one row of two actions that exclude each other', async () => {
    const made = await world()
    const { engine, ids, token } = made
    const pairs: Record<string, () => Promise<unknown>> = {
      'api_key.revoke': () => engine.apiKeys.revoke('w1', ids.apiKeyId),
      'portal_link.open': () => engine.portalLinks.open(token),
      'portal_link.revoke': () => engine.portalLinks.revoke('w1', ids.portalLinkId),
      'delivery.replay': () => engine.deliveries.replay('w1', ids.failedId),
      'delivery.give_up': () => engine.deliveries.giveUp('w1', ids.waitingId),
      'endpoint.delete': () => engine.endpoints.delete('w1', ids.endpointId),
    }
    for (const [verb, act] of Object.entries(pairs)) {
      const both = await Promise.allSettled([act(), act()])
      expect(
        both.map(({ status }) => status),
        verb,
      ).toContain('fulfilled')
      expect(await audited(made, verb as AuditVerb), verb).toHaveLength(1)
    }
  })
})

describe('the list of the audit', () => {
  it('has the actions of one workspace, newest first, page by page and by endpoint, verb and time', async () => {
    const made = await rig()
    const { audit, apiKeys, endpoints } = made.engine
    const ids: string[] = []
    for (const workspaceId of ['w1', 'w2']) {
      const { id } = await made.addEndpoint({ workspaceId })
      ids.push(id)
      for (let n = 0; n < 5; n++) await endpoints.setStatus(workspaceId, id, n % 2 ? 'enabled' : 'disabled')
      await apiKeys.create({ workspaceId })
    }
    const all = (await made.select('select id, workspace_id from keepsend_audit order by id desc')).map(String)
    expect(all).toHaveLength(14)
    const { rows } = await audit.list('w1', { limit: 100 })
    expect(rows.map(({ workspaceId }) => workspaceId)).toEqual(Array(7).fill('w1'))
    expect(rows.map(({ id }) => id)).toEqual(
      rows
        .map(({ id }) => id)
        .toSorted()
        .toReversed(),
    )
    const paged = []
    for (let before: string | undefined, n = 0; n < 10; n++) {
      const page = await audit.list('w1', { limit: 2, before })
      paged.push(...page.rows)
      before = page.next
      if (before === undefined) break
    }
    expect(paged).toEqual(rows)
    expect(await audit.list('w1', { limit: 100, endpointId: ids[1] })).toEqual({
      rows: [],
      next: undefined,
      complete: true,
    })
    const ofOne = await audit.list('w1', { limit: 100, endpointId: ids[0], verb: 'endpoint.disable' })
    expect(ofOne.rows).toHaveLength(3)
    const newest = rows[0]!.at
    expect((await audit.list('w1', { limit: 100, since: newest + 1 })).rows).toEqual([])
    const oldest = rows.at(-1)!.at
    expect((await audit.list('w1', { limit: 100, until: oldest })).rows).toEqual([])
    expect((await audit.list('w1', { limit: 100, since: oldest, until: newest + 1 })).rows).toEqual(rows)
    expect((await audit.list('w1', { limit: 100, since: -1, until: 8.64e15 })).rows).toEqual(rows)
    expect((await audit.list(allWorkspaces, { limit: 100 })).rows).toHaveLength(14)
  })

  it('reads at most 2,000 rows a page that are compared one by one, and then goes on', async () => {
    const made = await rig()
    const digits = '(select 0 as d union all select 1 union all select 2 union all select 3 union all select 4)'
    const numbers = ['a', 'b', 'c', 'd', 'e'].map((name) => `${digits} as ${name}`).join(' cross join ')
    // 3,125 actions of an earlier time than the one that is looked for.
    await made.exec(`insert into keepsend_audit (id, at, workspace_id, verb)
      select 'aud_' || substr('${hexOf(Date.now())}', 1, 13) || '-' || a.d || b.d || c.d || d.d || e.d, 1, 'w1', 'endpoint.pause' from ${numbers}`)
    const first = await made.engine.audit.list('w1', { limit: 10, verb: 'endpoint.delete' })
    expect(first).toMatchObject({ rows: [], complete: false, next: expect.any(String) })
    const last = await made.engine.audit.list('w1', { limit: 10, verb: 'endpoint.delete', before: first.next })
    expect(last).toEqual({ rows: [], next: undefined, complete: true })
  })

  it('refuses a position, a verb or a time that it cannot have', async () => {
    const { engine } = await rig()
    const refused = [
      { before: 'evt_1' },
      { before: "aud_'" },
      { verb: 'endpoint.explode' as AuditVerb },
      { since: 0.5 },
      { limit: 0 },
      { limit: 1001 },
    ]
    for (const filter of refused) {
      await expect(engine.audit.list('w1', { limit: 1, ...filter }), JSON.stringify(filter)).rejects.toMatchObject({
        name: 'EngineError',
      })
    }
  })

  it('shows an action for 90 days, or for auditRetentionMs, and maintenance deletes it then', async () => {
    for (const auditRetentionMs of [undefined, 2 * DAY_MS]) {
      const made = await rig({ auditRetentionMs })
      const retentionMs = auditRetentionMs ?? 90 * DAY_MS
      for (const ageMs of [retentionMs + 60_000, retentionMs - 60_000]) {
        await made.exec(
          `insert into keepsend_audit (id, at, workspace_id, verb) values (?, 1, 'w1', 'endpoint.pause')`,
          `aud_${hexOf(Date.now() - ageMs)}-7000-8000-000000000000`,
        )
      }
      expect((await made.engine.audit.list('w1', { limit: 10 })).rows).toHaveLength(1)
      expect(await made.engine.worker.maintain()).toMatchObject({ deletedActions: 1, more: false })
      expect(await made.count('keepsend_audit')).toBe(1)
    }
  })

  it('reads the index of its workspace, or the primary key, and no other row', async () => {
    const asked: Statement[] = []
    const made = await rig({
      wrap: (db) => ({
        ...db,
        run: (statement) => (asked.push(statement), db.run(statement)),
        atomic: (statements) => (asked.push(...statements), db.atomic(statements)),
      }),
    })
    for (let n = 0; n < 20; n++) await made.engine.apiKeys.create({ workspaceId: `w${n % 2}` })
    const { dialect } = made.db
    const planOf = async (call: () => Promise<unknown>): Promise<string> => {
      asked.length = 0
      await call()
      const statement = asked.map((one) => toSql(one, dialect.name)).find(({ sql }) => sql.includes('keepsend_audit'))
      const explain = dialect.name === 'postgres' ? 'explain' : 'explain query plan'
      const { rows } = await made.db.run({ sql: `${explain} ${statement?.sql}`, params: statement?.params ?? [] })
      return rows.map((row) => Object.values(row).join(' ')).join('\n')
    }
    const { audit, worker } = made.engine
    const own = /keepsend_audit_workspace/
    const whole = dialect.name === 'postgres' ? /keepsend_audit_pkey/ : /PRIMARY KEY/
    const scan = /(Seq Scan on|SCAN) keepsend_audit/
    // Of the few rows of this table Postgres reads all to delete those that it has found by the key.
    const oldScan = /(Seq Scan on keepsend_audit|SCAN) old_action/
    const plans: [RegExp, () => Promise<unknown>, RegExp?][] = [
      [own, () => audit.list('w1', { limit: 5 })],
      [own, () => audit.list('w1', { limit: 5, verb: 'api_key.create', since: 1, until: 2 })],
      [whole, () => audit.list(allWorkspaces, { limit: 5 })],
      [whole, () => worker.maintain(), oldScan],
    ]
    for (const [index, call, never = scan] of plans) {
      const plan = await planOf(call)
      expect(plan).toMatch(index)
      expect(plan).not.toMatch(never)
    }
  })
})

it('the routes of the audit need its scope, and show no other workspace', async () => {
  const made = await api()
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'w1', scopes: ['endpoints:write'] })
  expect((await made.call('GET', '/audit', undefined, key)).status).toBe(403)
  const { body } = await read(made.call('GET', '/audit', undefined, made.keys.w2))
  expect(body['data']).toMatchObject([{ verb: 'api_key.create', by: null }])
})

/** The time at the beginning of a UUIDv7. */
function hexOf(ms: number): string {
  const hex = ms.toString(16).padStart(12, '0')
  return `${hex.slice(0, 8)}-${hex.slice(8)}`
}
