import { basicCredentials } from '../endpoints/endpoint-auth.ts'
import type { OAuth2Auth } from '../credentials.ts'
import { createRedactor } from '../formats/redactor.ts'
import { parseRetryAfter } from '../retry-schedule.ts'
import { MAX_RESPONSE_BYTES, type SendRequest, type SendResult } from '../sender.ts'

/** A token that the token server issued. */
export interface GrantedToken {
  kind: 'granted'
  token: string
  /** Its lifetime from the request on, in ms; 0: good for one attempt. */
  lifeMs: number
}

/** Why there is no token. The error contains no secrets, because customers read it. */
export interface NoToken {
  kind: 'failed'
  error: string
  timedOut: boolean
  /** The `Retry-After` of the token server, in ms. */
  retryAfterMs?: number | undefined
}

/** The request for a token (RFC 6749, section 4.4.2). */
export function tokenRequest(
  { clientId, clientSecret, scope, audience, resource, clientAuthentication = 'basic' }: OAuth2Auth,
  { url, userAgent, deadlineMs }: { url: string; userAgent: string; deadlineMs: number },
): SendRequest {
  const isBasic = clientAuthentication === 'basic'
  const fields = {
    grant_type: 'client_credentials',
    scope,
    audience,
    resource,
    ...(!isBasic && { client_id: clientId, client_secret: clientSecret }),
  }
  const given = Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined)
  return {
    url,
    headers: {
      accept: 'application/json',
      'content-type': 'application/x-www-form-urlencoded',
      'user-agent': userAgent,
      ...(isBasic && { authorization: basicCredentials(formEncoded(clientId), formEncoded(clientSecret)) }),
    },
    body: new URLSearchParams(given).toString(),
    deadlineMs,
    maxResponseBytes: MAX_RESPONSE_BYTES,
    needsBody: true,
  }
}

/** RFC 6749, section 2.3.1: id and secret are form-encoded before they are joined. */
function formEncoded(text: string): string {
  return new URLSearchParams({ '': text }).toString().slice(1)
}

// Common proxies accept headers of 8 KiB; RFC 6749, appendix A.12, has no bound.
const TOKEN = /^[\u0021-\u007e]{1,8192}$/

/** @param now the time of the database, for a `Retry-After` that is a date */
export function readTokenAnswer(result: SendResult, client: OAuth2Auth, now: number): GrantedToken | NoToken {
  if (result.kind === 'error') {
    return requestFailed(result.reason, result.message)
  }
  const { status } = result
  const answer = parseObject(result.body)
  const detail = errorDetail(answer, client)
  if (status < 200 || status > 299) {
    const redirected = status >= 300 && status <= 399 ? ', and redirects are not followed' : ''
    return failed(`the token server answered with status ${status}${redirected}${detail}`, {
      retryAfterMs: parseRetryAfter(result.header('retry-after'), now),
    })
  }
  if (answer === undefined) return failed('the token server answered without a JSON object')
  const { access_token: token, token_type: type, expires_in: expiresIn } = answer
  if (typeof token !== 'string' || !TOKEN.test(token)) {
    const found = token === undefined ? 'without an access_token' : 'with an access_token that no header can carry'
    return failed(`the token server answered ${found}${detail}`)
  }
  // Required by the RFC, but some servers leave it out; all of those issue Bearer tokens.
  if (type !== undefined && type !== null && type !== '' && !(typeof type === 'string' && /^bearer$/i.test(type))) {
    return failed('the token server answered with a token_type other than Bearer')
  }
  return { kind: 'granted', token, lifeMs: lifeOf(expiresIn) }
}

/** The lifetime of a token without `expires_in`. */
const DEFAULT_LIFE_MS = 300_000
const MAX_LIFE_SECONDS = 86_400

/** `expires_in` in ms: a number or its text, at most a day; 0 if it has expired already. */
function lifeOf(expiresIn: unknown): number {
  const text = typeof expiresIn === 'string' ? expiresIn.trim() : expiresIn
  const seconds = typeof text === 'number' || (typeof text === 'string' && text !== '') ? Number(text) : Number.NaN
  if (Number.isNaN(seconds)) return DEFAULT_LIFE_MS
  return Math.floor(Math.min(MAX_LIFE_SECONDS, Math.max(0, seconds)) * 1000)
}

const MAX_DETAIL = 200

/** The error that the token server names (section 5.2), with unprintable characters and secrets removed. */
function errorDetail(answer: Record<string, unknown> | undefined, { clientId, clientSecret }: OAuth2Auth): string {
  const encoded = formEncoded(clientSecret)
  // In each form that the request contains.
  const redact = createRedactor([clientSecret, encoded, basicCredentials(formEncoded(clientId), encoded)])
  const texts = [answer?.['error'], answer?.['error_description']].filter((text) => typeof text === 'string')
  const printable = texts.map((text) =>
    redact(text)
      .replace(/[\p{C}\p{Zl}\p{Zp}]+/gu, ' ')
      .trim()
      .slice(0, MAX_DETAIL),
  )
  const detail = printable.filter((text) => text !== '').join(', ')
  return detail === '' ? '' : `: ${detail}`
}

function parseObject(body: Uint8Array): Record<string, unknown> | undefined {
  try {
    const answer: unknown = JSON.parse(new TextDecoder().decode(body))
    return typeof answer === 'object' && answer !== null ? { ...answer } : undefined
  } catch {
    return undefined
  }
}

/** The failure of a request that got no answer. Senders call the server that they send to the receiver. */
export function requestFailed(reason: Extract<SendResult, { kind: 'error' }>['reason'], message: string): NoToken {
  const detail = message.replaceAll('the receiver', 'the token server')
  return failed(`the token request failed: ${reason}: ${detail}`, { timedOut: reason === 'timeout' })
}

function failed(error: string, more: Partial<NoToken> = {}): NoToken {
  return { kind: 'failed', error, timedOut: false, ...more }
}
