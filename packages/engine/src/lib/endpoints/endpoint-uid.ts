import { type OutboxDatabase, OutboxError } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import type { Endpoint, EndpointInput } from './endpoint.ts'
import { EngineError } from '../errors.ts'

/** The form of a `uid` and of a key of `metadata`. No character of it is escaped in a URL, and no path is `.` or `..`. */
export const UID = /^[A-Za-z0-9][A-Za-z0-9._:-]*$/
export const UID_RULE = 'letters, digits, . _ : and -, of which the first is a letter or a digit'
export const MAX_UID = 255

export function isUid(text: string): boolean {
  return text.length <= MAX_UID && UID.test(text)
}

/** @throws {EngineError} `invalid_endpoint`, naming what was found */
export function checkUid(uid: string): void {
  if (isUid(uid)) return
  throw new EngineError(
    'invalid_endpoint',
    `uid must be 1 to ${MAX_UID} ${UID_RULE}; found ${JSON.stringify(uid).slice(0, 100)}`,
  )
}

/** The id of the endpoint that has this uid. */
export async function idOfUid(db: OutboxDatabase, workspaceId: string, uid: string): Promise<string | undefined> {
  const { rows } = await db.run<Pick<Endpoint, 'id'>>(sqlText`
    select id as "id" from keepsend_endpoints as endpoint ${db.dialect.by('keepsend_endpoints_uid')}
    where workspace_id = ${workspaceId} and uid = ${uid}`)
  return rows[0]?.id
}

/**
 * Turns the refusal of a uid that another endpoint has into an error of the engine; returns any other error as it is. Each
 * database words the refusal differently, so this looks at the rows.
 */
export async function asUidTaken(
  db: OutboxDatabase,
  { workspaceId, id, uid }: Pick<Endpoint, 'id' | 'workspaceId'> & Pick<EndpointInput, 'uid'>,
  error: unknown,
): Promise<unknown> {
  if (typeof uid !== 'string' || error instanceof OutboxError || error instanceof EngineError) return error
  const other = await idOfUid(db, workspaceId, uid)
  if (other === undefined || other === id) return error
  const message = `the endpoint ${other} has the uid ${JSON.stringify(uid)}: change that endpoint, or give this one another uid`
  return new EngineError('conflict', message, { cause: error })
}
