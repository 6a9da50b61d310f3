// How portal links are read beside those of other workspaces, in a table that was never analyzed, or was analyzed while it was nearly
// empty. SQLite shows the access paths; Postgres also the rows that were read.
import { expect, it } from 'vitest'
import { readsOf, recordedRig } from './plans.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const TABLE = { postgres: /^keepsend_portal_links/, sqlite: /^(SCAN|SEARCH) (keepsend_portal_links|link|old|target)\b/ }
const OTHERS = 5000
// A page, and the old links that one round of maintenance deletes.
const MOST_READ = 10

/** Links of a workspace in every state; one of 1,000 is past its retention. */
function fill(workspaceId: string, now: number): string {
  const numbers = onPostgres
    ? `generate_series(1, ${OTHERS}) as numbers (n)`
    : `(with recursive n (value) as (select 1 union all select value + 1 from n where value < ${OTHERS}) select value as n from n) as numbers`
  return `
    insert into keepsend_portal_links (id, token_hash, workspace_id, capabilities, uses_left, created_by, created_at, expires_at, revoked_at)
    select 'plk_${workspaceId}' || n, '${workspaceId}' || n, '${workspaceId}', '[]', case n % 3 when 0 then null else n % 3 - 1 end, '', ${now},
      ${now} + case when n % 1000 = 0 then -3000000000 when n % 2 = 0 then -1000 else 3600000 end, case when n % 7 = 0 then ${now} end
    from ${numbers} where true`
}

it.each([false, true])('each method reads the links that it is about (analyzed: %s)', async (isAnalyzed) => {
  const made = await recordedRig()
  const { portalLinks } = made.engine
  await portalLinks.create('w1')
  if (isAnalyzed) await made.exec('analyze keepsend_portal_links')
  const now = Date.now()
  for (const workspaceId of ['w0', 'w2']) await made.exec(fill(workspaceId, now))
  // Of the workspace itself thousands that are used up or have expired.
  await made.exec(fill('w1', now))
  await made.exec(`update keepsend_portal_links set revoked_at = 1 where workspace_id = 'w1' and id like 'plk_w%'`)
  const { token, link } = await portalLinks.create('w1')
  const calls: Record<string, () => Promise<unknown>> = {
    create: () => portalLinks.create('w1'),
    list: () => portalLinks.list('w1', { limit: 5 }),
    find: () => portalLinks.find(token),
    open: async () => portalLinks.session((await portalLinks.open(token))?.session ?? ''),
    revoke: () => portalLinks.revoke('w1', link.id),
  }
  for (const [name, call] of Object.entries(calls)) {
    made.statements()
    await call()
    const about = made.statements().filter(({ sql }) => sql.includes('keepsend_portal_links'))
    expect(about.length, name).toBeGreaterThan(0)
    for (const statement of about) {
      // Explained, it would be run once more.
      if (onPostgres && /^\s*insert/.test(statement.sql)) continue
      const reads = await readsOf(made.db, statement, TABLE)
      expect(reads.length, statement.sql).toBeGreaterThan(0)
      expect(reads.filter(({ by, rows }) => /^(SCAN|Seq)/.test(by) || rows > MOST_READ)).toEqual([])
    }
  }
  made.statements()
  expect(await made.engine.worker.maintain()).toMatchObject({ deletedPortalLinks: 15 })
  const [cleanup] = made.statements().filter(({ sql }) => sql.includes('keepsend_portal_links'))
  const reads = cleanup ? await readsOf(made.db, cleanup, TABLE) : []
  expect(reads.map(({ by }) => by).join('\n')).toContain('keepsend_portal_links_expiry')
  expect(reads.filter(({ by }) => /^(SCAN|Seq)/.test(by))).toEqual([])
})
