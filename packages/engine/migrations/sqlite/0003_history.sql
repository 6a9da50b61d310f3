-- One row is one attempt of a delivery, inserted in the transaction of its settle, if the engine has history.
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
