import type { OutboxDatabase } from '@keepsend/outbox'
import { clock, raw, sqlText } from '@keepsend/outbox/internal'

/** Deletes problems that were last seen before their retention, at most `limit` a call. */
export async function cleanupProblems(
  db: OutboxDatabase,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  const { dialect } = db
  // By a key of three columns Postgres would read the whole table.
  const key = raw(dialect.name === 'postgres' ? 'ctid' : 'endpoint_id, error_class, http_status')
  const old = sqlText`
    select ${key} from keepsend_problems as old ${dialect.by('keepsend_problems_seen')}
    where old.last_seen_at < ${clock()} - ${retentionMs}
    order by old.last_seen_at ${dialect.first(limit)} ${dialect.lock('pick', 'old')}`
  const { changes } = await db.run(sqlText`delete from keepsend_problems where (${key}) ${dialect.among(old)}`)
  return changes
}
