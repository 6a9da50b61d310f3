// SQLite's statistics may date from a time when the tables had one row, after a host's `pragma optimize` or `analyze`. Even
// then no statement may scan a table.
import { eventIdOf } from '@keepsend/outbox/internal'
import { expect, it } from 'vitest'
import { pages } from './pages.ts'
import { recordedRig } from './plans.ts'

/**
 * Tables that may be scanned: they have one row, or a few rows of current work. If SQLite believes that a table has one or two
 * rows, it reads the integer keys from the first one on; so does the clean-up of payloads, 500 keys at a time.
 */
const SMALL = [
  'keepsend_clock',
  'keepsend_sweep_pass',
  'keepsend_idempotency_marks',
  'keepsend_payloads',
  // Workspaces with a retention of their own, read a page at a time.
  'keepsend_workspaces',
  // Running jobs, of which each workspace has ten at most.
  'keepsend_replays USING COVERING INDEX keepsend_replays_due',
  // The clean-up of the audit, from the first id on: it deletes each that it reads.
  'old_action',
  'sqlite_master',
]
const READ_TO_ITS_END = new RegExp(
  String.raw`SCAN (?!${SMALL.join('|')})(pending_events|keepsend_|endpoint|delivery|held|attempt)|AUTOMATIC|SEARCH (?!${SMALL.join('|')}).*PRIMARY KEY \(id[<>]\?\)`,
)

it.each([
  ['never', false],
  ['with one endpoint', false],
  ['with ten', false],
  ['never, with history', true],
  ['with one endpoint, with history', true],
])('no statement scans a table that was analyzed %s', async (when, history) => {
  const made = await recordedRig({
    history: history && { search: ['data.text'] },
    answer: ({ url }) => (url.includes('gone') ? 500 : 200),
  })
  const { engine } = made
  const publish = async (text = '') => {
    const event = { type: 'a.b', workspaceId: 'w1', data: { text } }
    await engine.publish(event)
    await engine.commit({ writes: [], events: [event] })
  }
  if (!when.startsWith('never')) {
    for (let n = 0; n < (when === 'with ten' ? 10 : 1); n++) await made.addEndpoint()
    await publish()
    await made.exec('analyze')
  }
  const { id } = await made.addEndpoint()
  await made.addEndpoint({ url: 'https://gone.example.com/' })
  await publish()
  await publish('y'.repeat(3000))
  for (let n = 0; n < 6; n++) await made.work({ limit: 3 })
  await engine.worker.maintain()
  await engine.deliveries.list('w1', { limit: 5 })
  await engine.deliveries.listEvents('w1', { limit: 5 })
  const { rows: events } = await engine.events.list('w1', { limit: 5 })
  await engine.events.list('w1', { limit: 5, type: 'a.b', since: 1, until: Date.now() + 60_000, before: events[0]?.id })
  if (history)
    for (const search of [
      { path: 'data.text', value: '' },
      { path: 'data.text', prefix: 'y' },
    ])
      await pages((before) => engine.events.list('w1', { limit: 1, before, search }))
  for (const { id: one } of await made.rows()) {
    await engine.deliveries.list('w1', { limit: 5, eventId: one })
    await engine.deliveries.replay('w1', one).catch(() => undefined)
    await engine.deliveries.listByEvent('w1', eventIdOf(one))
    await engine.events.get('w1', eventIdOf(one))
  }
  await engine.replays.create('w1', { what: 'failed', endpointId: id }, { oncePerMs: 60_000 })
  await engine.worker.stepReplays()
  await engine.endpoints.list('w1', { limit: 5 })
  await engine.endpoints.update('w1', id, { eventTypes: ['c.d'] })
  await engine.endpoints.delete('w1', id)

  const statements = made.statements()
  expect(statements.length).toBeGreaterThan(50)
  for (const { sql, params } of statements) {
    const { rows } = await made.db.run<{ detail: string }>({ sql: `explain query plan ${sql}`, params })
    expect(
      rows.filter(({ detail }) => READ_TO_ITS_END.test(detail)),
      sql,
    ).toEqual([])
  }
})
