-- How long the history of a workspace is retained, if less than that of the installation, in milliseconds. Null: as long.
-- bodies_done_to: the attempt up to which bodies have been removed already. The row with the id '' has that of all workspaces.
create table if not exists keepsend_workspaces (
  id text collate "C" not null primary key,
  attempts_ms bigint,
  bodies_ms bigint,
  bodies_done_to bigint not null default 0
);
