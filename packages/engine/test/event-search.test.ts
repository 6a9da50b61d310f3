// Events are found by values in their payloads: recorded with each event, however it is published, listed, and deleted with it. On
// each database.
import { newEventId } from '@keepsend/outbox'
import { firstEventIdAt } from '@keepsend/outbox/internal'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type EngineOptions, allWorkspaces, insertQueuedEvent } from '../src/index.ts'
import { cleanupEvents } from '../src/lib/history/event-retention.ts'
import { idsOf, pages } from './pages.ts'
import { recordedRig } from './plans.ts'
import { type Rig, rig } from './rig.ts'
import { api, problem, read } from './routes.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const PATHS = ['data.order.id', 'data.n']
const EVENT = { type: 'order.paid', workspaceId: 'w1', data: { order: { id: 'ord_1' }, n: 7 } }
const ON = { history: { search: PATHS } } satisfies Partial<EngineOptions>

const searching = (options: Parameters<typeof rig>[0] = {}): Promise<Rig> => rig({ ...ON, ...options })

const TRACE_ID = '4bf92f3577b34da6a3ce929d0e0e4736'
const YESTERDAY = Date.now() - 86_400_000
const idAt = (ms: number): string => firstEventIdAt(ms) + newEventId().slice(17)

/** The values that are stored, as `path=value` of an event of a workspace. */
async function values({ select }: Pick<Rig, 'select'>): Promise<string[]> {
  const rows = await select(
    `select path || '=' || value || ' ' || event_id || ' ' || workspace_id as "value" from keepsend_event_search`,
  )
  return rows.map(({ value }) => value as string).sort()
}
const both = (id: string, of = 'w1'): string[] => [`data.n=7 ${id} ${of}`, `data.order.id=ord_1 ${id} ${of}`]

/** The ids of all events that are found, in their order. */
const found = async (
  { engine }: Pick<Rig, 'engine'>,
  search: { path: string; value?: string; prefix?: string },
  limit = 100,
) => idsOf(await pages((before) => engine.events.list('w1', { limit, before, search })))

