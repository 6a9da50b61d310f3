-- One row is one delivery: one event on its way to one endpoint.
-- WITHOUT ROWID: with a rowid the text key would be a second b-tree, and D1 bills a write for each b-tree of an insert.
-- So the insert of a dispatched row (due_at null) writes one row, and its delete one.
-- Each status is compared by itself: for a list of four SQLite builds a table in memory at every insert and update (2
-- of 8.5 µs an insert).
-- gen begins at the clock, so that a row that is inserted again repeats no gen of its earlier life.
-- endpoint_id is '' for none, because min() skips null. ready is 1 while the row is in line; only pending rows are.
-- payload is the last column, so that a claim or a count that does not need it never reads its overflow pages. Null: it
-- is in keepsend_payloads, under payload_id. Every move of a row rewrites the row and any payload in it.
-- content_type is null for JSON, which nearly every payload is. filter is a condition on the payload that its worker still has
-- to evaluate; null: none. version is the label of the payload; null: its event has none. convert_to is the label to which its
-- worker has to convert it first; null: none.
-- deliver_at: no attempt before it; expires_at: none from then on. Null unless the event has them; a replay sets them to null.
-- No foreign keys: a deleted endpoint must not silently delete its deliveries.
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
  deliver_at integer,
  expires_at integer,
  replayed_at integer,
  completed_at integer,
  last_error text,
  last_status integer,
  content_type text,
  filter text,
  version text,
  convert_to text,
  payload_id integer,
  payload text check (payload is not null or payload_id is not null)
) strict, without rowid;

-- Payloads that the rows of an event share, or that are too long to be rewritten with each move of their row.
-- Maintenance deletes a payload when its event has no rows left; event_id finds them. The only table here with a rowid:
-- without one a payload of 2,000 bytes took 4,683 (measured).
create table if not exists keepsend_payloads (
  id integer not null primary key,
  event_id text not null,
  payload text not null,
  version text
) strict;

-- Lanes: rows that may go now, by workspace and endpoint. Claims take from each lane, so that no backlog delays a
-- neighbour's row. Partial: leaving it costs no write.
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
  began_at integer not null,
  after_id text,
  expiry_after_id text,
  held_after_id text,
  expiry_ended_at integer not null,
  payloads_after_id integer,
  payloads_next_at integer not null
) strict;

-- The database's clock in milliseconds, under one name on every database, so that one text serves them all.
create view if not exists keepsend_clock as
select cast(round(unixepoch('subsec') * 1000) as integer) as ms;

-- The first passes over rows begin an hour from here.
insert into keepsend_sweep_pass (id, began_at, expiry_ended_at, payloads_next_at)
select 1, ms, ms, ms from keepsend_clock where true on conflict (id) do nothing;
