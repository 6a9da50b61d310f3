-- One row is one action of a person, inserted in the transaction of the action.
-- id: 'aud_' and a UUIDv7 whose time is that of the database, so that the order of ids is that of time. principal: the API key or
-- the name that the host gave; null: none was given. The other ids are null where the action is about none of that kind.
create table if not exists keepsend_audit (
  id text collate "C" not null primary key,
  at bigint not null,
  workspace_id text collate "C" not null,
  principal text,
  verb text not null,
  endpoint_id text,
  delivery_id text,
  problem_id text,
  replay_id text,
  erasure_id text,
  api_key_id text,
  new_api_key_id text
);

create index if not exists keepsend_audit_workspace on keepsend_audit (workspace_id, id);
