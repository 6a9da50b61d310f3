import { type SqlText, clock, onlyRow, sqlText, storable } from '@keepsend/outbox/internal'
import { v7 } from 'uuid'
import { type ActionDeps, ActionTransaction, BY_OPTION, targetIn } from '../audit/action.ts'
import { EngineError, checkBounds, checkNames } from '../errors.ts'
import { toBase64Url } from '../formats/encoding.ts'
import type { Limits } from '../limits.ts'
import type { Pepper } from '../secrets/pepper.ts'
import { checkWorkspaceId } from '../workspace-id.ts'
import { readNewLink } from './new-portal-link.ts'
import { IS_UNSPENT, IS_VALID, type PortalLink, SHOWN, toPortalLink } from './portal-link.ts'
import { asLinkLimit, guardLinkCount, lockLinks } from './portal-link-limit.ts'
import { PORTAL_LINK_LIST_OPTIONS, type PortalLinks } from './portal-links.ts'
import { createPortalSessions } from './portal-session.ts'

const DEFAULT_LISTED = 100
const MAX_LISTED = 1000
const BEHIND_EVERY_LINK = 'plk_~'
const LINK_ID = /^plk_[\da-f-]{36}$/
const TOKEN = /^[\w-]{43}$/
const TOKEN_BYTES = 32

export function createPortalLinks(
  deps: ActionDeps & { limits: Pick<Limits, 'portalLinksPerWorkspace'> },
  pepper: Pepper,
): PortalLinks {
  const { db } = deps
  const { portalLinksPerWorkspace } = deps.limits
  const sessions = createPortalSessions(pepper)

  async function read(where: SqlText): Promise<PortalLink | undefined> {
    const { rows } = await db.run(selectLink(where))
    return rows[0] && toPortalLink(rows[0])
  }

  async function find(token: string): Promise<PortalLink | undefined> {
    if (typeof token !== 'string' || !TOKEN.test(token)) return undefined
    const byHash = async (hash: string | undefined) =>
      hash === undefined ? undefined : read(sqlText`link.token_hash = ${hash}`)
    return (await byHash(await pepper.hash(hashed(token)))) ?? byHash(await pepper.hashAgain(hashed(token)))
  }

  return {
    async create(workspaceId, options = {}) {
      checkWorkspaceId(workspaceId)
      const { capabilities, usesLeft, expiresInMs, subject, theme, language, returnUrl, by } = readNewLink(options)
      const id = `plk_${v7()}`
      const action = { verb: 'portal_link.create', workspaceId, portalLinkId: id } as const
      const transaction = new ActionTransaction(deps, action, { by }).record()
      const token = toBase64Url(crypto.getRandomValues(new Uint8Array(TOKEN_BYTES)))
      const hash = await pepper.hashNew(hashed(token))
      transaction.addAll(lockLinks(db, workspaceId))
      const guarded = guardLinkCount(db, workspaceId, portalLinksPerWorkspace, JSON.stringify(capabilities))
      transaction.add(sqlText`
        insert into keepsend_portal_links (id, token_hash, workspace_id, capabilities, uses_left, subject, theme, language, return_url,
          created_by, created_at, expires_at)
        values (${id}, ${hash}, ${workspaceId}, ${guarded}, ${usesLeft}, ${subject}, ${theme}, ${language}, ${returnUrl},
          ${by === undefined ? '' : storable(by, by.length)}, ${clock()}, ${clock()} + ${expiresInMs})`)
      const made = transaction.add(selectLink(sqlText`link.id = ${id}`))
      await transaction.commit(db).catch((error: unknown) => {
        throw asLinkLimit(error, portalLinksPerWorkspace)
      })
      return { link: toPortalLink(onlyRow(made.rows)), token }
    },

    async list(workspaceId, options = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('portalLinks.list', PORTAL_LINK_LIST_OPTIONS, options)
      const { limit = DEFAULT_LISTED, cursor = BEHIND_EVERY_LINK } = options
      checkBounds('limit', limit, 1, MAX_LISTED)
      if (cursor !== BEHIND_EVERY_LINK && !LINK_ID.test(cursor))
        throw new EngineError(
          'invalid_request',
          `cursor must be the next of an earlier page; found ${JSON.stringify(cursor.slice(0, 100))}`,
        )
      const { where, newestFirst } = db.dialect.ofWorkspace(workspaceId, { before: cursor })
      const { rows } = await db.run(sqlText`
        select ${SHOWN} from keepsend_portal_links as link ${db.dialect.by('keepsend_portal_links_workspace')}
        where ${where} order by ${newestFirst} ${db.dialect.first(limit + 1)}`)
      const shown = rows.slice(0, limit).map(toPortalLink)
      return { rows: shown, next: rows.length > limit ? shown.at(-1)?.id : undefined, complete: true }
    },

    async revoke(workspaceId, id, options = {}) {
      checkWorkspaceId(workspaceId)
      checkNames('portalLinks.revoke', BY_OPTION, options)
      const action = { verb: 'portal_link.revoke', workspaceId, portalLinkId: id } as const
      const transaction = new ActionTransaction(deps, action, options)
      if (!LINK_ID.test(id)) throw noSuchLink()
      // A second revocation changes and records nothing.
      const isRevocable = sqlText`id = ${id} and workspace_id = ${workspaceId} and revoked_at is null`
      transaction.record(targetIn(db, 'keepsend_portal_links', isRevocable))
      transaction.add(sqlText`update keepsend_portal_links set revoked_at = ${clock()} where ${isRevocable}`)
      const found = transaction.add(selectLink(sqlText`link.id = ${id} and link.workspace_id = ${workspaceId}`))
      await transaction.commit(db)
      if (!found.rows[0]) throw noSuchLink()
      return toPortalLink(found.rows[0])
    },

    find,

    async open(token, options = {}) {
      checkNames('portalLinks.open', BY_OPTION, options)
      const known = await find(token)
      if (known?.state !== 'active') return undefined
      const { id, workspaceId } = known
      const session = await sessions.create(id)
      const action = { verb: 'portal_link.open', workspaceId, portalLinkId: id } as const
      const transaction = new ActionTransaction(deps, action, options)
      // The row is locked with the action, and compared again by the update: of two calls for the last use one changes it.
      const isActive = sqlText`id = ${id} and expires_at > ${clock()} and ${IS_UNSPENT}`
      transaction.record(targetIn(db, 'keepsend_portal_links', isActive))
      const opened = transaction.add(sqlText`
        update keepsend_portal_links set uses_left = uses_left - 1, last_used_at = ${clock()} where ${isActive}`)
      const found = transaction.add(selectLink(sqlText`link.id = ${id}`))
      await transaction.commit(db)
      return opened.changes === 1 ? { link: toPortalLink(onlyRow(found.rows)), session } : undefined
    },

    async session(session) {
      const id = await sessions.linkOf(session)
      return id === undefined ? undefined : read(sqlText`link.id = ${id} and ${IS_VALID}`)
    },
  }
}

/** Under the pepper nothing else begins like this. */
function hashed(token: string): string {
  return `portal link ${token}`
}

function selectLink(where: SqlText): SqlText {
  return sqlText`select ${SHOWN} from keepsend_portal_links as link where ${where}`
}

function noSuchLink(): EngineError {
  return new EngineError('not_found', 'no such portal link')
}
