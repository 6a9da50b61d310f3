-- For those who list and search deliveries by workspace: one more index entry for each insert and update. Without it
-- the list routes work and read more rows.
create index if not exists pending_events_workspace on pending_events (workspace_id, id);
