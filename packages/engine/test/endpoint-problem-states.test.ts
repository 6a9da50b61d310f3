// The states of a problem, and lists of problems. On each database.
import { describe, expect, it } from 'vitest'
import type { ProblemFilter } from '../src/index.ts'
import { listProblems } from '../src/lib/problems/problem-list.ts'
import { CLOSED, HOUR_MS, REFUSED, attempted, world } from './problems-world.ts'
import { api, problem, read } from './routes.ts'

/** One endpoint with one problem, and a failed attempt for each call of `fail`. */
async function failing() {
  const made = await world({ a: [400] }, { retrySchedule: [] })
  await made.addAt('a')
  const fail = async () => {
    made.answers['a'] = [400]
    await made.publish(1)
    await made.attempt()
    return made.only()
  }
  const { id } = await fail()
  const { problems } = made.engine
  return { ...made, problems, id, fail }
}

describe('a problem', () => {
  it('that a person resolved opens again with its next failure, as seen for the first time', async () => {
    const { problems, id, fail, only } = await failing()
    await problems.acknowledge('w1', id, { by: 'dana' })
    const resolved = await problems.resolve('w1', id)
    expect(resolved).toEqual(await only())
    expect(resolved).toMatchObject({ id, state: 'resolved', acknowledgedBy: 'dana', opened: 1, attempts: 1 })
    const { firstSeenAt, lastSeenAt, ...open } = await fail()
    expect(open).toMatchObject({
      id,
      state: 'open',
      stateSince: firstSeenAt,
      acknowledgedBy: null,
      opened: 2,
      attempts: 2,
    })
    expect(lastSeenAt).toBe(firstSeenAt)
    expect(firstSeenAt).toBeGreaterThan(resolved.stateSince)
  })

  it('that a person acknowledged stays acknowledged while it fails', async () => {
    const { problems, id, fail } = await failing()
    const acknowledged = await problems.acknowledge('w1', id, { by: 'dana' })
    expect(acknowledged).toMatchObject({ state: 'acknowledged', acknowledgedBy: 'dana' })
    const { firstSeenAt, stateSince } = acknowledged
    expect(await fail()).toMatchObject({
      state: 'acknowledged',
      acknowledgedBy: 'dana',
      opened: 1,
      attempts: 2,
      firstSeenAt,
      stateSince,
    })
    expect(await problems.acknowledge('w1', id)).toMatchObject({ state: 'acknowledged', acknowledgedBy: null })
  })

  it.each(['open', 'acknowledged'])(
    'that is %s is resolved by itself after 24 hours without a failure, and opens again',
    async (state) => {
      const { problems, id, fail, only, later, list, select } = await failing()
      if (state === 'acknowledged') await problems.acknowledge('w1', id, { by: 'dana' })
      await later(23 * HOUR_MS)
      expect(await only()).toMatchObject({ state })
      await later(HOUR_MS)
      const { lastSeenAt, ...resolved } = await only()
      expect(resolved).toMatchObject({ state: 'resolved', stateSince: lastSeenAt + 24 * HOUR_MS, opened: 1 })
      expect(await list({ state: 'resolved' })).toHaveLength(1)
      expect(await list({ state: state as 'open' })).toEqual([])
      // Nothing has written that, and nobody can acknowledge it now.
      expect(await select('select state from keepsend_problems')).toEqual([{ state }])
      expect(await problems.acknowledge('w1', id, { by: 'erin' })).toEqual(await only())
      expect(await problems.resolve('w1', id)).toEqual(await only())
      expect(await fail()).toMatchObject({ state: 'open', acknowledgedBy: null, opened: 2, attempts: 2 })
    },
  )

  it('of another workspace, of no endpoint, or with a text that is no id does not exist', async () => {
    const { problems, id, only } = await failing()
    const before = await only()
    for (const [workspaceId, one] of [
      ['w2', id],
      ['w1', id.replace('.400', '.401')],
      ['w1', 'prb_'],
      ['w1', `${id}.1`],
      ['w1', ''],
    ] as const) {
      const missing = { code: 'not_retained', message: 'this problem does not exist, or is no longer stored' }
      await expect(problems.acknowledge(workspaceId, one)).rejects.toMatchObject(missing)
      await expect(problems.resolve(workspaceId, one)).rejects.toMatchObject(missing)
    }
    await expect(problems.acknowledge('w1', id, { by: 'x'.repeat(201) })).rejects.toMatchObject({
      code: 'invalid_option',
    })
    expect(await only()).toEqual(before)
  })
})

