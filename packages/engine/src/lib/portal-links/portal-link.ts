import { type Row, type SqlText, clock, createCodec, json, raw, sqlText } from '@keepsend/outbox/internal'
import type { InferSelectModel } from 'drizzle-orm/table'
import { parseStored } from '../formats/stored-json.ts'
import { PORTAL_CAPABILITIES, type PortalCapability } from '../portal-capabilities.ts'
import type { portalLinks } from '../sqlite/tables.ts'

/** A link that lets a customer into the portal, without its token. Times are milliseconds since the epoch. */
export interface PortalLink {
  /** `plk_…` */
  id: string
  workspaceId: string
  capabilities: PortalCapability[]
  /** How often it can be opened. */
  uses: 'once' | 'many'
  /** The person that it was made for. */
  subject: string | null
  /** The theme of the pages; null: that of the browser. */
  theme: 'light' | 'dark' | null
  /** The language of the pages, such as `de`; null: that of the browser. */
  language: string | null
  /** Where the portal leads back to. */
  returnUrl: string | null
  /** The `by` of its creation; empty: nobody was named. */
  createdBy: string
  createdAt: number
  expiresAt: number
  /** When it was opened last; null: never. */
  lastUsedAt: number | null
  /** `active`: it can be opened. `used`: a one-time link that was opened; its session goes on until `expiresAt`. */
  state: 'active' | 'used' | 'expired' | 'revoked'
}

type PortalLinkRow = InferSelectModel<typeof portalLinks>

/** The columns of `keepsend_portal_links`. */
export const portalLinkRows = createCodec<typeof portalLinks>({
  id: 'id',
  tokenHash: 'token_hash',
  workspaceId: 'workspace_id',
  capabilities: json('capabilities'),
  usesLeft: 'uses_left',
  subject: 'subject',
  theme: 'theme',
  language: 'language',
  returnUrl: 'return_url',
  createdBy: 'created_by',
  createdAt: 'created_at',
  expiresAt: 'expires_at',
  lastUsedAt: 'last_used_at',
  revokedAt: 'revoked_at',
})

/** The condition that a link can be opened, or that its session goes on. */
export const IS_VALID = sqlText`revoked_at is null and expires_at > ${clock()}`

/** Neither used up nor revoked: the condition of the index `keepsend_portal_links_active`, which planners compare term by term. */
export const IS_UNSPENT = raw('revoked_at is null and (uses_left is null or uses_left > 0)')

/** The columns of a table `as link`, for {@link toPortalLink}. */
export const SHOWN: SqlText = sqlText`${portalLinkRows.except(['tokenHash', 'revokedAt'], 'link')},
  case when link.revoked_at is not null then 'revoked' when link.expires_at <= ${clock()} then 'expired'
    when link.uses_left = 0 then 'used' else 'active' end as "state"`

/** Capabilities that were broken by hand are left out, so that the other ones and the list of links still work. */
export function toPortalLink(row: Row): PortalLink {
  const stored = parseStored(String(row['capabilities']))
  const capabilities = Array.isArray(stored) ? PORTAL_CAPABILITIES.filter((one) => stored.includes(one)) : []
  const { usesLeft, ...link } = portalLinkRows.read<Shown>({ ...row, capabilities: null })
  return {
    ...link,
    state: row['state'] as PortalLink['state'],
    capabilities,
    uses: usesLeft === null ? 'many' : 'once',
  }
}

type Shown = Exclude<keyof PortalLinkRow, 'tokenHash' | 'revokedAt'>
