// What history costs on D1, by D1's own count, and that a group is recorded by one statement.
import { env } from 'cloudflare:workers'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import type { EngineOptions } from '@keepsend/engine'
import { consumeBatch } from '../../src/index.ts'
import { metered } from './metered.ts'
import { batchOf, rig, standingRows } from './rig.ts'

async function recorded(history: EngineOptions['history']) {
  const meter = metered(env.DB)
  const parts = await rig({ engine: { history }, wrap: () => fromD1(meter.d1) })
  return {
    ...parts,
    meter,
    /** Delivers what was published, and returns what that wrote. */
    async deliver() {
      meter.read()
      await consumeBatch(parts.policy, batchOf(parts.sent.splice(0).map(({ body }) => body)))
      return meter.read()
    },
    read: () => meter.read(),
    list: () => parts.engine.attempts.list('w', { limit: 250 }),
  }
}

describe('history on D1', () => {
  it('records failures alone unless asked: a delivery that succeeds writes as many rows as without', async () => {
    const made = await recorded(true)
    const hook = await made.addEndpoint()
    await made.publish(1)
    expect((await made.deliver()).rowsWritten).toBe(1)
    expect((await made.list()).rows).toEqual([])
    await hook.answer({ status: 500 })
    await made.publish(1)
    // Four without history, the attempt with its three indexes, and its problem with two.
    expect((await made.deliver()).rowsWritten).toBe(11)
    expect((await made.list()).rows).toMatchObject([
      { outcome: 'retry', httpStatus: 500, number: 1, connectUs: null, endpointId: hook.endpointId },
    ])
  })

  it('records each attempt with attempts: all, for two rows more', async () => {
    const made = await recorded({ attempts: 'all' })
    await made.addEndpoint()
    await made.publish(1)
    expect((await made.deliver()).rowsWritten).toBe(1 + 2)
    const { results } = await env.DB.prepare('select outcome, number, gen, queue_us from keepsend_attempts').all()
    expect(results).toMatchObject([{ outcome: 'delivered', number: 1 }])
  })

  it('lists delivered attempts once the host has applied the indexes for it, and says so before', async () => {
    const made = await recorded({ attempts: 'all' })
    const hook = await made.addEndpoint()
    const [id = ''] = await made.publish(1)
    await made.deliver()
    await expect(made.list()).rejects.toMatchObject({
      code: 'not_retained',
      message: expect.stringContaining('0004_history_lists.sql') as string,
    })
    const of = async (filter: object): Promise<unknown[]> =>
      (await made.engine.attempts.list('w', { limit: 10, ...filter })).rows
    expect(await of({ outcome: 'unsuccessful' })).toEqual([])
    expect(await of({ deliveryId: id })).toMatchObject([{ outcome: 'delivered' }])
    for (const column of ['workspace', 'endpoint'])
      await env.DB.exec(`create index keepsend_attempts_${column} on keepsend_attempts (${column}_id, id)`)
    expect((await made.list()).rows).toMatchObject([{ outcome: 'delivered' }])
    expect(await of({ endpointId: hook.endpointId })).toMatchObject([{ outcome: 'delivered' }])
  })

  it('records each group of a settle by one statement, each attempt once', async () => {
    const made = await recorded({ attempts: 'all', responses: 'all' })
    await made.addEndpoint()
    const ids = await made.publish(20)
    const { kinds } = await made.deliver()
    const of = (kind: string): number => kinds.filter((one) => one === kind).length
    expect(of('insert into')).toBe(of('delete from'))
    expect(of('insert into')).toBeLessThan(10)
    const { results } = await env.DB.prepare(
      'select delivery_id, count(*) as n from keepsend_attempts group by delivery_id order by delivery_id',
    ).all()
    expect(results).toEqual(ids.toSorted().map((id) => ({ delivery_id: id, n: 1 })))
  })

  it('retains less for a workspace, whose failures it finds by their index, and refuses where it has none for the others', async () => {
    const made = await recorded(true)
    const hook = await made.addEndpoint()
    await hook.answer({ status: 400 })
    await made.publish(3)
    await made.deliver()
    await env.DB.exec(`update keepsend_attempts set id = id - ${120_000 * 4096}`)
    await made.engine.workspaces.setRetention('w', { attemptsMs: 60_000 })
    expect((await made.list()).rows).toEqual([])
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedAttempts: 3 })
    const all = await recorded({ attempts: 'all' })
    await expect(all.engine.workspaces.setRetention('w', { attemptsMs: 60_000 })).rejects.toMatchObject({
      code: 'not_retained',
      message: expect.stringContaining('0004_history_lists.sql') as string,
    })
  })

  it('records an attempt whose settle was lost as superseded', async () => {
    const made = await recorded({ attempts: 'all' })
    await made.addEndpoint()
    const [id = ''] = await made.publish(1)
    const [row] = await standingRows(made.db)
    const stale = { ...row!, gen: row!.gen - 1 }
    const outcome = await made.engine.worker.deliver(stale, Date.now())
    expect((await made.engine.worker.settle([{ claim: stale, outcome }])).lost).toEqual([stale])
    const { rows } = await made.engine.attempts.list('w', { limit: 10, deliveryId: id })
    expect(rows).toMatchObject([{ outcome: 'superseded', httpStatus: 200, gen: stale.gen }])
  })
})

