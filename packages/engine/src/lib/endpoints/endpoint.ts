import { OR, type OptionNames, type OptionsOf, createOptionChecks } from '@keepsend/outbox'
import type { CheckUrl } from '../url-policy/check-url.ts'
import { type CompatFormat, type CompatSignature, checkCompat } from '../signing/compat-signature.ts'
import { checkHeaderName, checkHeaders } from './custom-headers.ts'
import type { EndpointAuth, ShownAuth } from './endpoint-auth.ts'
import type { EndpointTls, ShownTls } from './endpoint-tls.ts'
import { EngineError } from '../errors.ts'
import { MAX_CHANNELS, isName, isPattern } from '../publish/event.ts'
import { RATE_PERIODS, type RatePeriod } from '../backlog/rate-limit.ts'
import { longestMs } from '../retry-schedule.ts'
import { decodeSecret, signingKey } from '../signing/sign.ts'

export const ENDPOINT_OPTIONS = {
  url: 'text',
  description: 'text',
  eventTypes: 'texts',
  channels: 'texts',
  retrySchedule: 'numbers or null',
  deadlineMs: 'number or null',
  headers: 'object',
  retryStatuses: 'numbers',
  signatures: 'texts',
  compatSignature: {
    [OR]: 'null' as const,
    ...({ header: 'text', format: 'text', secret: 'text' } as const satisfies OptionNames<CompatSignature>),
  },
  eventTypeHeader: 'text or null',
  concurrency: 'number or null',
  rateLimit: 'number or null',
  ratePeriod: 'text',
  // Each form has names of its own: see checkAuth and checkTls.
  auth: 'object or null',
  tls: 'object or null',
  secret: 'text',
} satisfies OptionNames<EndpointInput>

/** A customer's URL, with what it subscribes to and how it is retried. Times are milliseconds since the epoch. */
export interface Endpoint {
  id: string
  workspaceId: string
  url: string
  description: string
  status: 'enabled' | 'disabled'
  /** Why it is disabled: `manual`, `failing` when it had failed for too long, `gone` when the receiver answered 410, `receiver_requested` when it sent `webhook-delivery: disable`. */
  disabledReason: (typeof DISABLED_REASONS)[number] | null
  /** Since when it is disabled; null while it is enabled. New deliveries are held for it for `maxAgeMs` from here. */
  disabledAt: number | null
  /** + 1 on every change. */
  version: number
  /** Types it wants: exact, `prefix.*`, or `*`. */
  eventTypes: string[]
  /** Channels it listens to; empty: every event, with channels or without. */
  channels: string[]
  /** Waits before the second and each later attempt, in seconds; null: the default schedule. */
  retrySchedule: number[] | null
  /** Deadline of one attempt; null: the engine's. */
  deadlineMs: number | null
  /** The names of the headers of its own that every attempt carries. Their values are not shown. */
  headerNames: string[]
  /** Statuses from 400 to 499 that are tried again, besides 408, 421, 425 and 429. Any answer with `Retry-After` is tried again too. */
  retryStatuses: number[]
  /** What its requests are signed with, by Standard Webhooks. */
  signatures: ('v1' | 'v1a')[]
  /** The header of its compatibility signature; null: it has none. */
  compatHeader: string | null
  /** The form of that signature. */
  compatFormat: CompatFormat
  /** The header that says the type of the event; null: none does. */
  eventTypeHeader: string | null
  /** Attempts at once from one process; null: as its queue has it for every endpoint. */
  concurrency: number | null
  /** Attempts per `ratePeriod`, from all processes together; null: no limit. */
  rateLimit: number | null
  ratePeriod: RatePeriod
  /** How its attempts prove themselves, without the secrets; null: by their signature alone. */
  auth: ShownAuth | null
  /** What its connections are made with, as fingerprints; null: with nothing of its own. */
  tls: ShownTls | null
  /** `open` while it fails: its deliveries are held, and one at a time is tried. */
  circuit: 'closed' | 'open'
  /** The first failure since the last success; null while all goes well. */
  failingSince: number | null
  /** No attempt begins before: a person or its receiver asked for a wait, and its deliveries are held. Null: it is not paused. */
  pausedUntil: number | null
  /**
   * Columns of its row that were broken by hand, and are shown as if they were empty (an unknown status as `disabled`). Its
   * deliveries fail or are held until each is set again. Absent where there is none.
   */
  unreadable?: string[] | undefined
  createdAt: number
  updatedAt: number
}

