-- For installations whose queue delivers from Postgres. Rows that were dispatched to the queue are in no index of their
-- workspace, so a list of all or of pending deliveries reads the keys of every workspace, 2,000 a page. With this index
-- it reads its own workspace alone, for one more index entry per insert. An engine looks for the index once: restart it
-- afterwards.
create index if not exists pending_events_workspace on pending_events (workspace_id, id);
