-- Links that let a customer of a workspace into the portal. Only an HMAC of the token under the pepper is stored: 256 random bits need
-- no slow hash.
-- uses_left: 1 and then 0 of a one-time link; null: it can be opened again and again. capabilities: a list, as JSON.
-- A session of a link is valid while its row is neither expired nor revoked; there is no row of a session.
create table if not exists keepsend_portal_links (
  id text collate "C" not null primary key,
  token_hash text collate "C" not null unique,
  workspace_id text collate "C" not null,
  capabilities text not null,
  uses_left integer check (uses_left >= 0),
  subject text,
  theme text check (theme in ('light', 'dark')),
  language text,
  return_url text,
  created_by text not null,
  created_at bigint not null,
  expires_at bigint not null,
  last_used_at bigint,
  revoked_at bigint
);

create index if not exists keepsend_portal_links_workspace on keepsend_portal_links (workspace_id, id);

-- Links that were neither used up nor revoked: a new one counts those that have not expired.
create index if not exists keepsend_portal_links_active on keepsend_portal_links (workspace_id, expires_at)
  where revoked_at is null and (uses_left is null or uses_left > 0);

-- Links past their retention.
create index if not exists keepsend_portal_links_expiry on keepsend_portal_links (expires_at);

alter table keepsend_audit add column portal_link_id text;
