-- The answer of a request, written in the transaction of its change: a plain insert, first in the transaction, so that the
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
