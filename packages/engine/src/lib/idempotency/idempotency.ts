import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, limitTo, sqlText } from '@keepsend/outbox/internal'
import type { RowCeiling } from '../row-ceiling.ts'
import { EngineError, asEngineError } from '../errors.ts'
import { sha256Hex } from '../signing/sign.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

/** The properties that identify a request, and its body. */
export interface IdempotencyKey {
  /** The header's value: 1 to 255 printable characters, bare or as a quoted string. */
  key: string
  workspaceId: string
  method: string
  /** The request's path: the same key on another path identifies another request. */
  route: string
  /** The unchanged bytes of the body. The same key with another body is refused. */
  body: string | Uint8Array<ArrayBuffer>
}

/** An answer that is stored in the transaction of its change. */
export interface StoredAnswer {
  status: number
  /** JSON. */
  body: string
}

/** The key in the form that the tables store: hashed, so that the time of a look-up reveals nothing about other keys. */
export interface HashedKey {
  scope: readonly [workspaceId: string, method: string, route: string, keyHash: string]
  bodyHash: string
  /** Identifies the request that set the in-flight mark. */
  owner: string
}

/** The default of `idempotencyRetentionMs`: a week, so that a client that retries for days still gets its first answer. */
export const IDEMPOTENCY_RETENTION_MS = 604_800_000

// A mark covers one commit, not a whole request: an older one belongs to a request that crashed, and the repeat of that waits
// no longer than this. Two commits of one request are stopped by the record's primary key even without a mark.
const MARK_MS = 5000
const RETRY_AFTER_SECONDS = 1

/** Validates and hashes a key. @throws {EngineError} `invalid_request` for a malformed key, `invalid_option` without a workspace */
export async function hashKey({ key, workspaceId, method, route, body }: IdempotencyKey): Promise<HashedKey> {
  // Without a workspace, one tenant's key would find another tenant's answer.
  checkWorkspaceId(workspaceId, 'invalid_option')
  const text = readKey(key)
  // The key salts the hash of the body, which may contain a password: the table alone does not allow guessing it.
  const [keyHash, bodyHash] = await Promise.all([
    sha256Hex(text),
    sha256Hex(body).then((hash) => sha256Hex(`${text}\n${hash}`)),
  ])
  return { scope: [workspaceId, method, route, keyHash], bodyHash, owner: crypto.randomUUID() }
}

/** Parses the header: a structured-field string (`"…"`, with `\"` and `\\`) or the bare characters. */
export function readKey(header: string): string {
  const quoted = /^"((?:[^"\\]|\\["\\])*)"$/.exec(header.trim())?.[1]
  const key = quoted === undefined ? header.trim() : quoted.replaceAll(/\\(["\\])/g, '$1')
  if (!/^[\x20-\x7e]{1,255}$/.test(key) || (quoted === undefined && key.includes('"'))) {
    throw new EngineError(
      'invalid_request',
      'Idempotency-Key must be 1 to 255 printable ASCII characters, bare or in double quotes',
    )
  }
  return key
}

/**
 * Begins a request: returns the answer that is stored for its key, or marks the request as in flight and returns undefined.
 *
 * @throws {EngineError} `idempotency_mismatch` for another body, `idempotency_in_flight` while another request has the mark,
 *   `too_many_idempotency_records` if the workspace has reached its limit
 */
export async function beginIdempotent(
  { db, idempotencyRecords }: { db: OutboxDatabase; idempotencyRecords: RowCeiling },
  key: HashedKey,
): Promise<StoredAnswer | undefined> {
  const stored = await readAnswer(db, key)
  if (stored) return stored
  await idempotencyRecords.check(key.scope[0])
  const marked = await db.run(sqlText`
    insert into keepsend_idempotency_marks (workspace_id, method, route, key_hash, owner, expires_at)
    values (${key.scope[0]}, ${key.scope[1]}, ${key.scope[2]}, ${key.scope[3]}, ${key.owner}, ${clock()} + ${MARK_MS})
    on conflict (workspace_id, method, route, key_hash) do update set owner = excluded.owner, expires_at = excluded.expires_at
    where keepsend_idempotency_marks.expires_at < ${clock()}
    returning owner`)
  if (marked.rows.length > 0) return undefined
  throw new EngineError(
    'idempotency_in_flight',
    'a request with this Idempotency-Key is in progress: try again later',
    {
      retryAfterSeconds: RETRY_AFTER_SECONDS,
    },
  )
}

/** Inserts the record of the commit. A second commit of the same request fails at its primary key. */
export function recordStatement(key: HashedKey, answer: StoredAnswer): SqlText {
  return sqlText`
    insert into keepsend_idempotency_records (workspace_id, method, route, key_hash, body_hash, created_at, status, body)
    values (${key.scope[0]}, ${key.scope[1]}, ${key.scope[2]}, ${key.scope[3]}, ${key.bodyHash}, ${clock()},
      ${answer.status}, ${answer.body})`
}

/** Deletes the mark if this request set it. */
export function unmarkStatement(key: HashedKey): SqlText {
  return sqlText`delete from keepsend_idempotency_marks where ${inScope(key)} and owner = ${key.owner}`
}

/** The condition that selects the record or the mark of the request. */
export function inScope({ scope: [workspaceId, method, route, keyHash] }: HashedKey): SqlText {
  return sqlText`
    workspace_id = ${workspaceId} and method = ${method} and route = ${route} and key_hash = ${keyHash}`
}

/** See `Engine.findStoredResponse`. */
export async function findStoredResponse(db: OutboxDatabase, of: IdempotencyKey): Promise<StoredAnswer | undefined> {
  const key = await hashKey(of)
  return readAnswer(db, key).catch((error: unknown) => {
    throw asEngineError(error)
  })
}

/** The stored answer, or undefined. @throws {EngineError} `idempotency_mismatch` if the body was another; `erased` */
export async function readAnswer(db: OutboxDatabase, key: HashedKey): Promise<StoredAnswer | undefined> {
  const { rows } = await db.run<StoredAnswer & { bodyHash: string }>(sqlText`
    select body_hash as "bodyHash", status, body from keepsend_idempotency_records where ${inScope(key)}`)
  const [row] = rows
  if (!row) return undefined
  if (row.bodyHash !== key.bodyHash) {
    throw new EngineError(
      'idempotency_mismatch',
      'this Idempotency-Key was used with another body: use a new key for a new request',
    )
  }
  // An erasure leaves the record, and empties the answer.
  if (row.body === '') {
    throw new EngineError(
      'erased',
      'the request under this Idempotency-Key was committed, and its answer was erased: nothing is done again',
    )
  }
  return { status: row.status, body: row.body }
}

/** Deletes records past their retention and expired marks, at most `limit` of each. Returns the number of records. */
export async function cleanupIdempotency(
  db: OutboxDatabase,
  { retentionMs, limit }: { retentionMs: number; limit: number },
): Promise<number> {
  const records = await db.run(sqlText`
    delete from keepsend_idempotency_records
    where (workspace_id, method, route, key_hash) in (
      select workspace_id, method, route, key_hash from keepsend_idempotency_records
      where created_at < ${clock()} - ${retentionMs} order by created_at ${limitTo(limit)})`)
  // The condition stands twice: another request may renew the mark between the select and the lock.
  await db.run(sqlText`
    delete from keepsend_idempotency_marks
    where (workspace_id, method, route, key_hash) in (
      select workspace_id, method, route, key_hash from keepsend_idempotency_marks
      where expires_at < ${clock()} ${limitTo(limit)})
      and expires_at < ${clock()}`)
  return records.changes
}
