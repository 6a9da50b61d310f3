-- A customer's receiver. event_types and channels are the lists that the API shows; events are matched against
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
