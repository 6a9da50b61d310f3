-- Lists of all attempts of an endpoint and of a workspace.
create index if not exists keepsend_attempts_endpoint on keepsend_attempts (endpoint_id, id);

create index if not exists keepsend_attempts_workspace on keepsend_attempts (workspace_id, id);