/** What a caller may set. */
export interface EndpointInput {
  url: string
  /** At most 500 characters. @default '' */
  description?: string | undefined
  /** 1 to 50 types or patterns; times the channels at most `limits.subscriptionsPerEndpoint`. @default ['*'] */
  eventTypes?: readonly string[] | undefined
  /** At most 10 channels or patterns. @default [] (all) */
  channels?: readonly string[] | undefined
  /** At most 20 waits of 1 to 86,400 seconds, together less than `maxAgeMs`. @default the engine's schedule */
  retrySchedule?: readonly number[] | null | undefined
  /** 1,000 to 30,000 ms. @default the engine's deadline */
  deadlineMs?: number | null | undefined
  /**
   * Headers that every attempt carries besides ours: at most 32, 4,096 visible ASCII characters each and 16 KiB in all.
   * Not those that a request is made of or that are ours (`host`, `content-*`, `webhook-*` and their like). A change
   * replaces them all. @default {}
   */
  headers?: Readonly<Record<string, string>> | undefined
  /** At most 20 statuses from 400 to 499, 410 not among them, that are tried again instead of failing. @default [] */
  retryStatuses?: readonly number[] | undefined
  /**
   * `v1`, HMAC under a shared `whsec_` secret; `v1a`, ed25519, whose public key the receiver is given; or both. A scheme
   * that is added gets a secret of its own, and one that is left out loses those it had. @default ['v1']
   */
  signatures?: readonly ('v1' | 'v1a')[] | undefined
  /** A signature of an older form beside those, for receivers that know no other; null takes it away. @default null */
  compatSignature?: CompatSignature | null | undefined
  /** A header whose value is the type of the event, by the rule for `headers` and under another name; null: none. @default null */
  eventTypeHeader?: string | null | undefined
  /** Attempts at once from one process: 1 to 1,000. @default the queue's slots for an endpoint */
  concurrency?: number | null | undefined
  /** Attempts per `ratePeriod`, from all processes together: 1 to 10,000. @default no limit */
  rateLimit?: number | null | undefined
  /** What `rateLimit` is per. @default 'second' */
  ratePeriod?: RatePeriod | undefined
  /**
   * How attempts prove themselves in the header `authorization`: `basic`, `bearer` or `oauth2` (client credentials). A change
   * replaces it as a whole, and null takes it away. Its secrets are encrypted at rest and never shown. @default null
   */
  auth?: EndpointAuth | null | undefined
  /**
   * A client certificate and private authorities, where the sender can use them: on Node, not on Workers. A change replaces
   * it as a whole, and null takes it away. @default null
   */
  tls?: EndpointTls | null | undefined
  /** A secret to take over from elsewhere: `whsec_…`, or `whsk_…` for `v1a`. Only at creation. @default a new one */
  secret?: string | undefined
}

export const DISABLED_REASONS = ['manual', 'failing', 'gone', 'receiver_requested'] as const

const { checkNames } = createOptionChecks(invalid)

export const MAX_EVENT_TYPES = 50
export const MAX_WAITS = 20
export const MAX_DESCRIPTION = 500
export const MAX_RETRY_STATUSES = 20
const GONE = 410

/**
 * Checks what is set and nothing else, so that it serves a creation and a change alike.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the property, what was found and what would do
 */
