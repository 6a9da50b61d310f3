-- One row is one attempt of a delivery, inserted in the transaction of its settle, if the engine has history.
-- id is the time of the settle in milliseconds × 2^20, and a place from the sequence: the order of ids is the order of time,
-- and a range of times is a range of ids. Partitioned by it, so that whole days can be dropped; a row for which there is no
-- partition is in the default one, so no settle ever fails for want of one.
-- The sequence is not an identity column: a table with one cannot be attached as a partition.
create sequence if not exists keepsend_attempt_place cache 128;

create table if not exists keepsend_attempts (
  id bigint not null primary key,
  delivery_id text collate "C" not null,
  gen bigint not null,
  workspace_id text collate "C" not null,
  endpoint_id text collate "C" not null,
  event_type text not null,
  number integer not null,
  reason text not null check (reason in ('publish', 'retry', 'replay', 'test')),
  started_at bigint not null,
  queue_us bigint,
  dns_us bigint,
  connect_us bigint,
  tls_us bigint,
  first_byte_us bigint,
  total_us bigint not null,
  outcome text not null check (outcome in ('delivered', 'retry', 'deferred', 'failed', 'superseded')),
  http_status integer,
  error_class text,
  error text,
  url text not null,
  headers text,
  body text
) partition by range (id);

-- The attempts of a delivery, and of an event: both are ranges of ids.
create index if not exists keepsend_attempts_delivery on keepsend_attempts (delivery_id, gen);

-- Lists of failures. Partial: a delivered attempt is in none of them, and no superseded one.
create index if not exists keepsend_attempts_failed on keepsend_attempts (workspace_id, id)
where outcome <> 'delivered' and outcome <> 'superseded';

create index if not exists keepsend_attempts_failed_endpoint on keepsend_attempts (endpoint_id, id)
where outcome <> 'delivered' and outcome <> 'superseded';

create table if not exists keepsend_attempts_default partition of keepsend_attempts default;
