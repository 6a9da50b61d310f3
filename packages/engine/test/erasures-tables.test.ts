// Every table of the schema: what an erasure of a workspace does to it. A new table fails these tests until it is named here, in
// the walks of erasures, and in docs/erasure.md.
import { readFileSync } from 'node:fs'
import { expect, it } from 'vitest'
import { erasureRig } from './erasures.ts'

const page = readFileSync(new URL('../../../docs/erasure.md', import.meta.url), 'utf8')

/** Tables whose rows go. Those of a delivery, an event or an endpoint go with it too: see erasures.test.ts. */
const DELETED = [
  'pending_events',
  'keepsend_payloads',
  'keepsend_events',
  'keepsend_event_search',
  'keepsend_attempts',
  'keepsend_problems',
  'keepsend_notifications',
  'keepsend_replays',
  'keepsend_statistics',
  'keepsend_endpoints',
  'keepsend_subscriptions',
  'keepsend_secrets',
  'keepsend_api_keys',
  'keepsend_portal_links',
  'keepsend_workspaces',
]

/** Tables of which rows stay, and why. */
const STAYING: Record<string, string> = {
  keepsend_erasures: 'the tombstone: ids and counts, for 30 days',
  keepsend_audit: 'the actions that erased; all others go',
  keepsend_idempotency_records: 'hashes without the answer, so that a late repeat makes nothing again',
  keepsend_idempotency_marks: 'hashes, for 5 seconds',
  keepsend_statistics_passes: 'one row for the installation: a position',
  keepsend_sweep_pass: 'one row for the installation: a position',
  keepsend_workers: 'the processes of the installation',
  keepsend_migrations: 'the names of migrations',
  messages: 'a table of the host, in the tests alone',
}

it('every table is erased, or stays for a reason that is named', async () => {
  const { tables } = await erasureRig()
  expect(await tables()).toEqual([...DELETED, ...Object.keys(STAYING)].toSorted())
})

it('the page names every table', () => {
  const named = Object.keys(STAYING).filter((table) => table !== 'messages')
  for (const table of [...DELETED, ...named]) expect(page, table).toContain(`\`${table}\``)
})

it('an erasure of a workspace leaves no row of it in any table of the first list, each of which had one', async () => {
  const made = await erasureRig({ answer: () => 500 })
  for (const workspaceId of ['w2', 'w1']) {
    const { id } = await made.addEndpoint({ workspaceId })
    await made.engine.publish({ type: 'a', workspaceId, data: { note: workspaceId, long: 'x'.repeat(2000) } })
    await made.work()
    await made.engine.worker.maintain()
    await made.engine.replays.create(workspaceId, { what: 'failed' })
    await made.engine.apiKeys.create({ workspaceId })
    await made.engine.portalLinks.create(workspaceId)
    const expired = await made.engine.portalLinks.create(workspaceId)
    await made.exec('update keepsend_portal_links set expires_at = 1 where id = ?', expired.link.id)
    await made.engine.workspaces.setRetention(workspaceId, { attemptsMs: 60_000 })
    for (const [span, ms] of [
      ['minute', 60_000],
      ['hour', 3_600_000],
      ['day', 86_400_000],
    ] as const)
      for (const ago of [0, 1, 200, 600])
        await made.exec(`
          insert into keepsend_statistics (span, at, workspace_id, endpoint_id, delivered, retried, deferred, failed, replayed, tested, sketch)
          select '${span}', ms - ms % ${ms} - cast(${ago} as bigint) * ${ms}, '${workspaceId}', '${id}', 1, 0, 0, 0, 0, 0, '{}' from keepsend_clock`)
    await made.exec(`
      insert into keepsend_notifications (endpoint_id, event_type, workspace_id, sent_at, began_at, occurrences, data)
      values ('${id}', 'keepsend.endpoint.disabled', '${workspaceId}', 1, 1, 1, '{}')`)
    await made.exec(`
      insert into keepsend_event_search (workspace_id, path, value, event_id) values ('${workspaceId}', 'note', 'left over', 'evt_0')`)
  }
  const ids = async (workspaceId: string) => {
    const rows = await made.select('select id from keepsend_endpoints where workspace_id = ?', workspaceId)
    return [workspaceId, ...rows.map(({ id }) => String(id))]
  }
  const [mine, others] = [await ids('w1'), await ids('w2')]
  const rowsOf = (names: string[]) =>
    made.matching((value) => names.some((name) => value === name || String(value).endsWith(`.${name}`)))
  const [before, theirs] = [await rowsOf(mine), await rowsOf(others)]
  // A payload and a search value name the event alone, and secrets the endpoint.
  const unnamed = ['keepsend_payloads']
  expect(DELETED.filter((table) => !(table in before))).toEqual(unnamed)
  const payloads = await made.count('keepsend_payloads')
  await made.erase({ workspaceId: 'w1', what: 'workspace' })
  expect(Object.keys(await rowsOf(mine)).filter((table) => DELETED.includes(table))).toEqual([])
  expect(await made.count('keepsend_payloads')).toBe(payloads - 1)
  expect(await rowsOf(others)).toEqual(theirs)
})