describe('problems on D1', () => {
  it('write three rows for the failures of a settle, however many there are, and none for a success', async () => {
    const made = await recorded(true)
    const hook = await made.addEndpoint()
    const written = async (deliveries: number): Promise<number> => {
      await made.publish(deliveries)
      return (await made.deliver()).rowsWritten
    }
    await hook.answer({ status: 400 })
    // Four for a delivery that fails, four for its attempt: the others are the problem, inserted or updated.
    expect([await written(1), await written(1), await written(5)]).toEqual([8 + 3, 8 + 3, 5 * 8 + 3])
    const { rows } = await made.engine.problems.list('w', { limit: 10 })
    expect(rows).toMatchObject([{ httpStatus: 400, attempts: 7, deliveries: 7, endpointId: hook.endpointId }])
    await hook.answer({ status: 200 })
    expect(await written(1)).toBe(1)
  })

  it('are deleted past their retention by one statement, for one row each', async () => {
    const made = await recorded(true)
    const hook = await made.addEndpoint()
    await hook.answer({ status: 400 })
    await made.publish(1)
    await made.deliver()
    for (let n = 0; n < 2; n++) {
      made.read()
      await made.engine.worker.maintain()
    }
    const { statements, rowsWritten } = made.read()
    await env.DB.exec('update keepsend_problems set last_seen_at = 1')
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedProblems: 1 })
    expect(made.read()).toMatchObject({ statements, rowsWritten: rowsWritten + 1 })
  })
})

