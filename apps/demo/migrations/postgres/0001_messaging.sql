-- The messaging app's own tables. Every row names its workspace, so that no query reads rows of another.
-- Foreign keys catch what a read before the commit cannot: a channel that is deleted in between.
-- The same columns as in migrations/sqlite, so that one statement fits both: an integer there, also of a boolean, is a bigint
-- here (both have eight bytes).
create table if not exists workspaces (
  id text not null primary key,
  name text not null,
  created_at text not null
);

create table if not exists members (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  name text not null,
  role text not null check (role in ('owner', 'member', 'guest')),
  created_at text not null
);

create index if not exists members_workspace on members (workspace_id);

create table if not exists channels (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  name text not null,
  topic text not null,
  archived bigint not null,
  created_at text not null
);

create index if not exists channels_workspace on channels (workspace_id);

create table if not exists messages (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  channel_id text not null references channels (id) on delete cascade,
  author_id text not null references members (id) on delete cascade,
  text text not null,
  created_at text not null,
  edited_at text
);

create index if not exists messages_workspace on messages (workspace_id);
create index if not exists messages_channel on messages (channel_id);
create index if not exists messages_author on messages (author_id);

-- A thread is a message and the replies to it.
create table if not exists replies (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  message_id text not null references messages (id) on delete cascade,
  author_id text not null references members (id) on delete cascade,
  text text not null,
  created_at text not null,
  edited_at text
);

create index if not exists replies_workspace on replies (workspace_id);
create index if not exists replies_message on replies (message_id);
create index if not exists replies_author on replies (author_id);

create table if not exists reactions (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  message_id text not null references messages (id) on delete cascade,
  member_id text not null references members (id) on delete cascade,
  emoji text not null,
  created_at text not null,
  unique (message_id, member_id, emoji)
);

create index if not exists reactions_workspace on reactions (workspace_id);
create index if not exists reactions_member on reactions (member_id);

create table if not exists pins (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  message_id text not null unique references messages (id) on delete cascade,
  created_at text not null
);

create index if not exists pins_workspace on pins (workspace_id);

create table if not exists conversations (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  first_member_id text not null references members (id) on delete cascade,
  second_member_id text not null references members (id) on delete cascade,
  created_at text not null
);

create index if not exists conversations_workspace on conversations (workspace_id);
create index if not exists conversations_first_member on conversations (first_member_id);
create index if not exists conversations_second_member on conversations (second_member_id);

create table if not exists direct_messages (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  conversation_id text not null references conversations (id) on delete cascade,
  author_id text not null references members (id) on delete cascade,
  text text not null,
  created_at text not null
);

create index if not exists direct_messages_workspace on direct_messages (workspace_id);
create index if not exists direct_messages_conversation on direct_messages (conversation_id);
create index if not exists direct_messages_author on direct_messages (author_id);

-- Metadata of files; their bytes are stored elsewhere.
create table if not exists files (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  channel_id text not null references channels (id) on delete cascade,
  name text not null,
  bytes bigint not null,
  created_at text not null
);

create index if not exists files_workspace on files (workspace_id);
create index if not exists files_channel on files (channel_id);

-- The last message that a member has read in a channel. The client creates the id.
create table if not exists receipts (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  channel_id text not null references channels (id) on delete cascade,
  member_id text not null references members (id) on delete cascade,
  message_id text not null references messages (id) on delete cascade,
  read_at text not null
);

create index if not exists receipts_workspace on receipts (workspace_id);
create index if not exists receipts_channel on receipts (channel_id);
create index if not exists receipts_member on receipts (member_id);
create index if not exists receipts_message on receipts (message_id);

create table if not exists commands (
  id text not null primary key,
  workspace_id text not null references workspaces (id) on delete cascade,
  channel_id text not null references channels (id) on delete cascade,
  name text not null,
  arguments text not null,
  created_at text not null
);

create index if not exists commands_workspace on commands (workspace_id);
create index if not exists commands_channel on commands (channel_id);