describe('the values of an event are recorded with it', () => {
  it('by publish, to no endpoint and to many, and by POST /events', async () => {
    const made = await api(ON)
    const first = await made.engine.publish(EVENT)
    for (let n = 0; n < 5; n++) await made.addEndpoint()
    const second = await made.engine.publish(EVENT)
    const { body } = await read(made.call('POST', '/events', '{"type":"a","data":{"n":9007199254740993}}'))
    expect(await values(made)).toEqual(
      [...both(first.eventId), ...both(second.eventId), `data.n=9007199254740993 ${String(body['id'])} w1`].sort(),
    )
    expect(await found(made, { path: 'data.n', value: '9007199254740993' })).toEqual([body['id']])
    expect(await found(made, { path: 'data.n', value: '9007199254740992' })).toEqual([])
    expect(await found(made, { path: 'data.order.id', value: 'ord_1' })).toEqual([second.eventId, first.eventId])
  })

  it('by commit, with the writes of the host, or not at all', async () => {
    const made = await searching()
    const writes = [{ sql: `insert into messages (id, text) values ('m1', 'hi')`, params: [] }]
    const commit = () => made.engine.commit({ writes, events: [EVENT, { ...EVENT, workspaceId: 'w2' }] })
    const { eventIds } = await commit()
    const after = [...both(eventIds[0] ?? ''), ...both(eventIds[1] ?? '', 'w2')].sort()
    expect(await values(made)).toEqual(after)
    await expect(commit()).rejects.toThrow(/messages/)
    expect(await values(made)).toEqual(after)
  })

  it('by the statements of publishStatements, in the transaction of the host', async () => {
    const made = await searching()
    const id = newEventId()
    const statements = made.engine.publishStatements({ ...EVENT, id })
    expect(statements).toHaveLength(onPostgres ? 1 : 4)
    const failing = { sql: 'insert into messages (id, text) values (null, null)', params: [] }
    await expect(made.db.atomic([...statements, failing])).rejects.toThrow()
    expect(await values(made)).toEqual([])
    await made.db.atomic(statements)
    expect(await values(made)).toEqual(both(id))
  })

  it('from a message of the queue, and by publishTest', async () => {
    const made = await rig({ history: { search: ['data.order.id', 'data.message'] } })
    const { id: endpointId } = await made.addEndpoint()
    const message = { ...EVENT, eventId: newEventId(), timestamp: '2026-11-23T12:00:00Z' }
    const { recordsEvents, searchPaths } = made.engine
    for (let n = 0; n < 3; n++)
      await insertQueuedEvent({ db: made.db, rowsStart: 'now', recordsEvents, searchPaths }, message)
    const { eventId } = await made.engine.publishTest('w1', endpointId)
    expect(await values(made)).toEqual([
      `data.message=This is a test event. ${eventId} w1`,
      `data.order.id=ord_1 ${message.eventId} w1`,
    ])
  })

  it('of a raw body that is JSON, and none of another', async () => {
    const made = await searching()
    const publish = (body: string) =>
      made.engine.publish({ type: 'a.b', workspaceId: 'w1', raw: { body, contentType: 'application/json' } })
    const { eventId } = await publish('{"data":{"n":1.0}}')
    await publish('{"data":{"n":2')
    expect(await values(made)).toEqual([`data.n=1.0 ${eventId} w1`])
  })

  it('once: a later publish of the event changes none, also concurrently', async () => {
    const made = await searching()
    const id = newEventId()
    const others = [1, 2, 3, 4].map((n) => ({ ...EVENT, id, data: { order: { id: `ord_${n}` }, n } }))
    await Promise.all(others.map((other) => made.engine.publish(other)))
    const { payload } = await made.engine.events.get('w1', id)
    const { n } = (JSON.parse(payload ?? '') as typeof EVENT).data
    expect(await values(made)).toEqual([`data.n=${n} ${id} w1`, `data.order.id=ord_${n} ${id} w1`])
    await made.engine.publish({ ...EVENT, id, workspaceId: 'w2' })
    expect((await values(made)).filter((value) => value.endsWith('w2'))).toEqual(both(id, 'w2'))
  })

  it('under keys and values that need quotes', async () => {
    const path = `data.a"b'c\\d é🦊`
    const made = await rig({ history: { search: [path] } })
    const value = `"'\\%_ \n é🦊`
    const { eventId } = await made.engine.publish({ ...EVENT, data: { [path.slice(5)]: value } })
    expect(await values(made)).toEqual([`${path}=${value} ${eventId} w1`])
    expect(await found(made, { path, value })).toEqual([eventId])
  })

  it.each<[string, EngineOptions['history']]>([
    ['without the option', true],
    ['with no such value', { search: ['data.other'] }],
  ])('and cost no statement %s', async (_when, history) => {
    const made = await recordedRig({ history })
    await made.addEndpoint()
    made.statements()
    await made.engine.publish(EVENT)
    const ran = made.statements()
    expect(ran.filter(({ sql }) => sql.includes('into keepsend_events'))).toHaveLength(1)
    expect(ran.filter(({ sql }) => sql.includes('search'))).toEqual([])
    expect(await values(made)).toEqual([])
  })
})

