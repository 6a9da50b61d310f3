-- The answer to a request that committed, written in the same unit as its change: a plain insert, first in the unit,
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
