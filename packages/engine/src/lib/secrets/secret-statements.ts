import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, sqlText } from '@keepsend/outbox/internal'
import type { StoredSecret } from './secret-store.ts'

/** The endpoint that a secret belongs to. */
export interface Place {
  id: string
  workspaceId: string
}

/** A secret that is ready to be inserted. */
export interface NewSecret extends Pick<StoredSecret, 'scheme' | 'version' | 'secret' | 'keyId'> {
  /** The text that is encrypted under it, where the secret is the key of an envelope. */
  sealed?: string | undefined
}

/** Inserts a secret if its endpoint exists and the condition holds. */
export function insertSecret({ id, workspaceId }: Place, made: NewSecret, condition: SqlText): SqlText {
  const { scheme, version, secret, keyId, sealed = null } = made
  return sqlText`
    insert into keepsend_secrets (endpoint_id, scheme, version, secret, key_id, sealed, created_at)
    select id, cast(${scheme} as text), cast(${version} as integer), cast(${secret} as text), cast(${keyId} as text),
      cast(${sealed} as text), ${clock()}
    from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId} and ${condition}`
}

export function deleteSecrets(db: OutboxDatabase, { id, workspaceId }: Place, schemes: readonly string[]): SqlText {
  return sqlText`
    delete from keepsend_secrets
    where endpoint_id in (select id from keepsend_endpoints where id = ${id} and workspace_id = ${workspaceId})
      and scheme ${db.dialect.oneOf(schemes)}`
}