describe('a search', () => {
  it('has the counts of each event, and compares type, trace and time', async () => {
    const made = await searching({ answer: () => 400, retrySchedule: [] })
    await made.addEndpoint()
    const ids = [1000, 2000, 3000].map((ms) => idAt(YESTERDAY + ms))
    for (const [n, id] of ids.entries())
      await made.engine.publish({
        ...EVENT,
        id,
        ...(n === 1 && { type: 'other', traceparent: `00-${TRACE_ID}-00f067aa0ba902b7-01` }),
      })
    await made.engine.publish({ ...EVENT, workspaceId: 'w2' })
    await made.work()
    const list = async (filter: object) =>
      (await made.engine.events.list('w1', { limit: 10, search: { path: 'data.n', value: '7' }, ...filter })).rows
    expect(await list({})).toMatchObject(
      ids.toReversed().map((id) => ({ id, workspaceId: 'w1', pending: 0, held: 0, completed: 0, failed: 1 })),
    )
    for (const search of [
      { path: 'data.n', value: '7' },
      { path: 'data.n', prefix: '', value: undefined },
    ]) {
      expect(await list({ search, type: 'other' })).toMatchObject([{ id: ids[1] }])
      expect(await list({ search, traceId: TRACE_ID })).toMatchObject([{ id: ids[1], traceId: TRACE_ID }])
      expect(await list({ search, since: YESTERDAY + 2000 })).toMatchObject([{ id: ids[2] }, { id: ids[1] }])
      expect(await list({ search, until: YESTERDAY + 2000 })).toMatchObject([{ id: ids[0] }])
      expect(await list({ search, since: YESTERDAY + 2000, until: YESTERDAY + 3000, type: EVENT.type })).toEqual([])
    }
  })

  it('reads at most 2,000 values a page if it leaves some out, and goes on', async () => {
    const made = await searching()
    const rows = 2500
    const numbers = onPostgres
      ? `generate_series(1, ${rows}) as numbers (n)`
      : `(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < ${rows}) select n from numbers)`
    const id = onPostgres
      ? `'${firstEventIdAt(YESTERDAY)}-7000-8000-' || lpad(n::text, 12, '0')`
      : `printf('${firstEventIdAt(YESTERDAY)}-7000-8000-%012d', n)`
    await made.exec(`
      insert into keepsend_events (id, workspace_id, event_type, channels, created_at, deliveries, payload_id)
      select ${id}, 'w1', case when n = 1 then 'rare' else 'usual' end, '[]', 1, 0, n from ${numbers}`)
    await made.exec(`
      insert into keepsend_event_search (workspace_id, path, value, event_id) select 'w1', 'data.n', 'same', ${id} from ${numbers}`)
    for (const search of [
      { path: 'data.n', value: 'same' },
      { path: 'data.n', prefix: 'sa' },
    ]) {
      const all = await pages((before) => made.engine.events.list('w1', { limit: 5, before, type: 'rare', search }))
      expect(all.map(({ rows: of, complete }) => [of.length, complete])).toEqual([
        [0, false],
        [1, true],
      ])
    }
  })

  it('ends a page after the event with which it has counted 2,000 deliveries', async () => {
    const made = await searching()
    for (let n = 0; n < 3; n++) await made.engine.publish(EVENT)
    await made.exec('update keepsend_events set deliveries = 1000')
    const search = { path: 'data.n', value: '7' }
    const { rows, complete, next } = await made.engine.events.list('w1', { limit: 3, search })
    expect([rows.length, complete, next]).toEqual([2, false, rows[1]?.id])
    expect(await found(made, search, 3)).toHaveLength(3)
  })

  it('finds what a naive filter finds, page by page, in the order of values and of events', async () => {
    const made = await rig({ history: { search: ['data.v'] } })
    const character = fc.constantFrom(
      'a',
      'b',
      '%',
      '_',
      `'`,
      '"',
      '\\',
      '*',
      '🦊',
      '\u{10ffff}',
      '\ud7ff',
      '\ue000',
      'é',
      '\ufeff',
    )
    const text = fc.string({ unit: character, maxLength: 4 })
    const stored = fc.sample(text, { numRuns: 150, seed: 1 })
    const events: { id: string; v: string }[] = []
    for (const v of [...stored, '', '', '\u{10ffff}\u{10ffff}']) {
      const { eventId } = await made.engine.publish({ type: 'a', workspaceId: 'w1', data: { v } })
      await made.engine.publish({ type: 'a', workspaceId: 'w2', data: { v } })
      events.push({ id: eventId, v })
    }
    const inOrder = (of: typeof events) =>
      of.toSorted(
        (one, other) => Buffer.compare(Buffer.from(other.v), Buffer.from(one.v)) || (one.id < other.id ? 1 : -1),
      )
    let matches = 0
    await fc.assert(
      fc.asyncProperty(
        fc.oneof(text, fc.constantFrom(...stored)),
        fc.integer({ min: 1, max: 200 }),
        async (searched, limit) => {
          const own = inOrder(events.filter(({ v }) => v.startsWith(searched))).map(({ id }) => id)
          matches += own.length
          expect(
            await found(made, { path: 'data.v', prefix: searched }, limit > 20 ? limit : Math.max(limit, 4)),
          ).toEqual(own)
          const same = inOrder(events.filter(({ v }) => v === searched)).map(({ id }) => id)
          expect(await found(made, { path: 'data.v', value: searched }, limit)).toEqual(same)
        },
      ),
      { numRuns: 100 },
    )
    expect(matches).toBeGreaterThan(100)
  }, 60_000)

  it.each([
    [
      'for a path that is not declared',
      { path: 'data.x', value: '1' },
      'invalid_request',
      'one of history.search (data.order.id, data.n); found "data.x"',
    ],
    ['for nothing', { path: 'data.n' }, 'invalid_request', 'either value or prefix; found neither'],
    ['for a value and a prefix', { path: 'data.n', value: '1', prefix: '' }, 'invalid_request', 'found both'],
    ['for a long value', { path: 'data.n', value: 'x'.repeat(201) }, 'invalid_request', 'at most 200 characters'],
    ['for half a character', { path: 'data.n', prefix: '\ud800' }, 'invalid_request', 'well-formed'],
    ['for a NUL', { path: 'data.n', value: '\0' }, 'invalid_request', 'NUL'],
  ])('is refused %s', async (_what, search, code, message) => {
    const { engine } = await searching()
    await expect(engine.events.list('w1', { limit: 1, search })).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message) as string,
    })
  })

  it('is refused across all workspaces, with a position of another list, and without history.search', async () => {
    const { engine } = await searching()
    const search = { path: 'data.n', prefix: '7' }
    await expect(engine.events.list(allWorkspaces, { limit: 1, search })).rejects.toMatchObject({
      code: 'invalid_request',
    })
    // Without a value, no base64, a NUL, a half character, and a value without the prefix.
    for (const before of ['', '.a', '.AA', '.N8A', '.OTk'].map((value) => `${newEventId()}${value}`))
      await expect(engine.events.list('w1', { limit: 1, search, before })).rejects.toMatchObject({
        code: 'invalid_request',
      })
    for (const history of [true, false, { events: false }]) {
      const without = await rig({ history })
      await expect(without.engine.events.list('w1', { limit: 1, search })).rejects.toMatchObject({
        code: 'not_retained',
      })
    }
  })
})

