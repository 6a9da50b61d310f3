-- An erasure: a job that deletes rows in steps, each one transaction, and a tombstone, which keeps what was erased from coming
-- back. Its states are in erasure-job.ts.
-- target: the id of the event or of the endpoint; '' for a range of times and for a workspace.
-- from_id, to_id: it covers events whose ids are from from_id on and below to_id. Of a workspace it covers all rows that were
-- inserted before created_at. since_at, until_at: the times of a range, else 0 and created_at.
-- step: compared and raised by each step. position: how far it is, as JSON. due_at: when the next step is due.
-- unsettled: counted when the job was made, and part of planned; planned_more 1: there are more. dropped: deliveries that were
-- deleted and had not been settled when the job was made, part of deliveries.
-- guards_until: the end of the tombstone; maintenance deletes the row after it.
create table if not exists keepsend_erasures (
  id text not null primary key,
  workspace_id text not null,
  what text not null check (what = 'event' or what = 'endpoint' or what = 'range' or what = 'workspace'),
  target text not null,
  from_id text not null,
  to_id text not null,
  since_at integer not null,
  until_at integer not null,
  planned integer not null default 0,
  unsettled integer not null default 0,
  planned_more integer not null default 0,
  dropped integer not null default 0,
  deliveries integer not null default 0,
  attempts integer not null default 0,
  events integer not null default 0,
  answers integer not null default 0,
  state text not null default 'running' check (state = 'running' or state = 'completed'),
  reason text,
  step integer not null default 0,
  position text not null,
  due_at integer not null,
  created_at integer not null,
  ended_at integer,
  guards_until integer not null
) strict, without rowid;

create index if not exists keepsend_erasures_workspace on keepsend_erasures (workspace_id, id);

-- Tombstones: looked up by the event, by its endpoint, and by ''.
create index if not exists keepsend_erasures_target on keepsend_erasures (workspace_id, target, to_id);

-- Jobs whose next step is due.
create index if not exists keepsend_erasures_due on keepsend_erasures (due_at, id) where state = 'running';

-- Tombstones past their end.
create index if not exists keepsend_erasures_ended on keepsend_erasures (guards_until) where ended_at is not null;
