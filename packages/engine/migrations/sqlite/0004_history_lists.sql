-- Lists of all attempts of an endpoint and of a workspace. Not on D1, which bills each as one more row of every attempt: there
-- these lists read the newest attempts of all.
create index if not exists keepsend_attempts_endpoint on keepsend_attempts (endpoint_id, id);

create index if not exists keepsend_attempts_workspace on keepsend_attempts (workspace_id, id);
