// Erasures on D1: the cron steps them, each step is one batch, and a message of the queue brings nothing back.
import { env } from 'cloudflare:workers'
import { toSql } from '@keepsend/outbox'
import { fromD1 } from '@keepsend/outbox/d1'
import { describe, expect, it } from 'vitest'
import { consumeBatch, sweep } from '../../src/index.ts'
import { faulty } from './faulty.ts'
import { type Rig, batchOf, rig } from './rig.ts'

const CANARY = 'canary-5d1f'

/** The tables in which a text occurs. */
async function found(text: string): Promise<string[]> {
  const tables = await env.DB.prepare(
    `select name from sqlite_master where type = 'table' and (name like '%_events' or name like 'keepsend_%')`,
  ).all<{ name: string }>()
  const names: string[] = []
  for (const { name } of tables.results) {
    const { results } = await env.DB.prepare(`select * from ${name}`).all()
    if (results.some((row) => JSON.stringify(row).includes(text))) names.push(name)
  }
  return names
}

/** Delivered, failed and waiting deliveries of w, and one of another workspace. */
async function world(wrap?: Parameters<typeof rig>[0]) {
  const made = await rig({ engine: { history: { events: true, attempts: 'all' }, retrySchedule: [] }, ...wrap })
  const hook = await made.addEndpoint({ status: 200 })
  const other = await made.addEndpoint({ status: 200 }, { workspaceId: 'other' })
  const publish = async (workspaceId: string) =>
    (await made.engine.publish({ type: 'a', workspaceId, data: { note: workspaceId === 'w' ? CANARY : 'kept' } }))
      .eventId
  await publish('w')
  await publish('other')
  await made.consume()
  await hook.answer({ status: 400 })
  await publish('w')
  await made.consume()
  const waiting = await publish('w')
  return { ...made, hook, other, waiting }
}

/** Ticks of the cron until the erasure has ended. */
async function tick(made: Pick<Rig, 'policy' | 'engine'>, id: string) {
  for (let ticks = 0; ticks < 10; ticks++) {
    await env.DB.prepare('update keepsend_erasures set due_at = 0').run()
    await sweep(made.policy)
    const erasure = await made.engine.erasures.get('w', id)
    if (erasure.endedAt !== null) return erasure
  }
  throw new Error('the erasure did not end')
}

const WHOLE = { state: 'completed', unsettled: 1, dropped: 1, deliveries: 2, attempts: 2, events: 3 }

describe('an erasure on D1', () => {
  it('of a workspace ends with the ticks of the cron, and no message brings an event back', async () => {
    const made = await world()
    const kept = await made.engine.events.list('other', { limit: 10 })
    const { id } = await made.engine.erase({ workspaceId: 'w', what: 'workspace' })
    expect(await tick(made, id)).toMatchObject(WHOLE)
    expect(await found(CANARY)).toEqual([])
    expect(await made.engine.events.list('other', { limit: 10 })).toEqual(kept)
    // Of the delivery that waited; and an event without rows, for an endpoint that was made since.
    const late = made.sent.splice(0).map(({ body }) => body)
    expect(late).toHaveLength(1)
    const hook = await made.addEndpoint({ status: 200 })
    const event = { eventId: made.waiting, type: 'a', workspaceId: 'w', data: { note: CANARY } }
    const batch = batchOf([...late, event])
    await consumeBatch(made.policy, batch)
    expect(batch.messages.map(({ fate }) => fate)).toEqual(['ack', 'ack'])
    expect(await hook.arrivals()).toEqual([])
    expect(await found(CANARY)).toEqual([])
    await made.publish(1)
    await made.consume()
    expect(await hook.arrivals()).toHaveLength(1)
  })

  it.each(['refused', 'answer lost', 'dies'] as const)('goes on after a step whose batch %s', async (fate) => {
    const faults = faulty(env.DB)
    let wrapped = false
    const made = await world({ wrap: (plain) => (wrapped ? plain : ((wrapped = true), fromD1(faults.d1))) })
    const { id } = await made.engine.erase({ workspaceId: 'w', what: 'workspace' })
    await env.DB.prepare('update keepsend_erasures set due_at = 0').run()
    const isStep = (verbs: string[]): boolean => verbs.length > 1 && verbs[0] === 'update'
    faults.judge(({ verbs }) => (isStep(verbs) ? fate : 'well'))
    await Promise.race([made.engine.worker.stepErasures(), faults.died()])
    expect(faults.calls.filter(({ verbs }) => isStep(verbs))).toHaveLength(1)
    const policy = made.newIsolate()
    expect(await tick({ policy, engine: policy.engine }, id)).toMatchObject(WHOLE)
    expect(await found(CANARY)).toEqual([])
  })

  it('of an event is a part of a batch of the host', async () => {
    const made = await world()
    const statements = made.engine.eraseStatements({ workspaceId: 'w', eventId: made.waiting })
    const bound = statements.map((statement) => {
      const { sql, params } = toSql(statement, 'sqlite')
      return env.DB.prepare(sql).bind(...params)
    })
    const taken = env.DB.prepare('insert into no_such_table values (1)')
    const before = await found(made.waiting)
    await expect(env.DB.batch([...bound, taken])).rejects.toThrow()
    expect(await found(made.waiting)).toEqual(before)
    await env.DB.batch(bound)
    expect(await found(made.waiting)).toEqual(['keepsend_erasures'])
  })
})
