-- A replay job: it sends deliveries again in steps, each one transaction. Its states are in replay-job.ts.
-- endpoint_id '': any of the workspace. selection: the filter that was asked for, as JSON; ids: those of what = 'ids'.
-- since_at, until_at: only what was settled or published from since_at on and before until_at is taken.
-- planned: counted when the job was made; planned_more 1: there are more. seen: deliveries that steps have passed; sent and
-- gone (no longer stored) are parts of it, and the others were on their way.
-- step: compared and raised by each step. position: how far each endpoint is that the job works on, as JSON.
-- reason: why it waits, or why it was cancelled. paced_to: up to here the rate is used. due_at: when the next step is due.
create table if not exists keepsend_replays (
  id text collate "C" not null primary key,
  workspace_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  what text not null
    check (what in ('failed', 'delivered', 'missed', 'matching', 'ids')),
  selection text not null,
  ids text,
  rate integer,
  since_at bigint not null,
  until_at bigint not null,
  planned bigint not null,
  planned_more integer not null,
  seen bigint not null default 0,
  sent bigint not null default 0,
  gone bigint not null default 0,
  state text not null default 'running'
    check (state in ('running', 'paused', 'completed', 'cancelled')),
  reason text,
  step integer not null default 0,
  position text not null,
  paced_to bigint not null,
  due_at bigint not null,
  created_at bigint not null,
  ended_at bigint
);

create index if not exists keepsend_replays_workspace on keepsend_replays (workspace_id, id);

-- Jobs whose next step is due.
create index if not exists keepsend_replays_due on keepsend_replays (due_at, id) where state = 'running';

-- An endpoint has one job at a time, and so have several endpoints of a workspace together.
create unique index if not exists keepsend_replays_unfinished on keepsend_replays (workspace_id, endpoint_id)
where ended_at is null;

-- Jobs past their retention.
create index if not exists keepsend_replays_ended on keepsend_replays (ended_at) where ended_at is not null;
