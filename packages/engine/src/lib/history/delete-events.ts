import { type OutboxDatabase, Transaction } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import { VALUES_OF_EVENT } from './search-values.ts'

/**
 * Deletes events with the values that find them, also if the engine has no `history.search` any more.
 *
 * @param picked selects the `id` and `workspace_id` of events: several workspaces may have one id
 * @returns how many events
 */
export async function deleteEvents(db: OutboxDatabase, picked: SqlText): Promise<number> {
  const transaction = new Transaction()
  const [deleted] = deleteEventsStatements(db, picked)
    .map((statement) => transaction.add<{ deleted: number }>(statement))
    .toReversed()
  await transaction.commit(db)
  return deleted?.rows[0]?.deleted ?? deleted?.changes ?? 0
}

/** The statements of {@link deleteEvents}, for a transaction. */
export function deleteEventsStatements(db: Pick<OutboxDatabase, 'dialect'>, picked: SqlText): SqlText[] {
  return db.dialect.name === 'postgres' ? [deleteInOneStatement(db, picked)] : deleteInTwo(db, picked)
}

/** By the place of each value: for a join, Postgres read all values of the workspace for each event. */
function deleteInOneStatement(db: Pick<OutboxDatabase, 'dialect'>, picked: SqlText): SqlText {
  return sqlText`
    with old as materialized (${picked}),
    gone as (delete from keepsend_events as event where ${isOld(db)} returning id, workspace_id, search_values),
    unlisted as (
      delete from keepsend_event_search where ctid = any (array(
        select entry.place from gone as event ${VALUES_OF_EVENT.postgres} cross join lateral (
          select entry.ctid as place from keepsend_event_search as entry where ${IS_OF_EVENT} limit 1) as entry)))
    select cast(count(*) as integer) as "deleted" from gone`
}

/** The clock of the second statement may pick more events than that of the first: those that have values wait for the next round. */
function deleteInTwo(db: Pick<OutboxDatabase, 'dialect'>, picked: SqlText): SqlText[] {
  return [
    sqlText`
    with old as materialized (${picked})
    delete from keepsend_event_search where (workspace_id, path, value, event_id) in (
      select event.workspace_id, found.key, found.value, event.id from keepsend_events as event ${VALUES_OF_EVENT.sqlite}
      where ${isOld(db)})`,
    sqlText`
    with old as materialized (${picked})
    delete from keepsend_events as event where ${isOld(db)} and not exists (
      select 1 from json_each(event.search_values) as found cross join keepsend_event_search as entry on ${IS_OF_EVENT})`,
  ]
}

/** Found by the id, which is the first part of the key. */
function isOld({ dialect }: Pick<OutboxDatabase, 'dialect'>): SqlText {
  return sqlText`event.id ${dialect.among(raw('select old.id from old'))}
      and (event.id, event.workspace_id) in (select old.id, old.workspace_id from old)`
}

const IS_OF_EVENT = raw(
  'entry.workspace_id = event.workspace_id and entry.path = found.key and entry.value = found.value and entry.event_id = event.id',
)
