// Lists of deliveries with history: rows, and delivered ones of which only the attempt is left, merged into one order. Beside two
// other workspaces that have the same. On each database.
import { enqueueEvents } from '@keepsend/outbox'
import { firstEventIdAt } from '@keepsend/outbox/internal'
import { describe, expect, it } from 'vitest'
import { type DeliveryFilter, type DeliveryState, type EngineOptions, classOf } from '../src/index.ts'
import { dispatching, idsOf, pages } from './pages.ts'
import { type Answer, LATER, type Rig, rig } from './rig.ts'
import { api, read } from './routes.ts'

const WORKSPACES = ['w1', 'w2', 'w3'] as const
const TYPES = ['a.b', 'c.d'] as const

/** What a delivery is answered, by the path of its endpoint and its turn. */
const ANSWERS: Record<string, Answer[]> = {
  '/well': [200, 204],
  '/mixed': [200, 400, 500, 404, { kind: 'error', reason: 'timeout', message: 'no answer' }, 201],
  '/late': [503, 200],
}

/** Two dozen deliveries of each workspace: delivered, failed, waiting for a retry, held, and not attempted. */
async function filled(options: Partial<EngineOptions> = {}) {
  const turns = new Map<string, number>()
  const answer = ({ url, headers }: { url: string; headers: Readonly<Record<string, string>> }): Answer => {
    const { pathname, hostname } = new URL(url)
    // A delivery gets the answer of its turn, and then 200.
    const seen = url + String(headers['webhook-id'])
    if (turns.has(seen)) return 200
    const turn = turns.get(hostname + pathname) ?? 0
    turns.set(seen, 1).set(hostname + pathname, turn + 1)
    const answers = ANSWERS[pathname] ?? [200]
    return answers[turn % answers.length] ?? 200
  }
  const made = await rig({ history: true, retrySchedule: [1, 1], answer, ...options })
  const endpoints: Record<string, string[]> = {}
  for (const workspaceId of WORKSPACES) {
    for (const path of Object.keys(ANSWERS)) {
      const { id } = await made.addEndpoint({ workspaceId, url: `https://${workspaceId}.example.com${path}` })
      ;(endpoints[workspaceId] ??= []).push(id)
    }
  }
  const publish = async (): Promise<void> => {
    for (const type of TYPES) {
      for (const workspaceId of WORKSPACES) await made.engine.publish({ type, workspaceId, data: {} })
    }
  }
  for (let round = 0; round < 3; round++) {
    await publish()
    // The message of a dispatched row, of which this test has none.
    await made.exec(`update pending_events set ready = 1, due_at = 1 where due_at is null and status = 'pending'`)
    await made.work()
    if (round === 1) await made.work({ now: LATER })
  }
  await made.engine.endpoints.pause('w1', endpoints['w1']?.[1] ?? '', { forMs: 3_600_000 })
  await publish()
  return { ...made, endpoints }
}

/** Every delivery of a workspace, as the database has it: its newest time first, on equal times rows before attempts. */
async function expected({ select, db }: Rig, workspaceId: string) {
  const perMs = db.dialect.name === 'postgres' ? 1_048_576n : 4096n
  const timeOf = (id: string): number => Number.parseInt(id.slice(4, 12) + id.slice(13, 17), 16)
  const rows = (await select('select * from pending_events where workspace_id = ?', workspaceId)).map((row) => ({
    id: String(row['id']),
    at: timeOf(String(row['id'])),
    order: String(row['id']),
    isRow: 1,
    status: String(row['status']),
    endpointId: String(row['endpoint_id']),
    type: String(row['event_type']),
    errorClass: classOf(row['last_error'] as string | null, row['last_status'] as number | null),
    lastStatus: row['last_status'] as number | null,
    hasError: row['last_error'] !== null,
  }))
  const attempts = await select(
    'select cast(id as text) as attempt_id, * from keepsend_attempts where workspace_id = ? order by gen desc',
    workspaceId,
  )
  const last = new Map(attempts.toReversed().map((attempt) => [String(attempt['delivery_id']), attempt]))
  const gone = [...last.values()]
    .filter(({ outcome, delivery_id: id }) => outcome === 'delivered' && !rows.some((row) => row.id === id))
    .map((attempt) => ({
      id: String(attempt['delivery_id']),
      at: Number(BigInt(String(attempt['attempt_id'])) / perMs),
      order: String(attempt['attempt_id']).padStart(20, '0'),
      isRow: 0,
      status: 'completed',
      endpointId: String(attempt['endpoint_id']),
      type: String(attempt['event_type']),
      errorClass: null,
      lastStatus: attempt['http_status'] as number | null,
      hasError: false,
    }))
  return [...rows, ...gone].toSorted(
    (one, other) => other.at - one.at || other.isRow - one.isRow || (one.order < other.order ? 1 : -1),
  )
}

