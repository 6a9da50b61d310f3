-- One row is one event of a workspace, if the engine's history has events: inserted with its deliveries, or without one if no
-- endpoint matched. Two workspaces may publish under one id. Ids begin with a time, so the key is in the order of time.
-- deliveries is the number of rows that the first publish inserted. trace_parent is the publisher's W3C trace
-- context. payload_id is a row of keepsend_payloads: it stays as long as the event. search_values has the values of the
-- event in keepsend_event_search, by their paths as JSON; null: none.
create table if not exists keepsend_events (
  id text collate "C" not null,
  workspace_id text collate "C" not null,
  event_type text not null,
  channels text not null,
  created_at bigint not null,
  deliveries integer not null,
  content_type text,
  trace_parent text,
  search_values text,
  payload_id bigint not null,
  primary key (id, workspace_id)
);

-- The events of a workspace, newest first.
create index if not exists keepsend_events_workspace on keepsend_events (workspace_id, id);

