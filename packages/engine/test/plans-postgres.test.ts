import { type SqlText, enqueueEvents, newEventId, toSql } from '@keepsend/outbox'
import { expect, it } from 'vitest'
import { waitingStatement } from '../src/lib/ceiling.ts'
import { resumeUnlessBlocked } from '../src/lib/resume.ts'
import { rig } from './rig.ts'

const HELD = 5000

/** The ways into tables that Postgres takes for a statement, for a table that was never analyzed. */
async function plan(made: Awaited<ReturnType<typeof rig>>, statement: SqlText): Promise<string> {
  const { sql, params } = toSql(statement, 'postgres')
  const { rows } = await made.db.run<{ 'QUERY PLAN': string }>({ sql: `explain ${sql}`, params })
  return rows.map((row) => row['QUERY PLAN']).join('\n')
}

it('what resumes the few rows of a settle goes by their keys, however many rows are held', async () => {
  const made = await rig()
  const { id } = await made.addEndpoint()
  const ids: string[] = []
  for (let part = 0; part < HELD; part += 1000) {
    const events = Array.from({ length: 1000 }, () => ({
      eventId: newEventId(),
      endpointId: id,
      workspaceId: 'w1',
      type: 'a.b',
      payload: '{}',
    }))
    ids.push(...(await enqueueEvents(made.db, events)).map((row) => row.id))
  }
  await made.exec(`update pending_events set status = 'held', hold_reason = 'circuit_open', due_at = null, ready = 0`)
  const found = await plan(made, resumeUnlessBlocked(made.db, ids.slice(0, 32)))
  expect(found).toContain('pending_events_pkey')
  expect(found).not.toMatch(/Seq Scan on pending_events|pending_events_held/)
})

it('what counts the waiting rows of a workspace goes by its lanes and its endpoints, beside any backlog of a neighbour', async () => {
  const made = await rig()
  const { id } = await made.addEndpoint({ workspaceId: 'big' })
  await made.addEndpoint()
  for (let part = 0; part < HELD; part += 1000) {
    const events = Array.from({ length: 1000 }, () => ({
      eventId: newEventId(),
      endpointId: id,
      workspaceId: 'big',
      type: 'a.b',
      payload: '{}',
    }))
    await enqueueEvents(made.db, events)
  }
  await made.exec(
    `update pending_events set status = 'held', due_at = null, ready = 0 where id in (select id from pending_events limit 2500)`,
  )
  const found = await plan(made, waitingStatement(made.db, 'w1', 1_000_000))
  expect(found).toContain('pending_events_ready')
  expect(found).toContain('pending_events_held')
  expect(found).not.toMatch(/Seq Scan on pending_events|pending_events_pkey/)
})