export function checkEndpoint(input: OptionsOf<EndpointInput>, checkUrl: CheckUrl, maxAgeMs: number): void {
  checkNames('an endpoint', ENDPOINT_OPTIONS, input)
  const { url, description, eventTypes, channels, retrySchedule, deadlineMs, headers, retryStatuses, secret } = input
  if (url !== undefined) {
    const check = checkUrl(url)
    if (!check.ok) throw invalid(`${check.message} (${check.reason})`)
  }
  if (description !== undefined && description.length > MAX_DESCRIPTION) {
    throw invalid(`description must be at most ${MAX_DESCRIPTION} characters; found ${description.length}`)
  }
  // Postgres refuses both.
  if (description !== undefined && (!description.isWellFormed() || description.includes('\0'))) {
    throw invalid('description must be well-formed text without a NUL')
  }
  if (eventTypes !== undefined) checkPatterns('eventTypes', eventTypes, 1, MAX_EVENT_TYPES)
  if (channels !== undefined) checkPatterns('channels', channels, 0, MAX_CHANNELS)
  if (retrySchedule && (retrySchedule.length > MAX_WAITS || !retrySchedule.every((wait) => isWhole(wait, 1, 86_400)))) {
    throw invalid(
      `retrySchedule must be at most ${MAX_WAITS} waits of 1 to 86400 seconds; found ${JSON.stringify(retrySchedule)}`,
    )
  }
  if (retrySchedule && longestMs(retrySchedule) >= maxAgeMs) {
    throw invalid(
      `retrySchedule must take less than the ${maxAgeMs} ms after which a delivery expires; with jitter it takes ${longestMs(retrySchedule)} ms`,
    )
  }
  if (deadlineMs && !isWhole(deadlineMs, 1000, 30_000)) {
    throw invalid(`deadlineMs must be a whole number from 1000 to 30000; found ${deadlineMs}`)
  }
  if (headers !== undefined) checkHeaders(headers)
  const wrong = retryStatuses?.find((status) => !isWhole(status, 400, 499) || status === GONE)
  if (wrong !== undefined || (retryStatuses && retryStatuses.length > MAX_RETRY_STATUSES)) {
    throw invalid(
      `retryStatuses must be at most ${MAX_RETRY_STATUSES} statuses from 400 to 499 without 410; found ${wrong ?? retryStatuses?.length}`,
    )
  }
  const { concurrency, rateLimit } = input
  for (const [name, value, max] of [
    ['concurrency', concurrency, 1000],
    ['rateLimit', rateLimit, 10_000],
  ] as const) {
    if (value !== undefined && value !== null && !isWhole(value, 1, max)) {
      const hint = name === 'rateLimit' && value > 0 && value < 1 ? ': give it a longer ratePeriod, such as minute' : ''
      throw invalid(`${name} must be a whole number from 1 to ${max}, or null; found ${value}${hint}`)
    }
  }
  const { ratePeriod } = input
  if (ratePeriod !== undefined && !(RATE_PERIODS as readonly string[]).includes(ratePeriod)) {
    throw invalid(`ratePeriod must be ${RATE_PERIODS.join(', ')}; found ${JSON.stringify(ratePeriod)}`)
  }
  if (input.signatures !== undefined) checkSignatures(input.signatures)
  if (input.compatSignature) checkCompat(input.compatSignature)
  if (typeof input.eventTypeHeader === 'string') checkHeaderName('eventTypeHeader', input.eventTypeHeader)
  if (secret !== undefined) checkSecret(secret, input.signatures ?? ['v1'])
}

function checkSignatures(signatures: readonly string[]): void {
  const known = signatures.filter((scheme) => scheme === 'v1' || scheme === 'v1a')
  if (known.length === 0 || new Set(signatures).size < signatures.length || known.length < signatures.length) {
    throw invalid(`signatures must hold v1, v1a or both, once each; found ${JSON.stringify(signatures).slice(0, 100)}`)
  }
}

/** By its prefix a secret is of one scheme, which has to be one of the endpoint's. */
function checkSecret(secret: string, signatures: readonly string[]): void {
  const isKey = secret.startsWith('whsk_')
  if (isKey) signingKey(secret)
  else decodeSecret(secret)
  if (signatures.includes(isKey ? 'v1a' : 'v1')) return
  throw invalid(
    `secret must be for one of the signatures, ${signatures.join(' and ')}: whsec_ is for v1, whsk_ for v1a`,
  )
}

function checkPatterns(property: string, patterns: readonly string[], min: number, max: number): void {
  if (patterns.length < min || patterns.length > max) {
    throw invalid(`${property} must hold ${min} to ${max} entries; found ${patterns.length}`)
  }
  const wrong = patterns.find((pattern) => !isPattern(pattern))
  if (wrong !== undefined) {
    const hint = isName(wrong.replaceAll('*', '')) ? ' (a star stands alone or after the last dot)' : ''
    throw invalid(
      `${property} must hold names such as message.created, message.* or *; found ${JSON.stringify(wrong)}${hint}`,
    )
  }
}

function isWhole(value: number, min: number, max: number): boolean {
  return Number.isInteger(value) && value >= min && value <= max
}

function invalid(message: string): EngineError {
  return new EngineError('invalid_endpoint', message)
}
