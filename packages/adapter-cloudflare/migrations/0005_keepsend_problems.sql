-- One row is one problem: the failed attempts at one endpoint with one error class and one HTTP status, counted in the
-- transactions of their settles, if the engine has history.
-- http_status 0: there was no answer. attempts and deliveries count on when a resolved problem opens again, first_seen_at starts
-- again. A problem that has not been seen for 24 hours reads as resolved, whatever its state: nothing writes that.
create table if not exists keepsend_problems (
  endpoint_id text not null,
  error_class text not null,
  http_status integer not null,
  workspace_id text not null,
  state text not null default 'open' check (state = 'open' or state = 'acknowledged' or state = 'resolved'),
  state_since integer not null,
  acknowledged_by text,
  opened integer not null default 1,
  first_seen_at integer not null,
  last_seen_at integer not null,
  attempts integer not null,
  deliveries integer not null,
  last_error text not null,
  last_delivery_id text not null,
  primary key (endpoint_id, error_class, http_status)
) strict, without rowid;

-- The problems of a workspace, the last seen first.
create index if not exists keepsend_problems_workspace
on keepsend_problems (workspace_id, last_seen_at, endpoint_id, error_class, http_status);

-- The problems of all workspaces, and those past their retention.
create index if not exists keepsend_problems_seen on keepsend_problems (last_seen_at, endpoint_id, error_class, http_status);
