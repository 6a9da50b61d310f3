-- For those who let a queue deliver from Postgres: rows that were dispatched to it are in no index of their workspace, so that
-- a list of all or of pending deliveries looks through the keys of every workspace, 2,000 a page. With this one it goes by the
-- index of its workspace alone, for one more index entry for each insert. An engine looks for the index once: start it anew
-- afterwards.
create index if not exists pending_events_workspace on pending_events (workspace_id, id);
