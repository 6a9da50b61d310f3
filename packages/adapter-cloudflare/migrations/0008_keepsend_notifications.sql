-- The notifications of a workspace about one of its endpoints, by type: at most one a minute, if the engine has
-- workspaceNotifications. A row lasts from a notification until a minute after the last one.
-- event_id: the notification that was sent with everything that the row counts; null while the row collects what happens
-- within the minute after sent_at, to be sent then.
-- No index by time: maintenance reads the whole table, which has the endpoints of the last minute or two alone, and each write
-- would write the index too.
-- occurrences, delivery_ids, data: how many, the first failed deliveries (joined by commas), and the data of the first.
create table if not exists keepsend_notifications (
  endpoint_id text not null,
  event_type text not null,
  workspace_id text not null,
  event_id text,
  sent_at integer not null,
  began_at integer not null,
  occurrences integer not null,
  delivery_ids text,
  data text not null,
  primary key (endpoint_id, event_type)
) strict, without rowid;
