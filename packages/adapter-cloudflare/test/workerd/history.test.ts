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
    /** Delivers what was published, and returns what that wrote. */
    async deliver() {
      meter.read()
      await consumeBatch(parts.policy, batchOf(parts.sent.splice(0).map(({ body }) => body)))
      return meter.read()
    },
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
    // Four without history, and the attempt with its three indexes.
    expect((await made.deliver()).rowsWritten).toBe(8)
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
    expect((await made.engine.worker.settle([{ claim: stale, outcome }])).lost).toEqual([id])
    const { rows } = await made.engine.attempts.list('w', { limit: 10, deliveryId: id })
    expect(rows).toMatchObject([{ outcome: 'superseded', httpStatus: 200, gen: stale.gen }])
  })
})
