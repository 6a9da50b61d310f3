// A replay job beside a host's transaction that publishes slowly: its events have ids that are older than the job's position.
import { toSql } from '@keepsend/outbox'
import pg from 'pg'
import { expect, it, onTestFinished } from 'vitest'
import { openPostgres } from './database.ts'
import { drain, idAgo, replayRig } from './replays.ts'

const MINUTES_MS = 300_000

it.each([
  ['before it publishes', true],
  ['while it is open', false],
])('is sent once by whoever is first, if the endpoint was made %s', async (_name, isBefore) => {
  const { url, ...on } = await openPostgres()
  const made = await replayRig({ on })
  made.accept()
  // The slow one is in the middle.
  const [first, slow, last] = [idAgo(MINUTES_MS), idAgo(MINUTES_MS), idAgo(MINUTES_MS)]
  for (const id of [first, last]) await made.engine.publish({ id, type: 'a', workspaceId: 'w1', data: {} })
  let endpointId = isBefore ? (await made.addEndpoint()).id : ''
  const host = new pg.Client({ connectionString: url })
  onTestFinished(() => host.end())
  await host.connect()
  await host.query('begin')
  for (const statement of made.engine.publishStatements({ id: slow, type: 'a', workspaceId: 'w1', data: {} })) {
    const { sql, params } = toSql(statement, 'postgres')
    await host.query(sql, [...params])
  }
  if (!isBefore) endpointId = (await made.addEndpoint()).id
  const replay = async () => {
    const { id } = await made.create({ what: 'missed', endpointId })
    await made.step()
    const { state, sent } = await made.engine.replays.get('w1', id)
    return { state, sent }
  }
  expect(await replay()).toEqual({ state: 'completed', sent: 2 })
  await host.query('commit')
  await drain(made)
  // With an endpoint of its own delivery it has arrived; otherwise it is left to the next replay.
  expect(made.sender.requests).toHaveLength(isBefore ? 3 : 2)
  expect(await replay()).toEqual({ state: 'completed', sent: isBefore ? 0 : 1 })
  await drain(made)
  const sent = made.sender.requests.map(({ headers }) => String(headers['webhook-id']))
  expect(sent.toSorted()).toEqual([first, slow, last].toSorted())
})
