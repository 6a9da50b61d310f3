// An export on D1: within the statements of one invocation, and continued by the next.
import { env } from 'cloudflare:workers'
import { createEngine } from '@keepsend/engine'
import { fromD1 } from '@keepsend/outbox/d1'
import { sqlText } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { TEST_KEYS } from './keys.ts'
import { metered } from './metered.ts'
import { rig } from './rig.ts'

const DELIVERIES = 1200

it('each call reads within the 50 statements of an invocation, and the calls together have every row once', async () => {
  const meter = metered(env.DB)
  const { engine, db } = await rig({ wrap: () => fromD1(meter.d1), engine: { history: true } })
  for (const [workspaceId, count] of [
    ['w', DELIVERIES],
    ['other', 5000],
  ] as const)
    await db.run(sqlText`
      insert into pending_events (id, workspace_id, event_type, endpoint_id, due_at, gen, created_at, payload)
      with recursive n (value) as (select 1 union all select value + 1 from n where value < ${count})
      select 'evt_0191' || printf('%04x', value % 16) || '-0000-7000-8000-' || printf('%012x', value) || '.ep_' || ${workspaceId},
        ${workspaceId}, 'a', 'ep_1', null, 1, 1, '{}' from n`)
  await db.run(sqlText`
    insert into keepsend_attempts (id, delivery_id, gen, workspace_id, endpoint_id, event_type, number, reason, started_at, total_us, outcome, url)
    select ms * 4096, 'd', 1, 'w', 'ep_1', 'a', 1, 'publish', ms, 1, 'failed', 'https://a.example/' from keepsend_clock`)
  const { key } = await engine.apiKeys.create({ workspaceId: 'ops', scopes: ['workspaces:export'] })
  const lines: { kind: string; id?: string; after?: string; counts?: unknown }[] = []
  const calls: number[] = []
  while (lines.at(-1)?.kind !== 'end') {
    const after = lines.at(-1)?.after
    meter.read()
    const path = `/workspaces/w/export${after === undefined ? '' : `?after=${after}`}`
    const answer = await engine.routes.request(path, { headers: { authorization: `Bearer ${key}` } })
    for (const line of new TextDecoder()
      .decode(await answer.arrayBuffer())
      .trim()
      .split('\n'))
      lines.push(JSON.parse(line) as (typeof lines)[number])
    calls.push(meter.read().statements)
    expect(['cursor', 'end']).toContain(lines.at(-1)?.kind)
  }
  expect(calls.length).toBeGreaterThan(1)
  expect(Math.max(...calls)).toBeLessThanOrEqual(50)
  const deliveries = lines.filter(({ kind }) => kind === 'delivery').map(({ id }) => id)
  expect(deliveries).toHaveLength(DELIVERIES)
  expect(new Set(deliveries).size).toBe(DELIVERIES)
  expect(lines.at(-1)).toMatchObject({ counts: { delivery: DELIVERIES, attempt: 1, api_key: 0 } })
})

it('refuses to leave out delivered attempts that D1 has no index for', async () => {
  const { db } = await rig()
  const queue = { send: () => Promise.resolve() }
  const engine = createEngine({ db, queue, secrets: TEST_KEYS, history: { attempts: 'all', statistics: false } })
  await expect(engine.export('w').next()).rejects.toMatchObject({
    code: 'not_retained',
    message: expect.stringContaining('0004_history_lists.sql'),
  })
})