describe('a list of deliveries with history on D1', () => {
  const read = ({ engine }: Pick<Awaited<ReturnType<typeof recorded>>, 'engine'>, filter = {}) =>
    engine.deliveries.list('w', { limit: 10, ...filter })

  /** A delivered delivery, and one that failed. */
  async function withFailed(history: EngineOptions['history']) {
    const made = await recorded(history)
    const hook = await made.addEndpoint()
    const [id = ''] = await made.publish(1)
    await made.deliver()
    await hook.answer({ status: 400 })
    const failed = (await made.publish(1)).find((one) => one !== id) ?? ''
    await made.deliver()
    return { ...made, id, failed, endpointId: hook.endpointId }
  }

  it.each([true, { attempts: 'all' }] as const)(
    'has what is not delivered, and says that the delivered are omitted, with history: %j',
    async (history) => {
      const { failed, endpointId, ...made } = await withFailed(history)
      expect(await read(made)).toMatchObject({ rows: [{ id: failed }], complete: false, omitted: 'completed' })
      expect(await read(made, { endpointId })).toMatchObject({ omitted: 'completed' })
      expect(await read(made, { status: 'completed' })).toMatchObject({ rows: [], omitted: 'completed' })
      const ofFailed = await read(made, { status: 'failed', httpClass: '4xx', errorClass: 'http_4xx' })
      expect(ofFailed).toMatchObject({ rows: [{ id: failed }], next: undefined, complete: true })
      expect(ofFailed).not.toHaveProperty('omitted')
    },
  )

  it('has no delivered delivery by its event or its id while they are not recorded', async () => {
    const { id, ...made } = await withFailed(true)
    expect(await read(made, { eventId: id })).toMatchObject({ rows: [], omitted: 'completed' })
    await expect(made.engine.deliveries.get('w', id)).rejects.toMatchObject({ code: 'not_retained' })
  })

  it('has the delivered with attempts: all, by event and by id, and in every list once the host has applied the indexes', async () => {
    const { id, failed, endpointId, ...made } = await withFailed({ attempts: 'all' })
    expect(await read(made, { eventId: id })).toMatchObject({ rows: [{ id, status: 'completed' }], complete: true })
    expect(await made.engine.deliveries.get('w', id)).toMatchObject({ id, payload: null })
    await expect(made.engine.deliveries.get('w2', id)).rejects.toMatchObject({ code: 'not_retained' })
    for (const column of ['workspace', 'endpoint'])
      await env.DB.exec(`create index keepsend_attempts_${column} on keepsend_attempts (${column}_id, id)`)
    const first = await read(made, { limit: 1 })
    const second = await read(made, { limit: 1, before: first.next })
    expect([...first.rows, ...second.rows].map((row) => row.id)).toEqual([failed, id])
    expect(second).toMatchObject({ next: undefined, complete: true })
    expect((await read(made, { endpointId })).rows).toHaveLength(2)
    expect((await read(made, { status: 'completed', since: Date.now() - 60_000 })).rows).toMatchObject([{ id }])
  })

  it('shows a delivery with its attempts in one call to D1, and costs no statement without history', async () => {
    const made = await recorded(true)
    const hook = await made.addEndpoint()
    await hook.answer({ status: 500 })
    const [id = ''] = await made.publish(1)
    await made.deliver()
    made.meter.read()
    expect(await made.engine.deliveries.getWithAttempts('w', id)).toMatchObject({
      id,
      status: 'pending',
      latestAttempts: { rows: [{ outcome: 'retry', httpStatus: 500 }], complete: true },
    })
    expect(made.meter.read()).toMatchObject({ calls: 1, rowsWritten: 0 })
    const without = await recorded(undefined)
    without.meter.read()
    await read(without)
    // The rows, and the look for the optional index.
    expect(without.meter.read().calls).toBe(2)
  })

  it('reads as few rows beside 100,000 attempts of another workspace as beside none', async () => {
    const made = await recorded({ attempts: 'all' })
    for (const column of ['workspace', 'endpoint'])
      await env.DB.exec(`create index keepsend_attempts_${column} on keepsend_attempts (${column}_id, id)`)
    const hook = await made.addEndpoint()
    await made.publish(3)
    await made.deliver()
    const readRows = async (): Promise<number[]> => {
      const counts: number[] = []
      for (const filter of [{}, { endpointId: hook.endpointId }, { status: 'completed' }]) {
        made.meter.read()
        expect((await read(made, filter)).rows).toHaveLength(3)
        counts.push(made.meter.read().rowsRead)
      }
      return counts
    }
    // The first list also looks for the optional indexes, in a schema that grows with each table.
    await readRows()
    const alone = await readRows()
    await env.DB.exec(
      `insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, http_status, url)
       select a.id + n.value, a.delivery_id || n.value, a.gen, 'w2', 'ep_other', a.event_type, 1, a.reason, a.started_at, 1, 'delivered', 200, ''
       from (select * from keepsend_attempts order by id desc limit 1) as a, (with recursive n (value) as (select 1 union all select value + 1 from n where value < 100000) select value from n) as n`.replaceAll(
        '\n',
        ' ',
      ),
    )
    expect(await readRows()).toEqual(alone)
    expect(Math.max(...alone)).toBeLessThan(200)
  })
})