describe('GET /events', () => {
  it('finds events by a value and by a prefix, with a cursor, and none of another workspace', async () => {
    const made = await api(ON)
    const ids: string[] = []
    for (const id of ['ord_1', 'ord_2', 'ord_2', '🦊'.repeat(100)])
      ids.unshift((await made.engine.publish({ ...EVENT, data: { order: { id } } })).eventId)
    const get = async (query: string, key = made.keys.w1) =>
      (await read(made.call('GET', `/events?searchPath=data.order.id&${query}`, undefined, key))).body
    expect(await get('searchValue=ord_2')).toMatchObject({ data: [{ id: ids[1] }, { id: ids[2] }] })
    expect(await get('searchValue=ord_2', made.keys.w2)).toEqual({ data: [] })
    expect(await get('searchPrefix=', made.keys.w2)).toEqual({ data: [] })
    const walked: unknown[] = []
    let cursor = ''
    do {
      const page = await get(`searchPrefix=&limit=1${cursor}`)
      walked.push(...(page['data'] as { id: string }[]).map(({ id }) => id))
      cursor = page['cursor'] === undefined ? '' : `&cursor=${encodeURIComponent(page['cursor'] as string)}`
      expect(await get(`searchPrefix=${cursor}`, made.keys.w2)).toEqual({ data: [] })
    } while (cursor !== '')
    expect(walked).toEqual(ids)
  })

  it.each([
    ['searchPath=data.x&searchValue=1', 400, 'invalid_request'],
    ['searchPath=data.n', 400, 'invalid_request'],
    ['searchValue=1', 400, 'invalid_request'],
    ['searchPrefix=1', 400, 'invalid_request'],
    ['searchPath=data.n&searchValue=1&searchPrefix=1', 400, 'invalid_request'],
    ['searchPath=data.n&searchValue=%00', 400, 'invalid_request'],
    [`searchPath=data.n&searchValue=${'x'.repeat(201)}`, 400, 'invalid_request'],
    ['searchPath=data.n&searchPrefix=1&cursor=ZXZ0XzE', 400, 'invalid_request'],
  ])('answers %s with %i', async (query, status, code) => {
    const made = await api(ON)
    expect(await read(made.call('GET', `/events?${query}`))).toEqual(problem(status, code))
  })

  it('names the declared paths, and is 404 without any', async () => {
    const made = await api(ON)
    const { body } = await read(made.call('GET', '/events?searchPath=data.x&searchValue=1'))
    expect(body['detail']).toContain('data.order.id, data.n')
    const without = await api({ history: true })
    expect(await read(without.call('GET', '/events?searchPath=data.n&searchValue=1'))).toEqual(
      problem(404, 'not_retained'),
    )
  })
})

