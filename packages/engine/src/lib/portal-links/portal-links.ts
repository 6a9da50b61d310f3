import type { OptionNames } from '@keepsend/outbox/internal'
import { BY_OPTION, type ByOption } from '../audit/action.ts'
import type { Page } from '../page.ts'
import type { PortalCapability } from '../portal-capabilities.ts'
import type { PortalLink } from './portal-link.ts'

/** The parts of a new portal link. */
export interface PortalLinkOptions extends ByOption {
  /** The actions that it allows; seeing endpoints and deliveries is always allowed. @default every capability */
  capabilities?: readonly PortalCapability[] | undefined
  /**
   * `'once'`: the first `open` uses it up. `'many'`: it can be opened until it expires, for redirects and frames of the host.
   *
   * @default 'once'
   */
  uses?: 'once' | 'many' | undefined
  /** Its lifetime and that of its sessions, in ms: 60,000 (a minute)–2,592,000,000 (30 days). @default 3_600_000 (1 hour) */
  expiresInMs?: number | undefined
  /** The person that it is for, shown to operators: at most 200 characters of well-formed text without a NUL. @default nobody is named */
  subject?: string | undefined
  /** @default that of the browser */
  theme?: 'light' | 'dark' | undefined
  /** A language tag such as `de` or `pt-BR`: at most 35 characters. @default that of the browser */
  language?: string | undefined
  /** Where the portal leads back to: an `https://` or `http://` URL of at most 2,048 characters. @default there is no way back */
  returnUrl?: string | undefined
}

export const PORTAL_LINK_OPTIONS = {
  capabilities: 'texts',
  uses: 'text',
  expiresInMs: 'number',
  subject: 'text',
  theme: 'text',
  language: 'text',
  returnUrl: 'text',
  ...BY_OPTION,
} satisfies OptionNames<PortalLinkOptions>

export interface PortalLinkListOptions {
  /** Links of a page: 1–1,000. @default 100 */
  limit?: number | undefined
  /** The `next` of the page before. @default the first page */
  cursor?: string | undefined
}

export const PORTAL_LINK_LIST_OPTIONS = { limit: 'number', cursor: 'text' } satisfies OptionNames<PortalLinkListOptions>

/** A new link, and its token, which is shown once. */
export interface NewPortalLink {
  link: PortalLink
  /** 43 characters of base64url: 256 random bits. The table holds an HMAC of it. */
  token: string
}

/** An opened link, and the value of its new session. */
export interface OpenedPortalLink {
  link: PortalLink
  /** For a cookie: letters, digits and `_-.`, at most 110 characters. It is signed, and no row is stored for it. */
  session: string
}

/**
 * Links that let the customers of a workspace into the portal: see docs/secrets.md. Every time is that of the database.
 *
 * `find`, `open` and `session` take whatever a client sent: a text that is no token, or no session, is answered with undefined, and
 * is never part of a statement.
 */
export interface PortalLinks {
  /**
   * @throws {EngineError} `invalid_option`, naming option and value; `too_many_portal_links`, beyond `limits.portalLinksPerWorkspace`
   * @example
   * const { token } = await engine.portalLinks.create('w1', { subject: 'dana@example.com', expiresInMs: 900_000 })
   */
  create(workspaceId: string, options?: PortalLinkOptions): Promise<NewPortalLink>
  /** Lists links, newest first, in every state until 30 days after they expired. */
  list(workspaceId: string, options?: PortalLinkListOptions): Promise<Page<PortalLink>>
  /**
   * Revokes a link, which ends its sessions. A revoked link stays as it is, and no action is recorded again.
   *
   * @throws {EngineError} `not_found`
   */
  revoke(workspaceId: string, id: string, options?: ByOption): Promise<PortalLink>
  /** The link of a token, in whatever state it is; undefined: there is none. Changes nothing. */
  find(token: string): Promise<PortalLink | undefined>
  /**
   * Opens an active link: uses a one-time link up, and starts a session. Of two concurrent calls for a one-time link exactly one
   * gets a session. Undefined: it is used up, expired or revoked, or there is none.
   */
  open(token: string, options?: ByOption): Promise<OpenedPortalLink | undefined>
  /** The link of a session; undefined: its link has expired or was revoked, or this is no session. Call it for each request. */
  session(session: string): Promise<PortalLink | undefined>
}
