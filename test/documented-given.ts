// What the blocks of the docs take as given: names that a page has imported further up, and things of the reader's own.

/** On Node. */
export const given = `
import type { DurableEventQueue as Queue, SqliteDatabase, UndiciSender } from '@keepsend/adapter-node'
import type { Engine, Secrets, WebhookEvent } from '@keepsend/engine'
import type { Database } from 'better-sqlite3'
import type { BetterSQLite3Database } from 'drizzle-orm/better-sqlite3'
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'
import type { Context, Hono } from 'hono'
import type { Client } from 'pg'

export { DurableEventQueue, createNodeSigner, createUndiciSender, migrate, onSignals, openPostgres, openSqlite } from '@keepsend/adapter-node'
export { createEngine, createKeyRing, newEventId, replayIdempotentResponse } from '@keepsend/engine'

export declare const db: SqliteDatabase<Database>
export declare const queue: Queue
export declare const sender: UndiciSender
export declare const secrets: Secrets
export declare const engine: Engine
export declare const event: WebhookEvent & { id: string }

export declare const app: Hono
export declare function workspaceOf(c: Context): string
export declare function userOf(request: Request): Promise<{ id: string; companyId: string } | undefined>

export declare const orm: BetterSQLite3Database
export const orders = sqliteTable('orders', { id: text('id').primaryKey() })
export const teams = sqliteTable('teams', { name: text('name').notNull(), endpointId: text('endpoint_id').notNull() })
export declare const client: Client
export declare const trx: { executeQuery(query: object): Promise<unknown> }
export declare const CompiledQuery: { raw(sql: string, params: unknown[]): object }
interface PrismaTransaction {
  order: { create(options: { data: { id: string } }): Promise<unknown> }
  $queryRawUnsafe(sql: string, ...params: unknown[]): Promise<unknown>
}
export declare const prisma: { $transaction(work: (tx: PrismaTransaction) => Promise<void>): Promise<void> }

export declare const urls: string[]
export declare const directory: { shardOf(workspaceId: string): number }
interface KmsOptions {
  EncryptionContext: Record<string, string>
}
export declare const kms: {
  encrypt(options: KmsOptions & { KeyId: string; Plaintext: Uint8Array }): Promise<{ CiphertextBlob: Uint8Array }>
  decrypt(options: KmsOptions & { CiphertextBlob: Uint8Array }): Promise<{ Plaintext: Uint8Array }>
}
`

/** On Workers. */
export const givenWorkers = `
import type { QueueBatch } from '@keepsend/adapter-cloudflare'
import type { Engine } from '@keepsend/engine'
import type { Hono } from 'hono'

export { CloudflareEventQueue, consumeBatch, consumeDeadLetters, createFetchSender, createQueuePolicy, createWorker, jsonConsoleLogger, sweep } from '@keepsend/adapter-cloudflare'
export { createEngine, createKeyRing, reencryptSecrets } from '@keepsend/engine'
export { fromD1 } from '@keepsend/outbox/d1'

export interface Env {
  DB: D1Database
  WEBHOOKS: Queue
  KEEPSEND_SECRET_KEY: string
}
export declare const env: Env
export declare const batch: QueueBatch
export declare const engine: Engine
export declare const app: Hono<{ Bindings: Env }>
export declare function createApp(engine: Engine): Hono
`

/** \`tables.ts\` of the README. */
export const givenTables = `
import { sqliteTable, text } from 'drizzle-orm/sqlite-core'

export const messages = sqliteTable('messages', { id: text('id').primaryKey(), text: text('text').notNull() })
`
