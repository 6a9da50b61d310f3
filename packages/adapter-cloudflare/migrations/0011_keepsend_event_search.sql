-- One row is one value in the payload of an event, at a path that the host declares with history.search: a text, or a number,
-- true or false as JSON writes it. It is inserted and deleted with its event, which lists its values in search_values.
create table if not exists keepsend_event_search (
  workspace_id text not null,
  path text not null,
  value text not null,
  event_id text not null,
  primary key (workspace_id, path, value, event_id)
) strict, without rowid;
