// The export of a workspace: what is in it, what is never in it, and how little it reads and holds meanwhile.
import { readFileSync } from 'node:fs'
import { type OutboxDatabase, toSql } from '@keepsend/outbox'
import { type Row, pendingEvents } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { createEngine } from '../src/index.ts'
import { apiKeyRows, auditRows, endpointRows } from '../src/lib/codecs.ts'
import { eventRows } from '../src/lib/events/recorded-events.ts'
import { EXPORT_KINDS, FIRST_POSITION, writePosition } from '../src/lib/export/export-position.ts'
import { attemptRows } from '../src/lib/history/attempt-list.ts'
import { portalLinkRows } from '../src/lib/portal-links/portal-link.ts'
import { problemRows } from '../src/lib/problems/endpoint-problem.ts'
import { replayRows } from '../src/lib/replays/replay-job.ts'
import { type Line, fullWorld, linesOf, rowsOf } from './exports.ts'
import { readsOf, recordedRig } from './plans.ts'
import { TEST_KEYS, type Rig, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'

/** Each table of the schema: the kind of line that has its rows, or why an export leaves them out. docs/export.md lists them. */
const TABLES: Record<string, { kind?: string; omitted?: string }> = {
  pending_events: { kind: 'delivery' },
  keepsend_payloads: { kind: 'event' },
  keepsend_endpoints: { kind: 'endpoint' },
  keepsend_api_keys: { kind: 'api_key' },
  keepsend_portal_links: { kind: 'portal_link' },
  keepsend_events: { kind: 'event' },
  keepsend_attempts: { kind: 'attempt' },
  keepsend_problems: { kind: 'problem' },
  keepsend_replays: { kind: 'replay' },
  keepsend_audit: { kind: 'audit' },
  keepsend_workspaces: { kind: 'workspace' },
  keepsend_secrets: { omitted: 'secrets' },
  keepsend_subscriptions: { omitted: 'an index of `eventTypes` and `channels`' },
  keepsend_event_search: { omitted: 'an index of `searchValues`' },
  keepsend_idempotency_records: { omitted: 'answers to requests' },
  keepsend_idempotency_marks: { omitted: 'requests in flight' },
  keepsend_notifications: { omitted: 'the last minute' },
  keepsend_erasures: { omitted: 'erasures' },
  keepsend_statistics: { omitted: 'sums' },
  keepsend_statistics_passes: { omitted: 'of no workspace' },
  keepsend_workers: { omitted: 'of no workspace' },
  keepsend_sweep_pass: { omitted: 'of no workspace' },
}

async function tablesOf({ db }: Rig): Promise<string[]> {
  const { rows } = await db.run<{ name: string }>({
    sql: onPostgres
      ? `select relname as "name" from pg_class where relkind in ('r', 'p') and not relispartition
         and relnamespace = cast(current_schema as regnamespace)`
      : `select name as "name" from sqlite_schema where type = 'table' and name not like 'sqlite_%'`,
    params: [],
  })
  // The host's own tables, and the migrations that were applied.
  return rows.map(({ name }) => name).filter((name) => !/^messages$|migrations$/.test(name))
}

describe('an export', () => {
  it('has a kind of line for each table, or a reason in its docs why not', async () => {
    const made = await fullWorld()
    expect((await tablesOf(made)).toSorted()).toEqual(Object.keys(TABLES).toSorted())
    const lines = await linesOf(made.engine, 'w1')
    const docs = readFileSync(new URL('../../../docs/export.md', import.meta.url), 'utf8')
    for (const [table, { kind, omitted = `\`${kind}\`` }] of Object.entries(TABLES))
      expect(docs, table).toMatch(new RegExp(`\`${table}\`.*${omitted}`))
    const kinds = new Set(Object.values(TABLES).flatMap(({ kind = [] }) => kind))
    expect(kinds).toEqual(new Set(EXPORT_KINDS))
    for (const kind of EXPORT_KINDS) expect(rowsOf(lines, kind), kind).not.toEqual([])
  })

  it('has every row of the workspace, as its table has it, and none of another', async () => {
    const made = await fullWorld()
    const lines = await linesOf(made.engine, 'w1')
    const stored = async (select: string, table: string, toRow: (row: Row) => object, by = 'workspace_id') =>
      (await made.select(`select ${select} from ${table} as stored where ${by} = 'w1'`)).map(toRow)
    const same = (kind: string, expected: object[]) => {
      expect(expected.length, kind).toBeGreaterThan(0)
      const exported = rowsOf(lines, kind)
      expect(exported, kind).toHaveLength(expected.length)
      expect(exported, kind).toEqual(expect.arrayContaining(expected))
    }
    const deliveries = await stored(pendingEvents.except(['payload']).sql, 'pending_events', (row) =>
      pendingEvents.read(row),
    )
    same(
      'delivery',
      deliveries.map((row) => ({ ...row, payload: null })),
    )
    same(
      'event',
      await stored(
        `${eventRows.except(['payloadId', 'copies']).sql}, (select payload from keepsend_payloads as p where p.id = stored.payload_id) as "payload"`,
        'keepsend_events',
        (row) => eventRows.read(row),
      ),
    )
    same('attempt', await stored(attemptRows.all.sql, 'keepsend_attempts', (row) => attemptRows.read(row)))
    same('audit', await stored(auditRows.all.sql, 'keepsend_audit', (row) => auditRows.read(row)))
    same(
      'api_key',
      await stored(apiKeyRows.except(['keyHash', 'workspaceId']).sql, 'keepsend_api_keys', (row) =>
        apiKeyRows.read(row),
      ),
    )
    const shown = portalLinkRows.except(['tokenHash', 'usesLeft', 'revokedAt'])
    const links = await stored(shown.sql, 'keepsend_portal_links', (row) => portalLinkRows.read(row))
    same(
      'portal_link',
      links.map((row) => expect.objectContaining(row) as object),
    )
    const problems = await stored(problemRows.all.sql, 'keepsend_problems', (row) => problemRows.read(row))
    same(
      'problem',
      problems.map((row) => expect.objectContaining(row) as object),
    )
    same(
      'workspace',
      await stored(
        `id as "id", attempts_ms as "attemptsMs", bodies_ms as "bodiesMs"`,
        'keepsend_workspaces',
        (row) => row,
        'id',
      ),
    )
    const ofJob = [
      'id',
      'workspaceId',
      'endpointId',
      'what',
      'selection',
      'rate',
      'state',
      'createdAt',
      'endedAt',
    ] as const
    const jobs = await stored(replayRows.some('stored', ofJob).sql, 'keepsend_replays', (row) => replayRows.read(row))
    same(
      'replay',
      jobs.map((row) => expect.objectContaining(row) as object),
    )
    const ofEndpoint = [
      'id',
      'workspaceId',
      'url',
      'status',
      'eventTypes',
      'channels',
      'filter',
      'pausedUntil',
      'metadata',
    ] as const
    const endpoints = await stored(endpointRows.some('stored', ofEndpoint).sql, 'keepsend_endpoints', (row) =>
      endpointRows.read(row),
    )
    same(
      'endpoint',
      endpoints.map((row) => expect.objectContaining(row) as object),
    )
    expect(lines.at(-1)).toEqual({
      kind: 'end',
      counts: Object.fromEntries(EXPORT_KINDS.map((kind) => [kind, rowsOf(lines, kind).length])),
    })
    expect(JSON.stringify(lines)).not.toMatch(/w2/)
  })

  it('has no secret, no credential, no header value, no API key and no hash of one', async () => {
    const made = await fullWorld()
    const text = JSON.stringify(await linesOf(made.engine, 'w1'))
    const hashes = await made.select(
      'select key_hash as hash from keepsend_api_keys union all select token_hash from keepsend_portal_links union all select secret from keepsend_secrets',
    )
    for (const secret of [...made.secrets, ...hashes.map(({ hash }) => String(hash))])
      expect(text).not.toContain(secret)
    expect(made.secrets).toHaveLength(10)
  })

  it('has the payload with each delivery where events are not recorded, wherever it is stored', async () => {
    const made = await rig()
    for (let n = 0; n < 4; n++) await made.addEndpoint()
    await made.engine.publish({ type: 'long', workspaceId: 'w1', data: { text: 'x'.repeat(3000) } })
    await made.engine.publish({ type: 'short', workspaceId: 'w1', data: {} })
    const stored = (await made.rows()).map(({ id, payload }) => ({ id, payload }))
    expect(stored).toHaveLength(8)
    const lines = await linesOf(made.engine, 'w1')
    expect(rowsOf(lines, 'delivery').map(({ id, payload }) => ({ id, payload }))).toEqual(stored.toReversed())
  })

  it('has what an engine with history recorded, after it is off too', async () => {
    const made = await fullWorld()
    const off = createEngine({ db: made.db, queue: { async send() {} }, secrets: TEST_KEYS, logger: made.log })
    const [on, later] = [await linesOf(made.engine, 'w1'), await linesOf(off, 'w1')]
    expect(later).toEqual(on)
  })

  it('of a time has its events, deliveries, attempts, problems, replays and actions, and every endpoint, key and link', async () => {
    const made = await fullWorld()
    const all = await linesOf(made.engine, 'w1')
    const before = await linesOf(made.engine, 'w1', { until: 1000 })
    const whole = ['workspace', 'endpoint', 'api_key', 'portal_link']
    for (const kind of EXPORT_KINDS)
      expect(rowsOf(before, kind), kind).toEqual(whole.includes(kind) ? rowsOf(all, kind) : [])
    expect(await linesOf(made.engine, 'w1', { since: 1000, until: Date.now() + 60_000 })).toEqual(all)
    const after = await linesOf(made.engine, 'w1', { since: Date.now() + 60_000 })
    expect(after.filter(({ kind }) => kind !== 'cursor')).toEqual(before.filter(({ kind }) => kind !== 'cursor'))
  })

  it('continues behind each of its cursors, and counts what came before', async () => {
    const { engine } = await fullWorld()
    const lines = await linesOf(engine, 'w1')
    const cursors = [...lines.entries()].filter(([, { kind }]) => kind === 'cursor')
    expect(cursors).toHaveLength(EXPORT_KINDS.length - 1)
    for (const [at, { after }] of cursors)
      expect(await linesOf(engine, 'w1', { after: String(after) })).toEqual(lines.slice(at + 1))
  })

  it('of a workspace without rows is its last line', async () => {
    const { engine } = await rig()
    expect((await linesOf(engine, 'nobody')).filter(({ kind }) => kind !== 'cursor')).toEqual([
      { kind: 'end', counts: FIRST_POSITION.counts },
    ])
  })

  it('refuses bad input before it reads', async () => {
    const { engine, statements } = await recordedRig()
    statements()
    const good = writePosition({ ...FIRST_POSITION, kind: 'event' })
    for (const after of ['', 'x', good.slice(1), `${good}A`, `${good}=`, '\0', 'x'.repeat(2000), btoa('event  0')])
      expect(() => engine.export('w1', { after }), after).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    expect(() => engine.export('')).toThrow(expect.objectContaining({ code: 'invalid_request' }))
    expect(() => engine.export('w1', { until: NaN })).toThrow(expect.objectContaining({ code: 'invalid_option' }))
    expect(() => engine.export('w1', { sice: 1 } as object)).toThrow(
      expect.objectContaining({ code: 'invalid_option' }),
    )
    expect(statements()).toEqual([])
  })
})

const PADDED = onPostgres ? `lpad(cast(n as text), 12, '0')` : `printf('%012d', n)`
const upTo = (count: number) =>
  `with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${count})`

/** Rows of a workspace without history: `count` deliveries that failed. */
async function failures(made: Rig, count: number, workspaceId = 'w1'): Promise<void> {
  await made.exec(`
    insert into pending_events (id, workspace_id, event_type, endpoint_id, status, created_at, completed_at, last_error, payload)
    ${upTo(count)} select 'evt_01910000-0000-7000-8000-' || ${PADDED} || '.ep_${workspaceId}', '${workspaceId}', 'a', 'ep_${workspaceId}', 'failed', 1, 1, 'HTTP 400', '{}' from numbers`)
}

describe('an export with many pages', () => {
  it('has each row once, and reads a page by three statements at most', async () => {
    const made = await recordedRig({ history: true })
    await failures(made, 170)
    await failures(made, 60, 'w2')
    made.statements()
    let lines: Line[] = []
    const most: number[] = []
    const seen: unknown[] = []
    for await (const text of made.engine.export('w1')) {
      const line = JSON.parse(text) as Line
      lines.push(line)
      if (line.kind !== 'cursor' && line.kind !== 'end') continue
      most.push(made.statements().length)
      seen.push(...rowsOf(lines, 'delivery').map(({ id }) => id))
      expect(lines.length).toBeLessThanOrEqual(201)
      lines = []
    }
    expect(new Set(seen).size).toBe(170)
    expect(seen).toHaveLength(170)
    // Three pages more than one a kind.
    expect(most).toHaveLength(EXPORT_KINDS.length + 3)
    expect(Math.max(...most)).toBeLessThanOrEqual(3)
  })

  it('reads nothing until a line is asked for, and no page before the one before is taken', async () => {
    const made = await recordedRig()
    await failures(made, 170)
    made.statements()
    const lines = made.engine.export('w1')
    expect(made.statements()).toEqual([])
    let line: Line | undefined
    while (line?.kind !== 'delivery') line = JSON.parse((await lines.next()).value ?? '') as Line
    made.statements()
    for (let taken = 1; taken < 50; taken++)
      expect(JSON.parse((await lines.next()).value ?? '')).toMatchObject({ kind: 'delivery' })
    expect(JSON.parse((await lines.next()).value ?? '')).toMatchObject({ kind: 'cursor' })
    expect(made.statements()).toEqual([])
    await lines.next()
    expect(made.statements()).not.toEqual([])
    await lines.return()
    expect(await lines.next()).toEqual({ done: true, value: undefined })
  })

  it('loses no delivery that is delivered meanwhile: it is in one page or another, as a delivery or as an attempt', async () => {
    const made = await rig({ history: true })
    const { id: endpointId } = await made.addEndpoint()
    const expected = new Set<string>()
    for (let n = 0; n < 130; n++)
      expected.add(
        `${(await made.engine.publish({ type: 'a', workspaceId: 'w1', data: { n } })).eventId}.${endpointId}`,
      )
    const lines: Line[] = []
    for await (const text of made.engine.export('w1')) {
      const line = JSON.parse(text) as Line
      lines.push(line)
      // In flight while the second page is read, and delivered before the third.
      if (line.kind === 'delivery' && rowsOf(lines, 'delivery').length === 50) await made.work({ limit: 1000 })
    }
    expect(rowsOf(lines, 'delivery')).toHaveLength(50)
    expect(
      new Set([
        ...rowsOf(lines, 'delivery').map(({ id }) => id),
        ...rowsOf(lines, 'attempt').map((row) => row['deliveryId']),
      ]),
    ).toEqual(expected)
    expect(rowsOf(lines, 'event')).toHaveLength(130)
  })

  it('reads events and problems by the index of their workspace, and no row of another', async () => {
    const made = await recordedRig({ history: true })
    for (const [workspaceId, count] of [
      ['w0', 3000],
      ['w1', 60],
      ['w2', 3000],
    ] as const) {
      await made.exec(`
        insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
        ${upTo(count)} select 'evt_01910000-0000-7000-8000-' || ${PADDED}, '${workspaceId}', 'a', '[]', 1, 0, 0 from numbers`)
      await made.exec(`
        insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at,
          last_seen_at, attempts, deliveries, last_error, last_delivery_id)
        ${upTo(count)} select 'ep_${workspaceId}' || ${PADDED}, 'other', 400, '${workspaceId}', 1, 1, n, 1, 1, 'x', 'evt_1' from numbers`)
    }
    made.statements()
    expect((await linesOf(made.engine, 'w1')).at(-1)).toMatchObject({ counts: { event: 60, problem: 60 } })
    const of = { postgres: /^keepsend_(events|problems)/, sqlite: /^(SCAN|SEARCH) (problem|keepsend_events)\b/ }
    const reads = []
    for (const statement of made.statements().filter(({ sql }) => /keepsend_(events|problems) /.test(sql)))
      reads.push(...(await readsOf(made.db, statement, of)).filter(({ rows }) => rows > 0 || !onPostgres))
    expect(reads.length).toBeGreaterThanOrEqual(3)
    for (const { by, rows } of reads) {
      expect(by).toMatch(/keepsend_(events|problems)_workspace/)
      expect(rows).toBeLessThanOrEqual(200)
    }
  })

  it('has rows in flight beside thousands of others that wait', async () => {
    const made = await rig()
    await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await failures(made, 2500, 'w2')
    await made.exec(
      `update pending_events set status = 'pending', due_at = 2, completed_at = null where workspace_id = 'w2'`,
    )
    // As a claim leaves it.
    await made.exec(
      `update pending_events set ready = 0, claimed_at = 3, due_at = 9000000000000 where workspace_id = 'w1'`,
    )
    expect((await made.engine.deliveries.list('w1', { limit: 10 })).rows).toEqual([])
    expect(rowsOf(await linesOf(made.engine, 'w1'), 'delivery')).toHaveLength(1)
  })

  it('has each problem, also one that fails again while they are read', async () => {
    const made = await rig({ history: true })
    const { id } = await made.addEndpoint()
    for (let status = 100; status < 350; status++)
      await made.exec(`
        insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state_since, first_seen_at,
          last_seen_at, attempts, deliveries, last_error, last_delivery_id)
        values ('${id}', 'other', ${status}, 'w1', 1, 1, ${1000 + status}, 1, 1, 'x', 'evt_1')`)
    const lines: Line[] = []
    for await (const text of made.engine.export('w1')) {
      lines.push(JSON.parse(text) as Line)
      // The last but one moves to the end, and so does the first.
      if (rowsOf(lines, 'problem').length === 200)
        await made.exec(`update keepsend_problems set last_seen_at = 5000 where http_status in (100, 348)`)
    }
    const statuses = rowsOf(lines, 'problem').map((row) => row['httpStatus'])
    expect(new Set(statuses).size).toBe(250)
    expect(statuses).toHaveLength(251)
  })
})

/** The API without the comparison of every answer with the document, which would read each stream to its end. */
async function served(made: Rig) {
  const { key } = await made.engine.apiKeys.create({ workspaceId: 'ops', scopes: ['workspaces:export'] })
  const { routes } = createEngine({ db: made.db, queue: { async send() {} }, secrets: TEST_KEYS, logger: made.log })
  return (path: string) => routes.request(path, { headers: { authorization: `Bearer ${key}` } })
}

describe('GET /workspaces/{id}/export', () => {
  it('answers the lines of the export, of any workspace, to a key with workspaces:export', async () => {
    const { engine, call } = await api()
    const { key } = await engine.apiKeys.create({ workspaceId: 'ops', scopes: ['workspaces:export'] })
    for (const workspaceId of ['w1', 'nobody', 'a/b ü', 'x'.repeat(255)]) {
      const answer = await call('GET', `/workspaces/${encodeURIComponent(workspaceId)}/export`, undefined, key)
      expect([answer.status, answer.headers.get('content-type')]).toEqual([200, 'application/x-ndjson'])
      const text = await answer.text()
      expect(text.endsWith('\n')).toBe(true)
      expect(
        text
          .trim()
          .split('\n')
          .map((line) => JSON.parse(line) as Line),
      ).toEqual(await linesOf(engine, workspaceId))
    }
  })

  it('is forbidden to every other key, of the workspace or not, whether there is such a workspace or not', async () => {
    const { call, engine } = await api()
    const { key } = await engine.apiKeys.create({ workspaceId: 'w1', scopes: ['workspaces:read'] })
    for (const id of ['w1', 'w2', 'nobody'])
      for (const credential of [undefined, key])
        expect(await read(call('GET', `/workspaces/${id}/export`, undefined, credential))).toMatchObject(
          problem(403, 'forbidden'),
        )
  })

  it('takes times and a cursor, and refuses what is none with a problem', async () => {
    const made = await rig()
    const get = await served(made)
    const path = '/workspaces/w1/export'
    for (const query of ['?after=x', '?since=yesterday', '?limit=1', `?after=${'x'.repeat(1001)}`])
      expect(await read(get(path + query)), query).toMatchObject(problem(400, 'invalid_request'))
    const after = writePosition({ ...FIRST_POSITION, kind: 'audit' })
    const answer = await get(`${path}?after=${after}&until=2020-01-01T00:00:00Z&since=2019-01-01T00:00:00Z`)
    expect(await answer.json()).toEqual({ kind: 'end', counts: FIRST_POSITION.counts })
  })

  it('reads no further than its client does, and ends when the client goes away', async () => {
    const made = await recordedRig()
    await failures(made, 500)
    const get = await served(made)
    const { body } = await get('/workspaces/w1/export')
    const reader = body?.getReader()
    const decoder = new TextDecoder()
    let text = ''
    while (!text.includes('"kind":"delivery"')) text += decoder.decode((await reader?.read())?.value)
    made.statements()
    await new Promise((later) => setImmediate(later))
    expect(made.statements()).toEqual([])
    await reader?.cancel()
    await new Promise((later) => setImmediate(later))
    expect(made.statements()).toEqual([])
  })

  it('ends with a line of kind error, without the error’s text, when a read fails; in code the error is thrown', async () => {
    let fails = /^nothing/
    const wrap = (direct: OutboxDatabase): OutboxDatabase => ({
      ...direct,
      run: (statement) =>
        fails.test(toSql(statement, direct.dialect.name).sql)
          ? Promise.reject(new Error('disk I/O error of /secret'))
          : direct.run(statement),
    })
    const made = await rig({ wrap })
    await failures(made, 170)
    const get = await served(made)
    fails = /keepsend_audit/
    const answer = await get('/workspaces/w1/export')
    const lines = (await answer.text())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as Line)
    expect(lines.at(-1)).toEqual({ kind: 'error', code: 'internal' })
    expect(made.log.entries.at(-1)).toMatchObject({ level: 'error', message: 'an export ended early' })
    await expect(linesOf(made.engine, 'w1')).rejects.toThrow('disk I/O error')
    // Before the first line the answer is a problem.
    fails = /keepsend_workspaces/
    expect(await read(get('/workspaces/w1/export'))).toMatchObject({ status: 500, body: { code: 'internal' } })
  })
})
