-- Attempts by endpoint and time, if the engine has statistics; maintenance adds them up. endpoint_id '': all endpoints of the
-- workspace; workspace_id '' as well: all workspaces. at: the beginning of the minute, hour or day (UTC), ms since the epoch.
-- Attempts of replays and tests are in replayed and tested alone. sketch: the durations of the others, {"bin": attempts}.
-- By time first: a roll-up appends, and reads and deletes in the order of the key; a series looks up each of its times.
create table if not exists keepsend_statistics (
  span text not null check (span = 'minute' or span = 'hour' or span = 'day'),
  at integer not null,
  workspace_id text not null,
  endpoint_id text not null,
  delivered integer not null,
  retried integer not null,
  deferred integer not null,
  failed integer not null,
  replayed integer not null,
  tested integer not null,
  sketch text not null,
  primary key (span, at, workspace_id, endpoint_id)
) strict, without rowid;

-- How far each roll-up is: the last row of its source that was added up. done_to: an id of keepsend_attempts, or a time with
-- the workspace and the endpoint of keepsend_statistics. It moves in the transaction that adds the rows.
create table if not exists keepsend_statistics_passes (
  source text not null primary key check (source = 'attempt' or source = 'minute' or source = 'hour'),
  done_to integer not null,
  workspace_id text not null default '',
  endpoint_id text not null default ''
) strict, without rowid;

insert into keepsend_statistics_passes (source, done_to) values ('attempt', 0), ('minute', 0), ('hour', 0)
on conflict (source) do nothing;
