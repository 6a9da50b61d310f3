import { withDefaults } from '@keepsend/outbox/internal'
import { EngineError, checkBounds, checkNames, checkOneOf } from '../errors.ts'
import { characters } from '../formats/characters.ts'
import { PORTAL_CAPABILITIES, type PortalCapability } from '../portal-capabilities.ts'
import { PORTAL_LINK_OPTIONS, type PortalLinkOptions } from './portal-links.ts'

/** The options of a new link with their defaults. */
export interface NewLink {
  capabilities: readonly PortalCapability[]
  usesLeft: 1 | null
  expiresInMs: number
  subject: string | null
  theme: string | null
  language: string | null
  returnUrl: string | null
  by: string | undefined
}

const DEFAULTS = {
  capabilities: PORTAL_CAPABILITIES,
  uses: 'once',
  expiresInMs: 3_600_000,
} satisfies PortalLinkOptions

const MIN_LIFETIME_MS = 60_000
const MAX_LIFETIME_MS = 30 * 86_400_000
const MAX_SUBJECT = 200
// Enough for every registered language, script and region (RFC 5646, section 4.4.1).
const MAX_LANGUAGE = 35
const MAX_URL = 2048

/** @throws {EngineError} `invalid_option`, naming option, expectation and value */
export function readNewLink(options: PortalLinkOptions): NewLink {
  checkNames('portalLinks.create', PORTAL_LINK_OPTIONS, options)
  const {
    subject = null,
    theme = null,
    language = null,
    returnUrl = null,
    by,
    ...whole
  } = withDefaults(options, DEFAULTS)
  for (const capability of whole.capabilities) checkOneOf('capabilities', capability, PORTAL_CAPABILITIES)
  checkOneOf('uses', whole.uses, ['once', 'many'])
  checkBounds('expiresInMs', whole.expiresInMs, MIN_LIFETIME_MS, MAX_LIFETIME_MS)
  checkOneOf('theme', theme ?? undefined, ['light', 'dark'])
  if (subject !== null) checkSubject(subject)
  if (language !== null) checkLanguage(language)
  return {
    capabilities: PORTAL_CAPABILITIES.filter((one) => whole.capabilities.includes(one)),
    usesLeft: whole.uses === 'once' ? 1 : null,
    expiresInMs: whole.expiresInMs,
    subject,
    theme,
    language,
    returnUrl: returnUrl === null ? null : readUrl(returnUrl),
    by,
  }
}

function checkSubject(subject: string): void {
  const found = characters(subject)
  if (found > MAX_SUBJECT) throw invalid(`subject must be at most ${MAX_SUBJECT} characters; found ${found}`)
  // Postgres rejects both.
  if (!subject.isWellFormed() || subject.includes('\0'))
    throw invalid('subject must be well-formed text without a NUL; found other text')
}

function checkLanguage(language: string): void {
  try {
    if (language.length <= MAX_LANGUAGE && Intl.getCanonicalLocales(language).length === 1) return
  } catch {
    // Refused below, with the words of the other options.
  }
  throw invalid(`language must be a language tag such as de or pt-BR; found ${JSON.stringify(language.slice(0, 100))}`)
}

/** As browsers read it: the pages have it as the target of a link. */
function readUrl(text: string): string {
  const found = text.length <= MAX_URL ? URL.parse(text) : null
  const url = found?.href ?? ''
  if (/^https?:/.test(url) && url.length <= MAX_URL) return url
  throw invalid(
    `returnUrl must be an https:// or http:// URL of at most ${MAX_URL} characters; found ${JSON.stringify(text.slice(0, 100))}`,
  )
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_option', message)
}
