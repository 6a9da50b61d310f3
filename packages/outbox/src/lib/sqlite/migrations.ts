// Written by scripts/embed-migrations.ts from migrations/sqlite/*.sql; change those.
import type { Migration } from '../migrate.ts'

export const migrations: readonly Migration[] = [
  {
    name: 'outbox/0001_pending_events',
    sql: `-- One row is one delivery: one event on its way to one endpoint.
-- WITHOUT ROWID: with a rowid the text key would be a second b-tree, and on D1 each b-tree an insert touches
-- is a billed write. So an insert that is handed to a queue (due_at null) writes one row, and its delete one.
-- Each status is compared by itself: for a list of four SQLite builds a table in memory at every insert and update
-- (2 of 8.5 µs an insert).
-- gen begins at the clock, so that a row that is inserted again repeats no gen of its earlier life.
-- endpoint_id is '' for none, because min() skips null. ready is 1 while the row stands in its lane; only pending rows do.
-- payload stands last, so a claim or a count that does not want it never reads its overflow pages. Null: it is stored in
-- keepsend_payloads, under payload_id. Every move of a row rewrites the row, and with it a payload that stands in it.
-- content_type is null for JSON, which nearly every payload is.
-- No foreign keys: a deleted endpoint must not take deliveries with it unseen.
create table if not exists pending_events (
  id text not null primary key,
  workspace_id text not null,
  event_type text not null,
  endpoint_id text not null default '',
  status text not null default 'pending'
    check (status = 'pending' or status = 'completed' or status = 'failed' or status = 'held'),
  hold_reason text,
  held_at integer,
  attempts integer not null default 0,
  max_attempts integer not null default 10,
  deferrals integer not null default 0,
  crashes integer not null default 0,
  gen integer not null default (cast(round(unixepoch('subsec') * 1000) as integer)),
  due_at integer,
  ready integer not null default 0 check (ready = 0 or (ready = 1 and status = 'pending')),
  claimed_at integer,
  created_at integer not null,
  replayed_at integer,
  completed_at integer,
  last_error text,
  last_status integer,
  content_type text,
  payload_id integer,
  payload text check (payload is not null or payload_id is not null)
) strict, without rowid;

-- Payloads that the rows of an event share, or that are too long to be rewritten with each move of their row. A payload goes
-- by maintenance, when no row of its event is left; event_id is where those rows are looked for. With a rowid, as the one
-- table here: without one a payload of 2,000 bytes took 4,683 (measured).
create table if not exists keepsend_payloads (
  id integer not null primary key,
  event_id text not null,
  payload text not null
) strict;

-- Lanes: rows that may go now, by workspace and endpoint. The claim goes lane by lane, so that no backlog stands before a
-- neighbour's row. Partial: leaving it costs no write.
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
  began_at integer not null,
  after_id text,
  expiry_after_id text,
  held_after_id text,
  expiry_ended_at integer not null,
  payloads_after_id integer,
  payloads_next_at integer not null
) strict;

-- The database's clock in milliseconds, under one name on every database, so one text serves them all.
create view if not exists keepsend_clock as
select cast(round(unixepoch('subsec') * 1000) as integer) as ms;

-- The first passes over rows begin an hour from here.
insert into keepsend_sweep_pass (id, began_at, expiry_ended_at, payloads_next_at)
select 1, ms, ms, ms from keepsend_clock where true on conflict (id) do nothing;
`,
  },
]
