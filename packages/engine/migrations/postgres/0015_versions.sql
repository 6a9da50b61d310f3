-- Labels of the versions of a catalog. event_version: the label of an endpoint; null: it was made without one. version: the label
-- of an event's payload. copies: by label as JSON, the rows of keepsend_payloads that have its payload in that version.
alter table keepsend_endpoints add column event_version text;
alter table keepsend_events add column version text;
alter table keepsend_events add column copies text;
