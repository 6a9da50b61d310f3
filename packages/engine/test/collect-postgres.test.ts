// Races of a publish with a change of its endpoint, which only Postgres allows.
import { drizzle } from 'drizzle-orm/node-postgres'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { newEventId } from '../src/index.ts'
import { openPostgres } from './database.ts'
import { rig } from './rig.ts'

const event = () => ({ id: newEventId(), type: 'message.created', workspaceId: 'w1', data: {} })

async function open() {
  const { url, ...on } = await openPostgres()
  const pool = new pg.Pool({ connectionString: url })
  onTestFinished(() => pool.end())
  const made = await rig({ on })
  return { ...made, id: (await made.addEndpoint()).id, orm: drizzle({ client: pool }) }
}

it('the next maintenance resumes a row that a publish holds while its endpoint is being enabled', async () => {
  const { engine, rows, work, orm, id } = await open()
  await engine.endpoints.setStatus('w1', id, 'disabled')
  await orm.transaction(async (tx) => {
    for (const statement of engine.publishStatements(event())) await tx.execute(statement)
    // The endpoint is enabled, and all held rows are resumed, before the publish commits.
    await engine.endpoints.setStatus('w1', id, 'enabled')
  })
  expect(await rows()).toMatchObject([{ status: 'held', holdReason: 'endpoint_disabled' }])
  expect((await engine.worker.resumeHeld()).resumed).toEqual([])
  expect(await engine.worker.maintain()).toMatchObject({ orphanedHolds: 1 })
  expect((await engine.worker.resumeHeld()).resumed).toHaveLength(1)
  expect(await work()).toMatchObject([{ kind: 'complete' }])
})

it('a claim holds a row that a publish inserts while its endpoint is being disabled', async () => {
  const { engine, rows, work, sender, orm, id } = await open()
  await orm.transaction(async (tx) => {
    for (const statement of engine.publishStatements(event())) await tx.execute(statement)
    await engine.endpoints.setStatus('w1', id, 'disabled')
  })
  expect(await rows()).toMatchObject([{ status: 'pending' }])
  await work()
  expect(await rows()).toMatchObject([{ status: 'held', holdReason: 'endpoint_disabled', attempts: 0 }])
  expect(sender.requests).toEqual([])
})
