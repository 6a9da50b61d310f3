-- Lists of all attempts of an endpoint and of a workspace. Not on D1, which bills each as one more row of every attempt: there a
-- host applies them if it wants these lists.
create index if not exists keepsend_attempts_endpoint on keepsend_attempts (endpoint_id);

create index if not exists keepsend_attempts_workspace on keepsend_attempts (workspace_id);
