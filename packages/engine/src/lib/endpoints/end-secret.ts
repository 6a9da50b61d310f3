import { type OptionNames, clock, sqlText } from '@keepsend/outbox/internal'
import type { OutboxDatabase } from '@keepsend/outbox'
import { type ActionDeps, BY_OPTION, type ByOption } from '../audit/action.ts'
import { EngineError } from '../errors.ts'
import type { SignatureScheme } from '../signing/signer.ts'
import { changeOf } from './endpoint-change.ts'
import type { Endpoint } from './endpoint.ts'

export interface EndSecretOptions extends ByOption {
  /** The version of the old secret. */
  version: number
  /** Its scheme. @default the first of the endpoint's `signatures` */
  scheme?: SignatureScheme | undefined
}

export const END_SECRET_OPTIONS = {
  version: 'number',
  scheme: 'text',
  ...BY_OPTION,
} satisfies OptionNames<EndSecretOptions>

/** Deletes an old secret, which then signs no further request. @throws {EngineError} as `EndpointStore.endSecret` */
export async function endSecret(
  deps: ActionDeps & { db: OutboxDatabase },
  { id, workspaceId, signatures }: Endpoint,
  { version, scheme = signatures[0] ?? 'v1', by }: EndSecretOptions,
): Promise<void> {
  const { db } = deps
  // Postgres refuses a number that is no integer of its own.
  const isVersion = Number.isInteger(version) && version >= 1 && version <= 2_147_483_647
  const { rows } = await db.run<{ expiresAt: number | null }>(sqlText`
    select expires_at as "expiresAt" from keepsend_secrets
    where endpoint_id = ${id} and scheme = ${scheme} and version = ${isVersion ? version : 0}
      and (expires_at is null or expires_at > ${clock()})`)
  const [secret] = rows
  if (!secret) throw new EngineError('not_found', `no active ${scheme} secret has the version ${version}`)
  if (secret.expiresAt === null)
    throw new EngineError('conflict', `version ${version} is the current secret: rotate it, and then end the old one`)
  const change = changeOf(deps, { workspaceId, id, verb: 'endpoint.end_secret' }, { by })
  const { transaction } = change
  const old = sqlText`keepsend_secrets where endpoint_id = ${id} and scheme = ${scheme} and version = ${version} and expires_at is not null`
  transaction.record(sqlText`select 1 from ${old}`)
  const ended = transaction.add(sqlText`delete from ${old}`)
  await change.commit(db)
  if (ended.changes === 0) throw new EngineError('not_found', `version ${version} has been ended already`)
}
