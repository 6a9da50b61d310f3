-- The processes that deliver, each with its last heartbeat: maintenance writes one, if the engine has history.
-- claimed, settled: since the start of the process. interval_ms to interval_settled: since the heartbeat before, so that a reader
-- sees a rate. Null on Workers, where the cron cannot see what the consumers do.
create table if not exists keepsend_workers (
  id text not null primary key,
  kind text not null,
  version text not null,
  started_at integer not null,
  seen_at integer not null,
  claimed integer,
  settled integer,
  interval_ms integer,
  interval_claimed integer,
  interval_settled integer
) strict, without rowid;
