// The app's tables, for typed statements. The migrations, one for each kind of database, are authoritative; a test compares them.
import { type Statement, toSql } from '@keepsend/outbox'
import type { SqlText } from '@keepsend/outbox/internal'
import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { drizzle } from 'drizzle-orm/sqlite-proxy'

/**
 * Builds statements only; the engine runs them on its database. So no route depends on the driver, and the same routes run on
 * SQLite, D1 and Postgres.
 */
export const orm = drizzle(() => Promise.reject(new Error('statements are run by the engine, not by drizzle')))

/**
 * Renders a statement as text with `?` for each value. The routes' statements are the same SQL in SQLite and Postgres except for
 * placeholders, which the engine numbers in a text where the database needs it. The builder itself cannot number them.
 */
export function spelled(statement: Statement): SqlText {
  return toSql(statement, 'sqlite')
}

const id = () => text('id').primaryKey().notNull()
const workspaceId = () => text('workspace_id').notNull()
const createdAt = () => text('created_at').notNull()

export const workspaces = sqliteTable('workspaces', {
  id: id(),
  name: text('name').notNull(),
  createdAt: createdAt(),
})

export const members = sqliteTable('members', {
  id: id(),
  workspaceId: workspaceId(),
  name: text('name').notNull(),
  role: text('role', { enum: ['owner', 'member', 'guest'] }).notNull(),
  createdAt: createdAt(),
})

export const channels = sqliteTable('channels', {
  id: id(),
  workspaceId: workspaceId(),
  name: text('name').notNull(),
  topic: text('topic').notNull(),
  archived: integer('archived', { mode: 'boolean' }).notNull(),
  createdAt: createdAt(),
})

export const messages = sqliteTable('messages', {
  id: id(),
  workspaceId: workspaceId(),
  channelId: text('channel_id').notNull(),
  authorId: text('author_id').notNull(),
  text: text('text').notNull(),
  createdAt: createdAt(),
  editedAt: text('edited_at'),
})

export const replies = sqliteTable('replies', {
  id: id(),
  workspaceId: workspaceId(),
  messageId: text('message_id').notNull(),
  authorId: text('author_id').notNull(),
  text: text('text').notNull(),
  createdAt: createdAt(),
  editedAt: text('edited_at'),
})

export const reactions = sqliteTable('reactions', {
  id: id(),
  workspaceId: workspaceId(),
  messageId: text('message_id').notNull(),
  memberId: text('member_id').notNull(),
  emoji: text('emoji').notNull(),
  createdAt: createdAt(),
})

export const pins = sqliteTable('pins', {
  id: id(),
  workspaceId: workspaceId(),
  messageId: text('message_id').notNull(),
  createdAt: createdAt(),
})

export const conversations = sqliteTable('conversations', {
  id: id(),
  workspaceId: workspaceId(),
  firstMemberId: text('first_member_id').notNull(),
  secondMemberId: text('second_member_id').notNull(),
  createdAt: createdAt(),
})

export const directMessages = sqliteTable('direct_messages', {
  id: id(),
  workspaceId: workspaceId(),
  conversationId: text('conversation_id').notNull(),
  authorId: text('author_id').notNull(),
  text: text('text').notNull(),
  createdAt: createdAt(),
})

export const files = sqliteTable('files', {
  id: id(),
  workspaceId: workspaceId(),
  channelId: text('channel_id').notNull(),
  name: text('name').notNull(),
  bytes: integer('bytes').notNull(),
  createdAt: createdAt(),
})

export const receipts = sqliteTable('receipts', {
  id: id(),
  workspaceId: workspaceId(),
  channelId: text('channel_id').notNull(),
  memberId: text('member_id').notNull(),
  messageId: text('message_id').notNull(),
  readAt: text('read_at').notNull(),
})

export const commands = sqliteTable('commands', {
  id: id(),
  workspaceId: workspaceId(),
  channelId: text('channel_id').notNull(),
  name: text('name').notNull(),
  arguments: text('arguments').notNull(),
  createdAt: createdAt(),
})