/** 12 problems of two endpoints, a minute apart from each other. */
async function twelve() {
  const made = await world({}, { retrySchedule: [] })
  const ids = [await made.addAt('a'), await made.addAt('b')]
  for (let n = 0; n < 6; n++) {
    for (const host of ['a', 'b']) made.answers[host] = [400 + n]
    await made.publish(1)
    await made.attempt()
  }
  return { ...made, ids }
}

describe('a list of problems', () => {
  it('has the last seen first, by state, endpoint and time', async () => {
    const { engine, ids, list } = await twelve()
    const statuses = async (filter?: Partial<ProblemFilter>) => (await list(filter)).map(({ httpStatus }) => httpStatus)
    expect(await statuses()).toEqual([405, 405, 404, 404, 403, 403, 402, 402, 401, 401, 400, 400])
    expect(await statuses({ endpointId: ids[1] })).toEqual([405, 404, 403, 402, 401, 400])
    expect(await statuses({ endpointId: 'ep_other' })).toEqual([])
    const [latest, , second] = await list()
    expect(await statuses({ since: latest!.lastSeenAt })).toEqual([405, 405])
    expect(await statuses({ until: second!.lastSeenAt, endpointId: ids[0] })).toEqual([403, 402, 401, 400])
    expect(await statuses({ until: second!.lastSeenAt })).toEqual([403, 403, 402, 402, 401, 401, 400, 400])
    await engine.problems.acknowledge('w1', latest!.id)
    await engine.problems.resolve('w1', second!.id)
    expect(await statuses({ state: 'acknowledged' })).toEqual([405])
    expect(await statuses({ state: 'resolved' })).toEqual([404])
    expect(await statuses({ state: 'open', endpointId: latest!.endpointId })).toEqual([403, 402, 401, 400])
    expect(await statuses({ state: 'open' })).toHaveLength(10)
  })

  it('has pages that join without a gap, filtered or not', async () => {
    const { engine, ids, list } = await twelve()
    for (const filter of [{}, { state: 'open' as const }, { endpointId: ids[0] }]) {
      const seen: string[] = []
      let before: string | undefined
      do {
        const page = await engine.problems.list('w1', { ...filter, limit: 5, before })
        seen.push(...page.rows.map(({ id }) => id))
        expect(page.complete).toBe(true)
        before = page.next
      } while (before !== undefined)
      expect(seen).toEqual((await list(filter)).map(({ id }) => id))
      expect(seen).toHaveLength('endpointId' in filter ? 6 : 12)
    }
    await expect(engine.problems.list('w1', { limit: 5, before: 'prb_x' })).rejects.toMatchObject({
      code: 'invalid_request',
    })
  })

  it('compares at most 2,000 states a page, and goes on from there', async () => {
    const { engine, exec, addAt } = await world()
    const a = await addAt('a')
    for (let status = 0; status < 2500; status += 500)
      for (const errorClass of ['x', 'y', 'z', 'v', 'w'].slice(status / 500, status / 500 + 1))
        await exec(
          `insert into keepsend_problems (endpoint_id, error_class, http_status, workspace_id, state, state_since,
             first_seen_at, last_seen_at, attempts, deliveries, last_error, last_delivery_id)
           with recursive n (n) as (select 1 union all select n + 1 from n where n < 500)
           select ?, '${errorClass}', n, 'w1', case when n = 7 then 'acknowledged' else 'open' end, 1, 1, ms, 1, 1, 'x', 'd'
           from n, keepsend_clock`,
          a,
        )
    const found: string[] = []
    const ends: boolean[] = []
    let before: string | undefined
    do {
      const page = await engine.problems.list('w1', { limit: 10, state: 'acknowledged', before })
      found.push(...page.rows.map(({ errorClass }) => errorClass))
      ends.push(page.complete)
      before = page.next
    } while (before !== undefined)
    expect(found.toSorted()).toEqual(['v', 'w', 'x', 'y', 'z'])
    expect(ends).toEqual([false, true])
  })

  it('has no row of another workspace, by whichever filter', async () => {
    const { db, engine, ids, list } = await twelve()
    const [latest] = await list()
    const all = await listProblems(db, undefined, { limit: 20, retentionMs: HOUR_MS })
    expect(all.rows).toEqual(await list())
    for (const filter of [
      {},
      { endpointId: ids[0] },
      { state: 'open' as const },
      { before: `${latest!.id}.9000000000000` },
    ]) {
      const page = await engine.problems.list('w2', { limit: 10, ...filter })
      expect(page).toEqual({ rows: [], next: undefined, complete: true })
    }
  })
})

