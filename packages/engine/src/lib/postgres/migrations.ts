// Written by scripts/embed-migrations.ts from migrations/postgres/*.sql; change those.
import type { Migration } from '@keepsend/outbox/internal'

export const migrations: readonly Migration[] = [
  {
    name: 'engine/0001_endpoints',
    sql: `-- Ids go by their bytes, as those of pending_events do.
--
-- A customer's receiver. event_types and channels are the lists as the API shows them; what matches an event is in
-- keepsend_subscriptions, written in the same unit. version + 1 on every change: a verdict on an endpoint names the
-- version that it read.
-- rate_next_us: when the next attempt may begin under rate_limit (attempts per rate_period), in microseconds; rate_granted: how many were granted last.
-- circuit to window_successes: the endpoint's health, written by settles, and by none while all goes well.
-- last_failed_id: the delivery that failed last while the circuit was open, or as it opened; the next probe is another.
-- paused_until: no attempt begins before; it only moves forward. pause_requested_at: when the receiver asked for it, null when a
-- person paused.
-- auth, tls: what is shown of them; the rest is encrypted in keepsend_secrets. They are last, for publishing reads neither.
-- headers: their names, and each value encrypted under a key of the endpoint's, which stands in keepsend_secrets.
-- resume_at: when held rows are let out next. Taken by compare-and-set.
create table if not exists keepsend_endpoints (
  id text collate "C" not null primary key,
  workspace_id text not null,
  url text not null,
  description text not null default '',
  status text not null default 'enabled' check (status in ('enabled', 'disabled')),
  disabled_reason text,
  disabled_at bigint,
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
  concurrency integer,
  rate_limit integer,
  rate_period text not null default 'second' check (rate_period in ('second', 'minute', 'hour')),
  rate_next_us bigint not null default 0,
  rate_granted integer not null default 0,
  circuit text not null default 'closed' check (circuit in ('closed', 'open')),
  probe_id text collate "C",
  last_failed_id text collate "C",
  failing_since bigint,
  warned integer not null default 0,
  failures_in_row integer not null default 0,
  timeouts_in_row integer not null default 0,
  window_at bigint,
  window_failures integer not null default 0,
  window_successes integer not null default 0,
  paused_until bigint,
  pause_requested_at bigint,
  resume_at bigint,
  created_at bigint not null,
  updated_at bigint not null,
  auth text,
  tls text
);

create index if not exists keepsend_endpoints_workspace on keepsend_endpoints (workspace_id, id);

create index if not exists keepsend_endpoints_resume on keepsend_endpoints (resume_at, id)
where resume_at is not null;

-- Every (pattern, channel) under which an endpoint wants events: publishing looks up the few that fit an event.
create table if not exists keepsend_subscriptions (
  workspace_id text not null,
  pattern text collate "C" not null,
  channel text collate "C" not null,
  endpoint_id text collate "C" not null,
  primary key (workspace_id, pattern, channel, endpoint_id)
);

create index if not exists keepsend_subscriptions_endpoint on keepsend_subscriptions (endpoint_id);

-- Of each scheme the secret of the highest version signs, and older ones beside it until they expire. secret is base64
-- under the key that key_id names; without a key_id it is readable, as in development. headers: the key of the header
-- values in keepsend_endpoints. Two stand here without an endpoint: the pepper of the API keys, and under each key that
-- was ever the first a known text to check it by.
-- auth and tls: keys of what stands in sealed, encrypted. token: the access token of an auth by OAuth 2.0, under the same key.
create table if not exists keepsend_secrets (
  endpoint_id text collate "C" not null,
  scheme text collate "C" not null check (scheme in ('v1', 'v1a', 'compat', 'headers', 'auth', 'tls', 'check', 'pepper')),
  version integer not null,
  secret text not null,
  key_id text,
  created_at bigint not null,
  expires_at bigint,
  sealed text,
  token text,
  primary key (endpoint_id, scheme, version)
);

create index if not exists keepsend_secrets_expiry on keepsend_secrets (expires_at) where expires_at is not null;

-- Only a hash of the key is stored, under the pepper: 256 random bits need no slow hash.
create table if not exists keepsend_api_keys (
  key_hash text not null primary key,
  id text collate "C" not null unique,
  workspace_id text not null,
  name text not null,
  scopes text not null,
  created_at bigint not null,
  expires_at bigint,
  last_used_at bigint
);

create index if not exists keepsend_api_keys_workspace on keepsend_api_keys (workspace_id, id);
`,
  },
  {
    name: 'engine/0002_idempotency',
    sql: `-- The answer to a request that committed, written in the same unit as its change: a plain insert, first in the unit,
-- so the primary key lets one commit through. The hash leads after the workspace: a range of hashes is an even sample of
-- its records, by which they are counted.
create table if not exists keepsend_idempotency_records (
  workspace_id text not null,
  method text not null,
  route text not null,
  key_hash text not null,
  body_hash text not null,
  created_at bigint not null,
  status integer not null,
  body text not null,
  primary key (workspace_id, key_hash, method, route)
);

create index if not exists keepsend_idempotency_records_created on keepsend_idempotency_records (created_at);

-- Advice that a request is being worked on, for the 409. It never authorises a commit, and it expires.
create table if not exists keepsend_idempotency_marks (
  workspace_id text not null,
  method text not null,
  route text not null,
  key_hash text not null,
  owner text not null,
  expires_at bigint not null,
  primary key (workspace_id, method, route, key_hash)
);
`,
  },
]
