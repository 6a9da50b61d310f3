import type { OutboxDatabase } from '@keepsend/outbox'
import { raw, sqlText } from '@keepsend/outbox/internal'

/** Copies the only delivery under other ids, by SQL: publishing takes longer. */
export async function copyDelivery(db: OutboxDatabase, count: number): Promise<void> {
  const { rows } = await db.run<{ name: string }>(sqlText`select name from pragma_table_info('pending_events')`)
  const names = rows.map(({ name }) => name)
  const ofCopy = names.map((name) =>
    name === 'id' ? "substr(id, 1, 28) || printf('%012x', n) || substr(id, 41)" : name,
  )
  await db.run(sqlText`
    with recursive numbers(n) as (select 1 union all select n + 1 from numbers where n < ${count})
    insert into pending_events (${raw(names.join(', '))})
    select ${raw(ofCopy.join(', '))} from pending_events, numbers`)
}
