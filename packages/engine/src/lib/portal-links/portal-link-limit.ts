import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, clock, isNullRefused, raw, sqlText } from '@keepsend/outbox/internal'
import { lockedEndpointsOf } from '../backlog/locks.ts'
import { EngineError } from '../errors.ts'
import { IS_UNSPENT } from './portal-link.ts'

/** On Postgres links of one workspace are inserted one after the other, so that each insert counts those before it. */
export function lockLinks(db: OutboxDatabase, workspaceId: string): SqlText[] {
  return db.dialect.name === 'postgres' ? [sqlText`select ${lockedEndpointsOf(db, workspaceId, workspaceId)}`] : []
}

/** The capabilities of a new link; null, which refuses the insert, if the workspace has as many active links as it may have. */
export function guardLinkCount({ dialect }: OutboxDatabase, workspaceId: string, most: number, text: string): SqlText {
  const active = sqlText`
    select 1 from keepsend_portal_links ${dialect.by('keepsend_portal_links_active')}
    where workspace_id = ${workspaceId} and expires_at > ${clock()} and ${IS_UNSPENT} ${dialect.first(most)}`
  return sqlText`case when (select count(*) from (${active}) as counted) < ${raw(String(most))} then ${text} end`
}

/** Turns the refusal of the statement above into an error of the engine; returns any other error as it is. */
export function asLinkLimit(error: unknown, most: number): unknown {
  if (!isNullRefused(error, 'keepsend_portal_links', 'capabilities')) return error
  return new EngineError(
    'too_many_portal_links',
    `a workspace has at most ${most} active portal links (limits.portalLinksPerWorkspace): revoke one, or let links expire sooner`,
    { cause: error },
  )
}
