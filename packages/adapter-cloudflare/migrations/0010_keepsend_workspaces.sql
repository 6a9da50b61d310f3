-- How long the history of a workspace is retained, if less than that of the installation, in milliseconds. Null: as long.
-- bodies_done_to: the attempt up to which bodies have been removed already. The row with the id '' has that of all workspaces.
create table if not exists keepsend_workspaces (
  id text not null primary key,
  attempts_ms integer,
  bodies_ms integer,
  bodies_done_to integer not null default 0
) strict, without rowid;
