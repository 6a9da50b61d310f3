import { DURABLE_EVENT_QUEUE_OPTIONS, STOP_OPTIONS } from '../src/lib/durable-event-queue.ts'
import { MIGRATE_OPTIONS } from '../src/lib/database/migrate.ts'
import { SQLITE_OPTIONS } from '../src/lib/database/open-sqlite.ts'
import { POSTGRES_OPTIONS } from '../src/lib/database/open-postgres.ts'
import { UNDICI_SENDER_OPTIONS } from '../src/lib/http/sender-options.ts'
import { SERVER_OPTIONS } from '../src/lib/server.ts'
import { SIGNER_OPTIONS } from '../src/lib/node-signer.ts'

/** The options of each function, by the name that its errors use. */
export const OPTION_NAMES = {
  DurableEventQueue: DURABLE_EVENT_QUEUE_OPTIONS,
  'queue.stop': STOP_OPTIONS,
  createNodeServer: SERVER_OPTIONS,
  'server.stop': STOP_OPTIONS,
  createNodeSigner: SIGNER_OPTIONS,
  createUndiciSender: UNDICI_SENDER_OPTIONS,
  migrate: MIGRATE_OPTIONS,
  openPostgres: POSTGRES_OPTIONS,
  openSqlite: SQLITE_OPTIONS,
}