describe('the routes of problems', () => {
  it('list, acknowledge and resolve them, once for each Idempotency-Key', async () => {
    const made = await api({ history: true, retrySchedule: [1], circuit: CLOSED, answer: () => REFUSED })
    const { id: endpointId } = await made.addEndpoint()
    await made.engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await made.engine.worker.settle(await attempted(made))
    const id = `prb_${endpointId}.connect.0`
    const { body } = await read(made.call('GET', '/problems?state=open&since=2026-01-01T00:00:00Z'))
    expect(body['data']).toMatchObject([
      {
        id,
        endpointId,
        errorClass: 'connect',
        httpStatus: null,
        explanation: expect.stringContaining('connection'),
        attempts: 1,
      },
    ])
    const acknowledge = (by: string, key: string) =>
      made.engine.routes.request(`/problems/${id}/acknowledge`, {
        method: 'POST',
        headers: {
          authorization: `Bearer ${made.keys.w1}`,
          'content-type': 'application/json',
          'idempotency-key': key,
        },
        body: JSON.stringify({ by }),
      })
    const first = await acknowledge('dana', 'k1')
    expect(await read(first)).toMatchObject({
      status: 200,
      body: { id, state: 'acknowledged', acknowledgedBy: 'dana' },
    })
    expect(await read(acknowledge('erin', 'k2'))).toMatchObject({ body: { acknowledgedBy: 'erin' } })
    const repeated = await acknowledge('dana', 'k1')
    expect(repeated.headers.get('idempotency-replayed')).toBe('true')
    expect(await read(repeated)).toMatchObject({ body: { id, acknowledgedBy: 'dana', httpStatus: null } })
    expect(await read(made.call('GET', '/problems'))).toMatchObject({ body: { data: [{ acknowledgedBy: 'erin' }] } })
    expect(await read(made.call('POST', `/problems/${id}/resolve`))).toMatchObject({ body: { state: 'resolved' } })
    expect(await read(made.call('POST', '/problems/prb_x/resolve'))).toEqual(problem(404, 'not_retained'))
    // Counted in characters, of which an emoji is one.
    expect(await read(acknowledge('😀'.repeat(200), 'k3'))).toMatchObject({ status: 200 })
    expect(await read(acknowledge('😀'.repeat(201), 'k4'))).toEqual(problem(400, 'invalid_request'))
    expect(await read(made.call('GET', '/problems?state=closed'))).toEqual(problem(400, 'invalid_request'))
    expect(await read(made.call('GET', `/problems?cursor=${btoa('prb_1')}`))).toEqual(problem(400, 'invalid_request'))
  })
})
