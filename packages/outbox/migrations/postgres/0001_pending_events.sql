-- One row is one delivery: one event on its way to one endpoint.
-- id, workspace_id, endpoint_id: by their bytes, the order of every other database here and of JavaScript, and cheaper to compare
-- than by language.
-- payload: text, not jsonb, which would lose key order, the digits of numbers and an escaped NUL. It stands last. Null: it is
-- stored in keepsend_payloads, under payload_id. Every move of a row rewrites the row, and with it a payload that stands in it.
-- content_type is null for JSON, which nearly every payload is.
-- gen begins at the clock, so that a row that is inserted again repeats no gen of its earlier life.
-- No foreign keys: a deleted endpoint must not take deliveries with it unseen.
--
-- A small table through which many rows pass: each is inserted, updated once or twice and deleted within seconds, so
-- nearly all that it holds is dead versions, and a claim walks over those that stand before the first live one.
-- Autovacuum waits for a fifth of the table by default: with a backlog of a million, 200,000 dead rows. Here it waits
-- for 1,000 and a hundredth, and may do ten times the work before it naps. The statistics keep up in the same way,
-- because a plan made for an empty table is a bad one for a full one. Large payloads live in the toast table, which
-- dies as fast.
-- One check of status and ready: every statement prepares each check anew, which takes 4 of the 100 µs of an insert.
-- No fillfactor: every update moves due_at or status, which are indexed, so none could stay within its page's chain.
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
  replayed_at bigint,
  completed_at bigint,
  last_error text,
  last_status integer,
  content_type text,
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

-- Payloads that the rows of an event share, or that are too long to be rewritten with each move of their row. A payload goes
-- by maintenance, when no row of its event is left; event_id is where those rows are looked for.
create sequence if not exists keepsend_payload_id;
create table if not exists keepsend_payloads (
  id bigint not null primary key default nextval('keepsend_payload_id'),
  event_id text collate "C" not null,
  payload text not null
) with (
  autovacuum_vacuum_threshold = 1000,
  autovacuum_vacuum_scale_factor = 0.01,
  autovacuum_vacuum_cost_limit = 2000,
  toast.autovacuum_vacuum_threshold = 1000,
  toast.autovacuum_vacuum_scale_factor = 0.01,
  toast.autovacuum_vacuum_cost_limit = 2000
);

-- Lanes: rows that may go now, by workspace and endpoint. The claim goes lane by lane, so that no backlog stands before a
-- neighbour's row.
create index if not exists pending_events_ready on pending_events (workspace_id, endpoint_id, id)
where ready = 1;

-- Rows that wait for a time: of a retry, or of a lease that may end. A row is in this index or in the one above, or in
-- neither; never in both.
create index if not exists pending_events_due on pending_events (due_at, id)
where status = 'pending' and due_at is not null and ready = 0;

-- Clean-up walks this one, and a replay of all workspaces, by the time of settling, never by the time of creation. The status
-- leads, because failed rows are retained for longer than completed ones: each clean-up ends at the first row that stays.
-- Those two alone say this condition, so that no planner takes this index for the replay of one endpoint, past the
-- rows of all others.
create index if not exists pending_events_settled on pending_events (status, completed_at, id)
where coalesce(completed_at, -1) >= 0;

-- Letting out what was kept aside for one endpoint.
create index if not exists pending_events_held on pending_events (endpoint_id, id)
where status = 'held';

-- The list of a workspace: settled rows, held ones, and those that wait after a failure. Partial, so that a delivery that
-- succeeds at once never enters it, in line, claimed or dispatched.
create index if not exists pending_events_at_rest on pending_events (workspace_id, id)
where ready = 0 and claimed_at is null and (status <> 'pending' or last_error is not null);

-- Replays of one endpoint, the longest settled first, however many rows others have.
create index if not exists pending_events_replay on pending_events (workspace_id, endpoint_id, status, completed_at, id)
where completed_at is not null;

-- Where the hourly pass over rows that were handed to a queue has come to: one row, so that a pass goes on whichever
-- process makes the next step. after_id is null between two passes. expiry_after_id is the same for the look for expired
-- rows; expiry_ended_at is when that had looked at every key last. held_after_id is the endpoint behind which the look at
-- endpoints with held rows goes on. payloads_after_id is the same for the clean-up of payloads; its next pass begins at
-- payloads_next_at.
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

-- The database's clock in milliseconds, under one name on every database, so one text serves them all. The time at
-- which the statement began, wherever in the statement it is read: not that of the transaction, which may be long ago.
create or replace view keepsend_clock as
select cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint) as ms;

-- The first passes over rows begin an hour from here.
insert into keepsend_sweep_pass (id, began_at, expiry_ended_at, payloads_next_at)
select 1, ms, ms, ms from keepsend_clock on conflict (id) do nothing;
