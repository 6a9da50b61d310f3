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
  id text collate "C" not null primary key,
  workspace_id text collate "C" not null,
  what text not null check (what in ('event', 'endpoint', 'range', 'workspace')),
  target text collate "C" not null,
  from_id text collate "C" not null,
  to_id text collate "C" not null,
  since_at bigint not null,
  until_at bigint not null,
  planned bigint not null default 0,
  unsettled bigint not null default 0,
  planned_more integer not null default 0,
  dropped bigint not null default 0,
  deliveries bigint not null default 0,
  attempts bigint not null default 0,
  events bigint not null default 0,
  answers bigint not null default 0,
  state text not null default 'running' check (state in ('running', 'completed')),
  reason text,
  step integer not null default 0,
  position text not null,
  due_at bigint not null,
  created_at bigint not null,
  ended_at bigint,
  guards_until bigint not null
);

create index if not exists keepsend_erasures_workspace on keepsend_erasures (workspace_id, id);

-- Tombstones: looked up by the event, by its endpoint, and by ''.
create index if not exists keepsend_erasures_target on keepsend_erasures (workspace_id, target, to_id);

-- Jobs whose next step is due.
create index if not exists keepsend_erasures_due on keepsend_erasures (due_at, id) where state = 'running';

-- Tombstones past their end.
create index if not exists keepsend_erasures_ended on keepsend_erasures (guards_until) where ended_at is not null;
