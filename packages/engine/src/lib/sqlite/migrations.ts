// Written by scripts/embed-migrations.ts from migrations/sqlite/*.sql, as long as they are; change those.
import type { Migration } from '@keepsend/outbox/internal'

export const migrations: readonly Migration[] = [
  {
    name: 'engine/0001_endpoints',
    sql: `-- A customer's receiver. event_types and channels are the lists that the API shows; events are matched against
-- keepsend_subscriptions, which is written in the same transaction.
-- version: raised by every change. A settle that disables an endpoint names the version that its attempt read.
-- headers: names, with each value encrypted under a key of the endpoint in keepsend_secrets.
-- filter: a condition on the body, as JSON; filter_version is raised by every change of it, so that a publisher knows whether it
-- has evaluated this one.
-- rate_next_us: the slot time of the next attempt under rate_limit (attempts per rate_period), in microseconds.
-- rate_granted: the number of permits that were granted last.
-- circuit to window_successes: the endpoint's health, written by settles, but not by those of a healthy endpoint.
-- last_failed_id: the delivery that failed last, as a probe or when the circuit opened; the next probe is another one.
-- paused_until: no attempt begins before this time; it only moves forward.
-- pause_requested_at: when the receiver requested the pause; null if a person paused.
-- resume_at: when held rows are resumed next. Compare-and-set guards it: of several pollers one resumes each batch.
-- auth, tls: the shown part; the rest is encrypted in keepsend_secrets.
-- uid: the host's own id of the endpoint, unique in its workspace. metadata: texts of the host, which are shown and never sent.
-- These four are the last columns, because publishing reads none of them.
create table if not exists keepsend_endpoints (
  id text not null primary key,
  workspace_id text not null,
  url text not null,
  description text not null default '',
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text,
  disabled_at integer,
  version integer not null default 1,
  event_types text not null,
  channels text not null,
  retry_schedule text,
  max_attempts integer not null default 10,
  deadline_ms integer,
  headers text not null default '{}',
  retry_statuses text not null default '[]',
  signatures text not null default '["v1"]',
  compat_header text,
  compat_format text not null default 'timestamped' check (compat_format in ('timestamped', 'sha256')),
  event_type_header text,
  filter text,
  filter_version integer not null default 0,
  concurrency integer,
  rate_limit integer,
  rate_period text not null default 'second' check (rate_period in ('second', 'minute', 'hour')),
  rate_next_us integer not null default 0,
  rate_granted integer not null default 0,
  circuit text not null default 'closed' check (circuit in ('closed', 'open')),
  probe_id text,
  last_failed_id text,
  failing_since integer,
  warned integer not null default 0,
  failures_in_row integer not null default 0,
  timeouts_in_row integer not null default 0,
  window_at integer,
  window_failures integer not null default 0,
  window_successes integer not null default 0,
  paused_until integer,
  pause_requested_at integer,
  resume_at integer,
  created_at integer not null,
  updated_at integer not null,
  auth text,
  tls text,
  uid text,
  metadata text not null default '{}'
) strict, without rowid;

create index if not exists keepsend_endpoints_workspace on keepsend_endpoints (workspace_id, id);

-- Partial, so that an endpoint without a uid costs nothing.
create unique index if not exists keepsend_endpoints_uid on keepsend_endpoints (workspace_id, uid)
where uid is not null;

create index if not exists keepsend_endpoints_resume on keepsend_endpoints (resume_at, id)
where resume_at is not null;

-- Every (pattern, channel) that an endpoint subscribes to: publishing looks up the few that match an event.
create table if not exists keepsend_subscriptions (
  workspace_id text not null,
  pattern text not null,
  channel text not null,
  endpoint_id text not null,
  primary key (workspace_id, pattern, channel, endpoint_id)
) strict, without rowid;

create index if not exists keepsend_subscriptions_endpoint on keepsend_subscriptions (endpoint_id);

-- In each scheme the secret of the highest version signs, and older ones sign beside it until they expire.
-- secret: base64, encrypted under the key that key_id names; plaintext if key_id is null, as in development.
-- scheme headers: the key of the header values in keepsend_endpoints. Schemes auth and tls: the key of sealed.
-- Schemes pepper and check belong to no endpoint: the pepper of the API keys, and a known text under each key that was ever
-- active, to check the key by.
-- token: the access token of an oauth2 auth, encrypted under the same key as sealed.
create table if not exists keepsend_secrets (
  endpoint_id text not null,
  scheme text not null check (scheme in ('v1', 'v1a', 'compat', 'headers', 'auth', 'tls', 'check', 'pepper')),
  version integer not null,
  secret text not null,
  key_id text,
  created_at integer not null,
  expires_at integer,
  sealed text,
  token text,
  primary key (endpoint_id, scheme, version)
) strict, without rowid;

create index if not exists keepsend_secrets_expiry on keepsend_secrets (expires_at) where expires_at is not null;

-- Only an HMAC of the key under the pepper is stored: 256 random bits need no slow hash.
create table if not exists keepsend_api_keys (
  key_hash text not null primary key,
  id text not null unique,
  workspace_id text not null,
  name text not null,
  scopes text not null,
  created_at integer not null,
  expires_at integer,
  last_used_at integer
) strict, without rowid;

create index if not exists keepsend_api_keys_workspace on keepsend_api_keys (workspace_id, id);
`,
  },
  {
    name: 'engine/0002_idempotency',
    sql: `-- The answer of a request, written in the transaction of its change: a plain insert, first in the transaction, so that the
-- primary key lets only one commit of the request through. key_hash follows workspace_id in the key, because a range of
-- hashes is an even sample of the workspace's records, by which they are counted.
create table if not exists keepsend_idempotency_records (
  workspace_id text not null,
  method text not null,
  route text not null,
  key_hash text not null,
  body_hash text not null,
  created_at integer not null,
  status integer not null,
  body text not null,
  primary key (workspace_id, key_hash, method, route)
) strict, without rowid;

create index if not exists keepsend_idempotency_records_created on keepsend_idempotency_records (created_at);

-- Says that a request is in flight, for the 409. Advisory: a mark never authorises a commit, and it expires.
create table if not exists keepsend_idempotency_marks (
  workspace_id text not null,
  method text not null,
  route text not null,
  key_hash text not null,
  owner text not null,
  expires_at integer not null,
  primary key (workspace_id, method, route, key_hash)
) strict, without rowid;
`,
  },
  {
    name: 'engine/0003_history',
    sql: `-- One row is one attempt of a delivery, inserted in the transaction of its settle, if the engine has history.
-- id is the time of the settle in milliseconds × 4096, and a place: newest first is the key backwards, a range of times is a
-- range of keys, and inserts append. Below 2^53 until 2039. A clock that steps back continues from the last key.
-- headers and body are last, so that a list that does not show them never reads their overflow pages.
create table if not exists keepsend_attempts (
  id integer not null primary key,
  delivery_id text not null,
  gen integer not null,
  workspace_id text not null,
  endpoint_id text not null,
  event_type text not null,
  number integer not null,
  reason text not null check (reason = 'publish' or reason = 'retry' or reason = 'replay' or reason = 'test'),
  started_at integer not null,
  queue_us integer,
  dns_us integer,
  connect_us integer,
  tls_us integer,
  first_byte_us integer,
  total_us integer not null,
  outcome text not null
    check (outcome = 'delivered' or outcome = 'retry' or outcome = 'deferred' or outcome = 'failed'
      or outcome = 'superseded'),
  http_status integer,
  error_class text,
  error text,
  url text not null,
  headers text,
  body text
) strict;

-- The attempts of a delivery, and of an event: both are ranges of ids. Unique, so that no claim is recorded twice.
create unique index if not exists keepsend_attempts_delivery on keepsend_attempts (delivery_id, gen);

-- Lists of failures. Partial: a delivered attempt is in none of them, and no superseded one. Each entry ends with the id: naming
-- it would store it twice.
create index if not exists keepsend_attempts_failed on keepsend_attempts (workspace_id)
where outcome <> 'delivered' and outcome <> 'superseded';

create index if not exists keepsend_attempts_failed_endpoint on keepsend_attempts (endpoint_id)
where outcome <> 'delivered' and outcome <> 'superseded';
`,
  },
  {
    name: 'engine/0004_history_lists',
    sql: `-- Lists of all attempts of an endpoint and of a workspace. Not on D1, which bills each as one more row of every attempt: there a
-- host applies them if it wants these lists.
create index if not exists keepsend_attempts_endpoint on keepsend_attempts (endpoint_id);

create index if not exists keepsend_attempts_workspace on keepsend_attempts (workspace_id);
`,
  },
  {
    name: 'engine/0005_problems',
    sql: `-- One row is one problem: the failed attempts at one endpoint with one error class and one HTTP status, counted in the
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
`,
  },
  {
    name: 'engine/0006_statistics',
    sql: `-- Attempts by endpoint and time, if the engine has statistics; maintenance adds them up. endpoint_id '': all endpoints of the
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
`,
  },
  {
    name: 'engine/0007_events',
    sql: `-- One row is one event of a workspace, if the engine's history has events: inserted with its deliveries, or without one if no
-- endpoint matched. Two workspaces may publish under one id. Ids begin with a time, so the key is in the order of time.
-- deliveries is the number of rows that the first publish inserted. trace_parent is the publisher's W3C trace
-- context. payload_id is a row of keepsend_payloads: it stays as long as the event. search_values has the values of the
-- event in keepsend_event_search, by their paths as JSON; null: none.
create table if not exists keepsend_events (
  id text not null,
  workspace_id text not null,
  event_type text not null,
  channels text not null,
  created_at integer not null,
  deliveries integer not null,
  content_type text,
  trace_parent text,
  search_values text,
  payload_id integer not null,
  primary key (id, workspace_id)
) strict, without rowid;

-- The events of a workspace, newest first.
create index if not exists keepsend_events_workspace on keepsend_events (workspace_id, id);
`,
  },
  {
    name: 'engine/0008_notifications',
    sql: `-- The notifications of a workspace about one of its endpoints, by type: at most one a minute, if the engine has
-- workspaceNotifications. A row lasts from a notification until a minute after the last one.
-- event_id: the notification that was sent with everything that the row counts; null while the row collects what happens
-- within the minute after sent_at, to be sent then.
-- No index by time: maintenance reads the whole table, which has the endpoints of the last minute or two alone, and each write
-- would write the index too.
-- occurrences, delivery_ids, data: how many, the first failed deliveries (joined by commas), and the data of the first.
create table if not exists keepsend_notifications (
  endpoint_id text not null,
  event_type text not null,
  workspace_id text not null,
  event_id text,
  sent_at integer not null,
  began_at integer not null,
  occurrences integer not null,
  delivery_ids text,
  data text not null,
  primary key (endpoint_id, event_type)
) strict, without rowid;
`,
  },
  {
    name: 'engine/0009_workers',
    sql: `-- The processes that deliver, each with its last heartbeat: maintenance writes one, if the engine has history.
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
`,
  },
  {
    name: 'engine/0010_workspaces',
    sql: `-- How long the history of a workspace is retained, if less than that of the installation, in milliseconds. Null: as long.
-- bodies_done_to: the attempt up to which bodies have been removed already. The row with the id '' has that of all workspaces.
create table if not exists keepsend_workspaces (
  id text not null primary key,
  attempts_ms integer,
  bodies_ms integer,
  bodies_done_to integer not null default 0
) strict, without rowid;
`,
  },
  {
    name: 'engine/0011_event_search',
    sql: `-- One row is one value in the payload of an event, at a path that the host declares with history.search: a text, or a number,
-- true or false as JSON writes it. It is inserted and deleted with its event, which lists its values in search_values.
create table if not exists keepsend_event_search (
  workspace_id text not null,
  path text not null,
  value text not null,
  event_id text not null,
  primary key (workspace_id, path, value, event_id)
) strict, without rowid;
`,
  },
  {
    name: 'engine/0012_audit',
    sql: `-- One row is one action of a person, inserted in the transaction of the action.
-- id: 'aud_' and a UUIDv7 whose time is that of the database, so that the order of ids is that of time. principal: the API key or
-- the name that the host gave; null: none was given. The other ids are null where the action is about none of that kind.
create table if not exists keepsend_audit (
  id text not null primary key,
  at integer not null,
  workspace_id text not null,
  principal text,
  verb text not null,
  endpoint_id text,
  delivery_id text,
  problem_id text,
  replay_id text,
  erasure_id text,
  api_key_id text,
  new_api_key_id text
) strict, without rowid;

create index if not exists keepsend_audit_workspace on keepsend_audit (workspace_id, id);
`,
  },
  {
    name: 'engine/0013_replays',
    sql: `-- A replay job: it sends deliveries again in steps, each one transaction. Its states are in replay-job.ts.
-- endpoint_id '': any of the workspace. selection: the filter that was asked for, as JSON; ids: those of what = 'ids'.
-- since_at, until_at: only what was settled or published from since_at on and before until_at is taken.
-- planned: counted when the job was made; planned_more 1: there are more. seen: deliveries that steps have passed; sent and
-- gone (no longer stored) are parts of it, and the others were on their way.
-- step: compared and raised by each step. position: how far each endpoint is that the job works on, as JSON.
-- reason: why it waits, or why it was cancelled. paced_to: up to here the rate is used. due_at: when the next step is due.
create table if not exists keepsend_replays (
  id text not null primary key,
  workspace_id text not null,
  endpoint_id text not null,
  what text not null
    check (what = 'failed' or what = 'delivered' or what = 'missed' or what = 'matching' or what = 'ids'),
  selection text not null,
  ids text,
  rate integer,
  since_at integer not null,
  until_at integer not null,
  planned integer not null,
  planned_more integer not null,
  seen integer not null default 0,
  sent integer not null default 0,
  gone integer not null default 0,
  state text not null default 'running'
    check (state = 'running' or state = 'paused' or state = 'completed' or state = 'cancelled'),
  reason text,
  step integer not null default 0,
  position text not null,
  paced_to integer not null,
  due_at integer not null,
  created_at integer not null,
  ended_at integer
) strict, without rowid;

create index if not exists keepsend_replays_workspace on keepsend_replays (workspace_id, id);

-- Jobs whose next step is due.
create index if not exists keepsend_replays_due on keepsend_replays (due_at, id) where state = 'running';

-- An endpoint has one job at a time, and so have several endpoints of a workspace together.
create unique index if not exists keepsend_replays_unfinished on keepsend_replays (workspace_id, endpoint_id)
where ended_at is null;

-- Jobs past their retention.
create index if not exists keepsend_replays_ended on keepsend_replays (ended_at) where ended_at is not null;
`,
  },
  {
    name: 'engine/0014_erasure',
    sql: `-- An erasure: a job that deletes rows in steps, each one transaction, and a tombstone, which keeps what was erased from coming
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
`,
  },
  {
    name: 'engine/0015_versions',
    sql: `-- Labels of the versions of a catalog. event_version: the label of an endpoint; null: it was made without one. version: the label
-- of an event's payload. copies: by label as JSON, the rows of keepsend_payloads that have its payload in that version.
alter table keepsend_endpoints add column event_version text;
alter table keepsend_events add column version text;
alter table keepsend_events add column copies text;
`,
  },
  {
    name: 'engine/0016_portal_links',
    sql: `-- Links that let a customer of a workspace into the portal. Only an HMAC of the token under the pepper is stored: 256 random bits need
-- no slow hash.
-- uses_left: 1 and then 0 of a one-time link; null: it can be opened again and again. capabilities: a list, as JSON.
-- A session of a link is valid while its row is neither expired nor revoked; there is no row of a session.
create table if not exists keepsend_portal_links (
  id text not null primary key,
  token_hash text not null unique,
  workspace_id text not null,
  capabilities text not null,
  uses_left integer check (uses_left >= 0),
  subject text,
  theme text check (theme = 'light' or theme = 'dark'),
  language text,
  return_url text,
  created_by text not null,
  created_at integer not null,
  expires_at integer not null,
  last_used_at integer,
  revoked_at integer
) strict, without rowid;

create index if not exists keepsend_portal_links_workspace on keepsend_portal_links (workspace_id, id);

-- Links that were neither used up nor revoked: a new one counts those that have not expired.
create index if not exists keepsend_portal_links_active on keepsend_portal_links (workspace_id, expires_at)
  where revoked_at is null and (uses_left is null or uses_left > 0);

-- Links past their retention.
create index if not exists keepsend_portal_links_expiry on keepsend_portal_links (expires_at);

alter table keepsend_audit add column portal_link_id text;
`,
  },
]
