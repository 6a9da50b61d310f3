// Written by scripts/embed-migrations.ts from migrations/postgres/*.sql, as long as they are; change those.
import type { Migration } from '../migrate.ts'

export const migrations: readonly Migration[] = [
  {
    name: 'outbox/0001_pending_events',
    sql: `-- One row is one delivery: one event on its way to one endpoint.
-- id, workspace_id, endpoint_id: compared by bytes, the order of SQLite and D1, and cheaper than a language's order.
-- payload: text, not jsonb, which would lose key order, the digits of numbers and an escaped NUL. It is the last
-- column. Null: it is in keepsend_payloads, under payload_id. Every move of a row rewrites the row and any payload in
-- it.
-- content_type is null for JSON, which nearly every payload is. filter is a condition on the payload that its worker still has
-- to evaluate; null: none. version is the label of the payload; null: its event has none. convert_to is the label to which its
-- worker has to convert it first; null: none.
-- deliver_at: no attempt before it; expires_at: none from then on. Null unless the event has them; a replay sets them to null.
-- gen begins at the clock, so that a row that is inserted again repeats no gen of its earlier life.
-- No foreign keys: a deleted endpoint must not silently delete its deliveries.
--
-- The table is small and many rows pass through it: each is inserted, updated once or twice and deleted within seconds,
-- so most of it is dead versions, and a claim reads past those before the first live one.
-- By default, autovacuum waits for a fifth of the table: with a backlog of a million, 200,000 dead rows. Here it waits
-- for 1,000 and a hundredth, and may do ten times the work before it naps. Statistics are refreshed as often, because a
-- plan for an empty table is wrong for a full one. Large payloads are in the toast table, which needs the same
-- settings.
-- One check of status and ready: every statement prepares each check again, which takes 4 of the 100 µs of an insert.
-- No fillfactor: every update changes due_at or status, which are indexed, so there are no HOT updates.
create table if not exists pending_events (
  id text collate "C" not null primary key,
  workspace_id text collate "C" not null,
  event_type text not null,
  endpoint_id text collate "C" not null default '',
  status text not null default 'pending',
  hold_reason text,
  held_at bigint,
  attempts integer not null default 0,
  max_attempts integer not null default 10,
  deferrals integer not null default 0,
  crashes integer not null default 0,
  gen bigint not null default (cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint)),
  due_at bigint,
  ready smallint not null default 0 check (
    ready = 0 and status in ('pending', 'completed', 'failed', 'held') or ready = 1 and status = 'pending'),
  claimed_at bigint,
  created_at bigint not null,
  deliver_at bigint,
  expires_at bigint,
  replayed_at bigint,
  completed_at bigint,
  last_error text,
  last_status integer,
  content_type text,
  filter text,
  version text,
  convert_to text,
  payload_id bigint,
  payload text check (payload is not null or payload_id is not null)
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_cost_limit = 2000,
  autovacuum_analyze_threshold = 1000,
  autovacuum_analyze_scale_factor = 0.02,
  toast.autovacuum_vacuum_threshold = 1000,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_limit = 2000
);

-- Payloads that the rows of an event share, or that are too long to be rewritten with each move of their row.
-- Maintenance deletes a payload when its event has no rows left; event_id finds them.
create sequence if not exists keepsend_payload_id;
create table if not exists keepsend_payloads (
  id bigint not null primary key default nextval('keepsend_payload_id'),
  event_id text collate "C" not null,
  payload text not null,
  version text
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_cost_limit = 2000,
  toast.autovacuum_vacuum_threshold = 1000,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_limit = 2000
);

-- Lanes: rows that may go now, by workspace and endpoint. Claims take from each lane, so that no backlog delays a
-- neighbour's row.
create index if not exists pending_events_ready on pending_events (workspace_id, endpoint_id, id)
where ready = 1;

-- Rows that wait for a time: a retry's, or the end of a lease. A row is in this index, in the one above, or in neither;
-- never in both.
create index if not exists pending_events_due on pending_events (due_at, id)
where status = 'pending' and due_at is not null and ready = 0;

-- Rows by the time of settling, never of creation: for clean-up, and for a replay of all workspaces. The status leads,
-- because failed rows are retained for longer than completed ones: each clean-up ends at the first row that stays. Only
-- those two use this condition, so that no planner uses this index for the replay of one endpoint and reads past all
-- other rows.
create index if not exists pending_events_settled on pending_events (status, completed_at, id)
where coalesce(completed_at, -1) >= 0;

-- Resuming the held rows of one endpoint.
create index if not exists pending_events_held on pending_events (endpoint_id, id)
where status = 'held';

-- The list of a workspace: settled rows, held rows, and rows that wait after a failure or for their deliver_at. Partial, so that a delivery
-- that succeeds immediately never enters it, in line, claimed or dispatched.
create index if not exists pending_events_at_rest on pending_events (workspace_id, id)
where ready = 0 and claimed_at is null and (status <> 'pending' or last_error is not null or deliver_at is not null);

-- Rows with a time from which they expire, until they are settled. No other row enters it.
create index if not exists pending_events_expiring on pending_events (expires_at, id)
where expires_at is not null and completed_at is null;

-- Replays of one endpoint, oldest settlement first, however many rows others have.
create index if not exists pending_events_replay on pending_events (workspace_id, endpoint_id, status, completed_at, id)
where completed_at is not null;

-- Positions of the passes over rows: one row, so that any process can continue a pass. after_id: the hourly pass over
-- dispatched rows; null between two passes. expiry_after_id: the pass over expired rows; expiry_ended_at is the end of
-- its last pass over every key. held_after_id: the pass over endpoints with held rows. payloads_after_id: the clean-up
-- of payloads, whose next pass begins at payloads_next_at.
create table if not exists keepsend_sweep_pass (
  id integer not null primary key check (id = 1),
  began_at bigint not null,
  after_id text collate "C",
  expiry_after_id text collate "C",
  held_after_id text collate "C",
  expiry_ended_at bigint not null,
  payloads_after_id bigint,
  payloads_next_at bigint not null
);

-- The database's clock in milliseconds, under one name on every database, so that one text serves them all. It is the
-- start of the statement, wherever in the statement it is read: the start of the transaction may be long ago.
create or replace view keepsend_clock as
select cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint) as ms;

-- The first passes over rows begin an hour from here.
insert into keepsend_sweep_pass (id, began_at, expiry_ended_at, payloads_next_at)
select 1, ms, ms, ms from keepsend_clock on conflict (id) do nothing;
`,
  },
]
