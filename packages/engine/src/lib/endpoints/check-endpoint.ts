import { EngineError } from '../errors.ts'
import { checkHeaderName, checkHeaders } from './custom-headers.ts'
import { OR, type OptionNames, type OptionsOf, createOptionChecks } from '@keepsend/outbox/internal'
import { characters } from '../formats/characters.ts'
import type { CheckUrl } from '../url-policy/check-url.ts'
import { COMPAT_FORMATS, type CompatSignature } from '../signing/compat-signature.ts'
import { readFilter } from '../filters/content-filter.ts'
import { MAX_CHANNELS, isName, isPattern } from '../publish/event.ts'
import { RATE_PERIODS } from '../backlog/rate-limit.ts'
import { longestMs } from '../retry-schedule.ts'
import { decodeSecret, signingKey } from '../signing/sign.ts'
import { checkMetadata } from './endpoint-metadata.ts'
import { checkUid } from './endpoint-uid.ts'
import type { EndpointInput } from './endpoint.ts'

export const ENDPOINT_OPTIONS = {
  url: 'text',
  description: 'text',
  uid: 'text or null',
  metadata: 'object',
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
  // Its names are paths and operators: see readFilter.
  filter: 'object or null',
  eventVersion: 'text',
  concurrency: 'number or null',
  rateLimit: 'number or null',
  ratePeriod: 'text',
  // The names depend on the type: see checkAuth and checkTls.
  auth: 'object or null',
  tls: 'object or null',
  secret: 'text',
} satisfies OptionNames<EndpointInput>

const { checkNames } = createOptionChecks(invalid)

export const MAX_EVENT_TYPES = 50
export const MAX_WAITS = 20
export const MAX_DESCRIPTION = 500
export const MAX_RETRY_STATUSES = 20
const GONE = 410

/**
 * Validates the properties that are set, for a creation and a change alike.
 *
 * @throws {EngineError} `invalid_endpoint`, naming the property, what was found and what is expected
 */
export function checkEndpoint(input: OptionsOf<EndpointInput>, checkUrl: CheckUrl, maxAgeMs: number): void {
  checkNames('an endpoint', ENDPOINT_OPTIONS, input)
  const { url, description, eventTypes, channels, retrySchedule, deadlineMs, headers, retryStatuses, secret } = input
  if (url !== undefined) {
    const check = checkUrl(url)
    if (!check.ok) throw invalid(`${check.message} (${check.reason})`)
  }
  if (description !== undefined && characters(description) > MAX_DESCRIPTION) {
    throw invalid(`description must be at most ${MAX_DESCRIPTION} characters; found ${characters(description)}`)
  }
  // Postgres rejects both.
  if (description !== undefined && (!description.isWellFormed() || description.includes('\0'))) {
    throw invalid('description must be well-formed text without a NUL')
  }
  if (typeof input.uid === 'string') checkUid(input.uid)
  if (input.metadata !== undefined) checkMetadata(input.metadata)
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
  if (input.filter && Object.keys(input.filter).length > 0) readFilter(input.filter)
  if (secret !== undefined) checkSecret(secret, input.signatures ?? ['v1'])
}

function checkSignatures(signatures: readonly string[]): void {
  const known = signatures.filter((scheme) => scheme === 'v1' || scheme === 'v1a')
  if (known.length === 0 || new Set(signatures).size < signatures.length || known.length < signatures.length) {
    throw invalid(`signatures must hold v1, v1a or both, once each; found ${JSON.stringify(signatures).slice(0, 100)}`)
  }
}

/** The prefix of a secret names its scheme, which must be one of the endpoint's. */
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

/** Validates the parts. @throws {EngineError} `invalid_endpoint`, never quoting the secret */
export function checkCompat({ header, format = 'timestamped', secret }: CompatSignature): void {
  checkHeaderName('compatSignature.header', header)
  if (!COMPAT_FORMATS.includes(format)) {
    throw new EngineError(
      'invalid_endpoint',
      `compatSignature.format must be ${COMPAT_FORMATS.join(' or ')}; found ${JSON.stringify(format)}`,
    )
  }
  if (secret !== undefined && !/^[\u0021-\u007e]{16,256}$/.test(secret)) {
    throw new EngineError('invalid_endpoint', 'compatSignature.secret must be 16 to 256 visible ASCII characters')
  }
}
