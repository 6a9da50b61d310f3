// Commits of a route on D1: the change, its rows and the response in one batch, or none of them.
import type { IdempotencyKey } from '@keepsend/engine'
import type { OutboxDatabase } from '@keepsend/outbox'
import { sql } from 'drizzle-orm'
import { drizzle } from 'drizzle-orm/d1'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { env } from 'cloudflare:workers'
import { describe, expect, it } from 'vitest'
import { type Rig, type RigOptions, rig } from './rig.ts'

const things = sqliteTable('things', { id: text('id').primaryKey() })
const orm = drizzle(env.DB)
const EVENT = { type: 'thing.made', workspaceId: 'w', data: {} }

async function withThings(options: RigOptions = {}): Promise<Rig & { counts: () => Promise<Record<string, number>> }> {
  const parts = await rig(options)
  await env.DB.exec('create table things (id text not null primary key)')
  await parts.addEndpoint()
  return {
    ...parts,
    async counts() {
      const found = await env.DB.prepare(
        `select (select count(*) from things) as things, (select count(*) from pending_events) as rows,
          (select count(*) from keepsend_idempotency_records) as records, (select count(*) from keepsend_idempotency_marks) as marks`,
      ).first<{ things: number; rows: number; records: number; marks: number }>()
      return { ...found }
    },
  }
}

function key(parts: Partial<IdempotencyKey> = {}): IdempotencyKey {
  return {
    key: 'k1',
    workspaceId: 'w',
    method: 'POST',
    route: '/things',
    body: '{}',
    ...parts,
  }
}

const make = (id: string) => ({
  writes: [orm.insert(things).values({ id })],
  events: [EVENT],
  response: { status: 201, body: { id } },
})

describe('a commit on D1', () => {
  it('accepts drizzle builders of the host, and commits the change with its rows', async () => {
    const { counts, engine, sent } = await withThings()
    const work: Promise<void>[] = []
    const answer = await engine.commit({ ...make('a'), background: (one) => void work.push(one) })
    await Promise.all(work)
    expect(answer).toMatchObject({ status: 201, body: '{"id":"a"}', replayed: false })
    expect(await counts()).toEqual({ things: 1, rows: 1, records: 0, marks: 0 })
    expect(sent).toHaveLength(1)
  })

  it('that violates a constraint stores nothing: no change, row, record or message', async () => {
    const { counts, engine, sent } = await withThings()
    await engine.commit(make('a'))
    sent.length = 0
    const again = engine.commit({ ...make('a'), idempotencyKey: key() })
    await expect(again).rejects.toThrow(/UNIQUE constraint failed: things\.id/)
    const late = engine.commit({ ...make('b'), writes: [...make('b').writes, sql`insert into nowhere values (1)`] })
    await expect(late).rejects.toThrow(/no such table: nowhere/)
    expect(await counts()).toEqual({ things: 1, rows: 1, records: 0, marks: 0 })
    expect(sent).toEqual([])
  })

  it('answers a repeated request with the stored response, and commits nothing', async () => {
    const { counts, engine } = await withThings()
    const first = await engine.commit({ ...make('a'), idempotencyKey: key() })
    const second = await engine.commit({ ...make('b'), idempotencyKey: key() })
    expect([first.replayed, second.replayed, second.body]).toEqual([false, true, first.body])
    expect(await counts()).toEqual({ things: 1, rows: 1, records: 1, marks: 0 })
    const other = engine.commit({ ...make('c'), idempotencyKey: key({ body: '{"n":2}' }) })
    await expect(other).rejects.toMatchObject({ code: 'idempotency_mismatch' })
  })

  it('commits ten concurrent copies of a request once', async () => {
    const { counts, engine } = await withThings()
    const all = await Promise.allSettled(
      Array.from({ length: 10 }, (_, n) => engine.commit({ ...make(`t${n}`), idempotencyKey: key() })),
    )
    const committed = all.filter((one) => one.status === 'fulfilled' && !one.value.replayed)
    expect(committed).toHaveLength(1)
    const refused = all.flatMap((one) => (one.status === 'rejected' ? [one.reason as { code: string }] : []))
    expect([...new Set(['idempotency_in_flight', ...refused.map(({ code }) => code)])]).toEqual([
      'idempotency_in_flight',
    ])
    expect(await counts()).toMatchObject({ things: 1, rows: 1, records: 1 })
  })

  it('with a lost response is answered from its record; without a key it is commit_unconfirmed', async () => {
    let deaf = false
    const loseAnswers = (db: OutboxDatabase): OutboxDatabase => ({
      ...db,
      async atomic(statements) {
        const results = await db.atomic(statements)
        if (!deaf) return results
        throw Object.assign(new Error('D1_ERROR: Network connection lost.'), { code: 'commit_unconfirmed' })
      },
    })
    const { counts, engine, sent } = await withThings({ wrap: loseAnswers })
    deaf = true
    const answer = await engine.commit({ ...make('a'), idempotencyKey: key() })
    expect(answer).toMatchObject({ status: 201, body: '{"id":"a"}' })
    await expect(engine.commit(make('b'))).rejects.toThrow(/Network connection lost/)
    expect(await counts()).toEqual({ things: 2, rows: 2, records: 1, marks: 0 })
    // The queue could not be notified. The rows wait, and the sweep finds them.
    expect(sent).toEqual([])
  })
})

describe('a request of the API under an Idempotency-Key on D1', () => {
  it.each([
    ['POST', '/endpoints', { url: 'https://hooks.example.com/' }],
    ['PATCH', '/endpoints/{id}', { description: 'x', headers: { authorization: 'header-secret' } }],
    ['POST', '/endpoints/{id}/disable', {}],
    ['POST', '/endpoints/{id}/rotate-secret', {}],
    ['POST', '/endpoints/{id}/test', {}],
    ['POST', '/endpoints/{id}/replay', {}],
    ['POST', '/deliveries/{delivery}/replay', {}],
    ['DELETE', '/endpoints/{id}', {}],
  ])('%s %s takes effect once, gets one response, and stores no secret in its record', async (method, path, body) => {
    const { engine, addEndpoint, publish, rows } = await rig({ engine: { secrets: 'plaintext-for-development' } })
    const { endpointId } = await addEndpoint()
    await publish(2)
    await env.DB.exec("update pending_events set status = 'failed', completed_at = 1, due_at = null")
    const [delivery] = await rows()
    const { key: apiKey } = await engine.apiKeys.create({ workspaceId: 'w' })
    const call = async () =>
      engine.routes.request(path.replace('{id}', endpointId).replace('{delivery}', delivery?.id ?? ''), {
        method,
        headers: { 'content-type': 'application/json', authorization: `Bearer ${apiKey}`, 'idempotency-key': 'k1' },
        body: JSON.stringify(body),
      })
    const first = await call()
    const left = await rows()
    const again = await call()
    expect([first.ok, again.status, again.headers.get('idempotency-replayed')]).toEqual([true, first.status, 'true'])
    expect(await again.text()).toBe(await first.text())
    expect(await rows()).toEqual(left)
    const { results } = await env.DB.prepare('select * from keepsend_idempotency_records').all()
    expect(results).toHaveLength(1)
    expect(JSON.stringify(results)).not.toMatch(/whsec_|header-secret/)
  })
})