describe('retention', () => {
  it('ends a search before maintenance has deleted what is past it, of a value and of a prefix', async () => {
    const made = await searching()
    await made.engine.publish({ ...EVENT, id: idAt(Date.now() - 31 * 86_400_000) })
    const { eventId } = await made.engine.publish(EVENT)
    expect(await found(made, { path: 'data.n', value: '7' })).toEqual([eventId])
    expect(await found(made, { path: 'data.n', prefix: '7' })).toEqual([eventId])
    expect((await values(made)).length).toBe(4)
  })

  it('deletes the values of an event with it, in bounded batches, and leaves those of the others', async () => {
    const made = await searching()
    const old = [...Array(7).keys()].map(() => idAt(Date.now() - 31 * 86_400_000))
    for (const id of old) await made.engine.publish({ ...EVENT, id })
    const { eventId } = await made.engine.publish(EVENT)
    // Also without the option now.
    const { engine } = await rig({ on: made, history: true })
    const clean = () => cleanupEvents(made.db, { retentionMs: 30 * 86_400_000, limit: 3 })
    expect([await clean(), (await values(made)).length]).toEqual([3, 10])
    expect([await clean(), await clean(), await clean()]).toEqual([3, 1, 0])
    expect(await engine.worker.maintain()).toMatchObject({ deletedEvents: 0 })
    expect(await values(made)).toEqual(both(eventId))
    expect(await made.count('keepsend_events')).toBe(1)
  })

  it('leaves no value without its event while events are published, published again and deleted', async () => {
    const made = await searching({ history: { search: PATHS, retentionMs: 60_000 } })
    const ids = [...Array(20).keys()].map((n) => idAt(Date.now() - 60_000 + 10 * n))
    const done = new AbortController()
    const clean = async (): Promise<void> => {
      while (!done.signal.aborted) await cleanupEvents(made.db, { retentionMs: 60_000, limit: 4 })
    }
    const publish = async (n: number): Promise<void> => {
      for (const id of ids) await made.engine.publish({ ...EVENT, id, data: { order: { id: `ord_${n}` }, n } })
    }
    const cleaning = [clean(), clean()]
    await Promise.all([publish(1), publish(2), publish(3)])
    done.abort()
    await Promise.all(cleaning)
    const orphans = await made.select(`
      select * from keepsend_event_search as entry where not exists (
        select 1 from keepsend_events as event where event.id = entry.event_id and event.workspace_id = entry.workspace_id)`)
    expect(orphans).toEqual([])
    const events = await made.count('keepsend_events')
    expect(await made.count('keepsend_event_search')).toBe(2 * events)
    await cleanupEvents(made.db, { retentionMs: 0, limit: 100 })
    expect([await made.count('keepsend_events'), await made.count('keepsend_event_search')]).toEqual([0, 0])
  })
})