type Entry = Awaited<ReturnType<typeof expected>>[number]

const walk = (made: Pick<Rig, 'engine'>, filter: DeliveryFilter, workspaceId = 'w1') =>
  pages<DeliveryState>((before) => made.engine.deliveries.list(workspaceId, { ...filter, before }))

const SIZES = [1, 2, 7, 1000]

describe.each([
  ['rows that stand in line', {}],
  ['rows that are dispatched', dispatching],
])('a list of deliveries with history, of %s', (_rows, options) => {
  it('has each once, rows by their events and delivered ones by their settles, in pages of any size', async () => {
    const made = await filled(options)
    for (const workspaceId of WORKSPACES) {
      const wanted = await expected(made, workspaceId)
      const states = new Set(wanted.map(({ status, isRow }) => `${status} ${isRow}`))
      expect(states).toContain('completed 0')
      for (const limit of SIZES) {
        const found = await walk(made, { limit }, workspaceId)
        expect(idsOf(found), `${workspaceId} by ${limit}`).toEqual(wanted.map(({ id }) => id))
        expect(found.every(({ complete }) => complete)).toBe(true)
      }
    }
  })

  it('is narrowed by each filter, and by each pair of them', async () => {
    const made = await filled(options)
    const all = await expected(made, 'w1')
    const middle = all[Math.floor(all.length / 2)]?.at ?? 0
    const filters: [Partial<DeliveryFilter>, (entry: Entry) => boolean][] = [
      ...(['pending', 'held', 'failed', 'completed'] as const).map(
        (status): [Partial<DeliveryFilter>, (entry: Entry) => boolean] => [{ status }, (one) => one.status === status],
      ),
      ...(made.endpoints['w1'] ?? []).map((endpointId): [Partial<DeliveryFilter>, (entry: Entry) => boolean] => [
        { endpointId },
        (one) => one.endpointId === endpointId,
      ]),
      [{ endpointId: made.endpoints['w2']?.[0] }, () => false],
      [{ type: 'c.d' }, ({ type }) => type === 'c.d'],
      [{ errorClass: 'http_4xx' }, ({ errorClass }) => errorClass === 'http_4xx'],
      [{ errorClass: 'timeout' }, ({ errorClass }) => errorClass === 'timeout'],
      [{ httpStatus: 204 }, ({ lastStatus }) => lastStatus === 204],
      [{ httpStatus: 404 }, ({ lastStatus }) => lastStatus === 404],
      [{ httpClass: '2xx' }, ({ lastStatus }) => lastStatus !== null && lastStatus < 300],
      [{ httpClass: '5xx' }, ({ lastStatus }) => lastStatus !== null && lastStatus >= 500],
      [{ httpClass: 'no_response' }, ({ lastStatus, hasError }) => lastStatus === null && hasError],
      [{ httpClass: 'none_yet' }, ({ lastStatus, hasError }) => lastStatus === null && !hasError],
      [{ since: middle }, ({ at }) => at >= middle],
      [{ until: middle }, ({ at }) => at < middle],
      [{ since: all.at(-1)!.at + 1, until: middle }, ({ at }) => at > all.at(-1)!.at && at < middle],
      ...[...new Set(all.map(({ id }) => id.slice(0, 40)))]
        .slice(-2)
        .map((eventId): [Partial<DeliveryFilter>, (entry: Entry) => boolean] => [
          { eventId },
          ({ id }) => id.startsWith(eventId),
        ]),
    ]
    const found = new Set<string>()
    for (const [one, fits] of filters) {
      for (const [other, fitsToo] of filters) {
        if (one !== other && Object.keys(one).some((name) => name in other)) continue
        const filter = { ...one, ...other }
        const wanted = all.filter((entry) => fits(entry) && fitsToo(entry)).map(({ id }) => id)
        // Those of one event are in the order of their ids.
        if (filter.eventId !== undefined) wanted.sort().reverse()
        for (const limit of one === other ? SIZES : [2, 1000]) {
          const walked = await walk(made, { ...filter, limit })
          expect(idsOf(walked), JSON.stringify({ ...filter, limit })).toEqual(wanted)
          expect(walked.at(-1)?.complete).toBe(true)
        }
        if (wanted.length > 0) for (const name of Object.keys(one)) found.add(name)
      }
    }
    expect([...found].toSorted()).toEqual(
      ['endpointId', 'errorClass', 'eventId', 'httpClass', 'httpStatus', 'since', 'status', 'type', 'until'].toSorted(),
    )
  }, 120_000)

  it('of one event has no cursor with an id of another workspace that used its id', async () => {
    const made = await rig({ history: true, ...options })
    const { id: endpointId } = await made.addEndpoint()
    const { eventId } = await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    await made.exec(`update pending_events set ready = 1, due_at = 1`)
    await made.work()
    const row = { eventId, type: 'a.b', payload: '{}' }
    await enqueueEvents(made.db, [{ ...row, workspaceId: 'w1', endpointId: 'ep_-' }])
    for (const name of ['row', 'gone'])
      for (let part = 0; part < 3; part++) {
        await enqueueEvents(
          made.db,
          Array.from({ length: 900 }, (_, n) => ({ ...row, workspaceId: 'w2', endpointId: `w2_${name}_${part}_${n}` })),
        )
      }
    await made.exec(`
      insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, http_status, url)
      select own.id + row_number() over (), theirs.id, 1, 'w2', theirs.endpoint_id, 'a.b', 1, 'publish', 1, 1, 'delivered', 200, ''
      from pending_events as theirs cross join keepsend_attempts as own where theirs.id like '%.w2_gone%'`)
    await made.exec(`delete from pending_events where id like '%.w2_gone%'`)
    const found = await walk(made, { limit: 1, eventId })
    expect(idsOf(found)).toEqual([`${eventId}.${endpointId}`, `${eventId}.ep_-`])
    expect(found.filter(({ next }) => next?.includes('w2_'))).toEqual([])
  })

  it('has no delivery of another workspace, whichever id or cursor names it', async () => {
    const made = await filled(options)
    const theirs = await expected(made, 'w2')
    const mine = new Set((await expected(made, 'w1')).map(({ id }) => id))
    const [first] = await walk(made, { limit: 3 }, 'w2')
    expect(first?.next).toBeDefined()
    for (const { id } of theirs) {
      await expect(made.engine.deliveries.get('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
      await expect(made.engine.deliveries.getWithAttempts('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
    }
    const [{ id, endpointId }] = theirs as [Entry]
    for (const filter of [{ endpointId }, { eventId: id }, { before: first?.next }, { before: id }]) {
      const { rows } = await made.engine.deliveries.list('w1', { limit: 100, ...filter })
      expect(rows.filter((row) => !mine.has(row.id))).toEqual([])
    }
  })
})

/** An engine with one endpoint, whose receiver gives these answers in turn, then 200. */
async function delivered(answers: Answer[] = [], options: Partial<EngineOptions> = {}) {
  const made = await rig({ history: true, retrySchedule: [1, 1], answer: () => answers.shift() ?? 200, ...options })
  const { id: endpointId } = await made.addEndpoint()
  const publish = async () =>
    `${(await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })).eventId}.${endpointId}`
  return { ...made, publish, list: (filter: Partial<DeliveryFilter> = {}) => walk(made, { limit: 10, ...filter }) }
}

describe('a delivered delivery whose row is gone', () => {
  it('is shown with what its attempt knows, in lists and alone', async () => {
    const made = await delivered([500])
    const before = Date.now()
    const id = await made.publish()
    await made.work()
    await made.work({ now: LATER })
    expect(await made.count('pending_events')).toBe(0)
    const [{ rows } = { rows: [] }] = await made.list({ status: 'completed' })
    expect(rows).toMatchObject([
      { id, workspaceId: 'w1', type: 'a.b', status: 'completed', attempts: 2, lastStatus: 200, lastError: null },
    ])
    const [row] = rows
    expect(row).not.toHaveProperty('payload')
    for (const time of [row?.createdAt, row?.completedAt]) {
      expect(time).toBeGreaterThanOrEqual(before - 1)
      expect(time).toBeLessThanOrEqual(Date.now() + 1)
    }
    expect(await made.engine.deliveries.get('w1', id)).toEqual({ ...row, payload: null })
    const { latestAttempts, traceId: _, ...state } = await made.engine.deliveries.getWithAttempts('w1', id)
    expect(state).toEqual(row)
    expect(latestAttempts).toMatchObject({
      rows: [
        { number: 2, outcome: 'delivered' },
        { number: 1, outcome: 'retry', httpStatus: 500 },
      ],
      next: undefined,
      complete: true,
    })
  })

  it('is shown once, as its row, while it has one', async () => {
    const made = await delivered()
    const id = await made.publish()
    await made.work()
    await made.engine.deliveries.replay('w1', id)
    expect((await made.list()).flatMap(({ rows }) => rows)).toMatchObject([{ id, status: 'pending' }])
    expect(idsOf(await made.list({ status: 'completed' }))).toEqual([])

    // Its row as an earlier version left it after a delivery.
    await made.exec(`update pending_events set status = 'completed', ready = 0, due_at = null, completed_at = 1`)
    const shown = { id, status: 'completed', completedAt: 1, maxAttempts: 3 }
    expect((await made.list()).flatMap(({ rows }) => rows)).toMatchObject([shown])
    expect((await made.list({ status: 'completed' })).flatMap(({ rows }) => rows)).toMatchObject([shown])

    // Delivered again: two of its attempts have delivered it.
    await made.engine.deliveries.replay('w1', id)
    await made.work()
    expect([await made.count('pending_events'), await made.count('keepsend_attempts')]).toEqual([0, 2])
    for (const filter of [{}, { status: 'completed' as const }, { eventId: id }]) {
      const found = await walk(made, { limit: 1, ...filter })
      expect(found.flatMap(({ rows }) => rows)).toMatchObject([{ id, status: 'completed', attempts: 1 }])
    }
    const { latestAttempts } = await made.engine.deliveries.getWithAttempts('w1', id)
    expect(latestAttempts?.rows.map(({ reason }) => reason)).toEqual(['replay', 'publish'])
  })

  it('is not listed once its replay has failed and was cleaned up', async () => {
    const made = await delivered([200, 400])
    const id = await made.publish()
    await made.work()
    await made.engine.deliveries.replay('w1', id)
    await made.work()
    await made.exec('delete from pending_events')
    expect(idsOf(await made.list())).toEqual([])
    await expect(made.engine.deliveries.get('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
    await expect(made.engine.deliveries.getWithAttempts('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
    expect((await made.engine.attempts.list('w1', { limit: 10, deliveryId: id })).rows).toHaveLength(2)
  })

  it('is not listed past the retention of attempts', async () => {
    const made = await delivered([], { history: { retentionMs: 60_000 } })
    const id = await made.publish()
    await made.work()
    const perMs = made.db.dialect.name === 'postgres' ? 1_048_576 : 4096
    await made.exec(`update keepsend_attempts set id = id - ${61_000 * perMs}`)
    expect(idsOf(await made.list())).toEqual([])
    expect(idsOf(await made.list({ eventId: id }))).toEqual([])
    await expect(made.engine.deliveries.get('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
  })
})

describe('a walk through a list while deliveries are delivered', () => {
  it('shows no delivery twice: one that was shown as pending stays behind, one further down is not met', async () => {
    const made = await delivered()
    const ids = []
    for (let n = 0; n < 6; n++) ids.push(await made.publish())
    const newestFirst = ids.toReversed()
    const first = await made.engine.deliveries.list('w1', { limit: 2 })
    expect(first.rows.map(({ id, status }) => [id, status])).toEqual(
      newestFirst.slice(0, 2).map((id) => [id, 'pending']),
    )
    await made.work()
    // A new event meanwhile is no part of this walk either.
    await made.publish()
    const second = await made.engine.deliveries.list('w1', { limit: 10, before: first.next })
    expect(second).toMatchObject({ rows: [], next: undefined, complete: true })
    const again = await made.list()
    expect(idsOf(again).toSorted()).toEqual([...ids, ...idsOf(again).slice(0, 1)].toSorted())
  })

  it('finds one that is delivered between the statement for rows and that for attempts', async () => {
    let between: (() => Promise<unknown>) | undefined
    const made = await delivered()
    const other = await rig({
      history: true,
      on: { db: made.db, select: made.select, readOnly: made.readOnly },
      wrap: (db) => ({
        ...db,
        async run(statement) {
          const isOfAttempts = 'sql' in statement && statement.sql.includes('from keepsend_attempts')
          if (isOfAttempts) await between?.()
          return db.run(statement)
        },
        // On Postgres the statement for attempts is in a transaction.
        async atomic(statements) {
          if (JSON.stringify(statements).includes('from keepsend_attempts')) await between?.()
          return db.atomic(statements)
        },
      }),
    })
    const id = await made.publish()
    between = () => made.work()
    const page = await other.engine.deliveries.list('w1', { limit: 10 })
    expect(page.rows).toMatchObject([{ id, status: 'completed' }])
    expect(page.next).toBeUndefined()
  })
})

describe('a list that cannot have delivered deliveries', () => {
  it('says that they are omitted, unless its filter has none of them', async () => {
    const made = await delivered([400], { history: { attempts: 'failed' } })
    const failed = await made.publish()
    await made.work()
    await made.publish()
    await made.work()
    for (const filter of [{}, { status: 'completed' as const }, { httpClass: '2xx' as const }]) {
      const page = await made.engine.deliveries.list('w1', { limit: 10, ...filter })
      expect(page).toMatchObject({ complete: false, omitted: 'completed', next: undefined })
    }
    for (const filter of [{ status: 'failed' as const }, { errorClass: 'http_4xx' as const }, { httpStatus: 400 }]) {
      const page = await made.engine.deliveries.list('w1', { limit: 10, ...filter })
      expect(page).toMatchObject({ rows: [{ id: failed }], complete: true })
      expect(page).not.toHaveProperty('omitted')
    }
  })

  it('is as without history if there is none', async () => {
    const made = await delivered([], { history: false })
    const id = await made.publish()
    expect(await made.engine.deliveries.get('w1', id)).toMatchObject({ id, payload: expect.any(String) as string })
    expect(await made.engine.deliveries.getWithAttempts('w1', id)).toMatchObject({ id, latestAttempts: undefined })
    await made.work()
    expect(await made.list()).toEqual([{ rows: [], next: undefined, complete: true }])
    await expect(made.engine.deliveries.getWithAttempts('w1', id)).rejects.toMatchObject({ code: 'not_retained' })
  })
})

describe('a list that reads its bound', () => {
  it('ends after 2,000 attempts and continues, and shows nothing older before', async () => {
    const made = await delivered()
    const rare = await made.publish()
    await made.work()
    const perMs = made.db.dialect.name === 'postgres' ? 1_048_576n : 4096n
    const [{ id: newest } = { id: '0' }] = (await made.engine.attempts.list('w1', { limit: 1 })).rows
    const old = BigInt(newest) - 5000n * perMs
    await made.exec(`update keepsend_attempts set id = ${old}, event_type = 'rare'`)
    const numbers =
      made.db.dialect.name === 'postgres'
        ? 'generate_series(1, 2500) as numbers (n)'
        : '(with recursive numbers (n) as (select 1 union all select n + 1 from numbers where n < 2500) select n from numbers) as numbers'
    await made.exec(
      `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, http_status, url)
       select ${old} + cast(n as bigint) * ${perMs}, delivery_id || n, gen, workspace_id, endpoint_id, 'common', number, reason, started_at, total_us, outcome, http_status, url
       from keepsend_attempts cross join ${numbers} where true`,
    )
    // A row that is newer than the rare attempt, and older than all others.
    const eventId = `${firstEventIdAt(Number(old / perMs) + 1)}-7000-8000-000000000000`
    const event = { eventId, endpointId: 'ep_1', workspaceId: 'w1', type: 'rare', payload: '{}' }
    const [row] = await enqueueEvents(made.db, [event])
    const found = await walk(made, { limit: 10, type: 'rare' })
    expect(found.map(({ rows, complete }) => [rows.map(({ id }) => id), complete])).toEqual([
      [[], false],
      [[row?.id, rare], true],
    ])
    const all = await walk(made, { limit: 1000 })
    expect(all.map(({ rows, complete }) => [rows.length, complete])).toEqual([
      [1000, true],
      [1000, true],
      [502, true],
    ])
  })
})

describe('times of a list', () => {
  it('that no id can have find everything or nothing', async () => {
    const made = await delivered([400])
    await made.publish()
    await made.publish()
    await made.work()
    const count = async (filter: Partial<DeliveryFilter>): Promise<number[]> => [
      idsOf(await made.list(filter)).length,
      (await made.engine.deliveries.listEvents('w1', { limit: 10, ...filter })).rows.length,
      (await made.engine.attempts.list('w1', { limit: 10, ...filter })).rows.length,
    ]
    expect(await count({ since: -1e15, until: 8.64e15 })).toEqual([2, 1, 2])
    expect(await count({ since: 8.64e15 })).toEqual([0, 0, 0])
    expect(await count({ until: -1 })).toEqual([0, 0, 0])
    await expect(made.list({ since: NaN })).rejects.toMatchObject({ code: 'invalid_option' })
    await expect(made.list({ httpClass: '6xx' as '5xx' })).rejects.toMatchObject({ code: 'invalid_option' })
    for (const httpStatus of [NaN, 99, 1000, 404.5, 2 ** 31]) {
      await expect(made.list({ httpStatus })).rejects.toMatchObject({ code: 'invalid_option' })
      await expect(made.engine.attempts.list('w1', { httpStatus, limit: 1 })).rejects.toMatchObject({
        code: 'invalid_option',
      })
    }
  })

  it('find events by the times in their ids', async () => {
    const made = await filled()
    const { rows } = await made.engine.deliveries.listEvents('w1', { limit: 100 })
    const timeOf = ({ id }: { id: string }): number => Number.parseInt(id.slice(4, 12) + id.slice(13, 17), 16)
    const middle = timeOf(rows[Math.floor(rows.length / 2)]!)
    for (const limit of SIZES) {
      const since = await pages((before) => made.engine.deliveries.listEvents('w1', { limit, before, since: middle }))
      expect(idsOf(since)).toEqual(rows.filter((row) => timeOf(row) >= middle).map(({ id }) => id))
      const until = await pages((before) => made.engine.deliveries.listEvents('w1', { limit, before, until: middle }))
      expect(idsOf(until)).toEqual(rows.filter((row) => timeOf(row) < middle).map(({ id }) => id))
    }
  })
})

describe('the class of an error', () => {
  it('is compared in SQL as `classOf` says', async () => {
    const made = await delivered([400])
    const texts: [error: string | null, status: number | null][] = [
      [null, null],
      [null, 200],
      ['timeout', null],
      ['timeout: no answer', 500],
      ['expired: too old', 503],
      ['delivery_unconfirmed', null],
      ['HTTP 301', null],
      ['HTTP 404: not here', 404],
      ['HTTP 500', 400],
      ['HTTP 618: odd', null],
      ['by hand', 422],
      ['by hand: a text', 599],
      ['by hand', null],
      ['timeouts: of another program', 302],
      ['other', null],
    ]
    const ids: string[] = []
    for (const [error, status] of texts) {
      const id = await made.publish()
      ids.push(id)
      await made.exec(
        `update pending_events set status = 'failed', ready = 0, completed_at = 1, last_error = ?, last_status = ? where id = ?`,
        error,
        status,
        id,
      )
    }
    const classes = texts.map(([error, status]) => classOf(error, status))
    for (const errorClass of new Set(classes.filter((one) => one !== null))) {
      const wanted = ids.filter((_, index) => classes[index] === errorClass).toReversed()
      expect(idsOf(await made.list({ errorClass })), errorClass).toEqual(wanted)
    }
  })
})

describe('the routes', () => {
  it('list deliveries by every filter with cursors, and show one with its attempts', async () => {
    const made = await api({ history: true, retrySchedule: [], answer: ({ url }) => (url.endsWith('bad') ? 404 : 200) })
    for (const path of ['well', 'bad']) await made.addEndpoint({ url: `https://hooks.example.com/${path}` })
    for (let n = 0; n < 3; n++) await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: {} })
    await made.work()
    const seen: string[] = []
    let cursor: string | undefined = ''
    while (cursor !== undefined) {
      const from: string = cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const { body } = await read(made.call('GET', `/deliveries?limit=2${from}`))
      seen.push(...(body['data'] as { status: string }[]).map(({ status }) => status))
      cursor = body['cursor'] as string | undefined
    }
    expect(seen.toSorted()).toEqual(['completed', 'completed', 'completed', 'failed', 'failed', 'failed'])
    const get = async (query: string) => (await read(made.call('GET', `/deliveries?${query}`))).body['data'] as object[]
    expect(await get('httpClass=4xx&errorClass=http_4xx&httpStatus=404')).toHaveLength(3)
    expect(await get('since=2020-01-01T00:00:00Z&until=9999-12-31T23:59:59Z')).toHaveLength(6)
    expect(await get('since=9999-12-31T23:59:59Z')).toEqual([])
    expect(await get('until=1960-01-01T00:00:00Z')).toEqual([])
    expect((await read(made.call('GET', '/events?since=2020-01-01T00:00:00Z'))).body['data']).toHaveLength(3)
    const [one] = (await get('status=completed&limit=1')) as [{ id: string }]
    const shown = await read(made.call('GET', `/deliveries/${one.id}`))
    expect(shown).toMatchObject({
      status: 200,
      body: { ...one, latestAttempts: { data: [{ deliveryId: one.id, number: 1, outcome: 'delivered' }] } },
    })
    const attempts = (await read(made.call('GET', `/deliveries/${one.id}/attempts`))).body
    expect(shown.body['latestAttempts']).toEqual(attempts)
    expect(await read(made.call('GET', `/deliveries/${one.id}`, undefined, made.keys.w2))).toMatchObject({
      status: 404,
    })
  })

  it('say that delivered deliveries are omitted', async () => {
    const made = await api({ history: { attempts: 'failed' } })
    expect((await read(made.call('GET', '/deliveries'))).body).toEqual({
      data: [],
      complete: false,
      omitted: 'completed',
    })
    expect((await read(made.call('GET', '/deliveries?status=failed'))).body).toEqual({ data: [] })
  })
})

describe('the latest attempts of a delivery', () => {
  it('are 100, and the list of its attempts continues with `next`', async () => {
    const made = await delivered([500])
    const id = await made.publish()
    await made.work()
    await made.exec(
      `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
       select id - n, delivery_id, gen - n, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url
       from keepsend_attempts cross join (${Array.from({ length: 120 }, (_, n) => `select ${n + 1} as n`).join(' union all ')}) as numbers`,
    )
    const { latestAttempts, status, attempts } = await made.engine.deliveries.getWithAttempts('w1', id)
    expect({ status, attempts, shown: latestAttempts?.rows.length }).toEqual({
      status: 'pending',
      attempts: 1,
      shown: 100,
    })
    const rest = await made.engine.attempts.list('w1', { limit: 100, deliveryId: id, before: latestAttempts?.next })
    expect(rest.rows).toHaveLength(21)
    expect(new Set([...(latestAttempts?.rows ?? []), ...rest.rows].map((one) => one.id)).size).toBe(121)
  })
})
