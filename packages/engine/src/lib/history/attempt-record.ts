import type { Redact } from '../formats/redactor.ts'
import type { RecordedResponse } from '../outcome.ts'
import type { SendResult } from '../sender.ts'
import type { HistoryOptions } from './history-options.ts'

/** The address of an attempt, without its query. */
export function recordedUrl({ origin, pathname }: URL): string {
  return (origin + pathname).slice(0, MAX_URL)
}

const MAX_URL = 2048

// Of all headers together, in characters.
const MAX_HEADERS = 4096
const REDACTED = '[redacted]'
const CREDENTIAL =
  /cookie|auth|token|secret|passw|passphrase|credential|session|signature|csrf|xsrf|jwt|bearer|api-?key|(^|[-_])(key|pwd)([-_]|$)/i

/**
 * The part of a response to record: if the options say so, its headers, up to 4,096 characters, with credentials redacted, and
 * the first bytes of its body.
 *
 * @param redact removes the secrets of the request, which the response may repeat: without it nothing of the response is
 *   recorded but its times
 */
export function recordResponse(
  result: SendResult,
  { responses, bodyBytes }: Pick<HistoryOptions, 'responses' | 'bodyBytes'>,
  redact: Redact | undefined,
): RecordedResponse {
  if (result.kind === 'error') return {}
  const { timing } = result
  if (responses === 'none' || !redact) return { timing }
  return {
    timing,
    headers: recordHeaders(result.headers?.(), redact),
    body: recordBody(result.body, bodyBytes, redact),
  }
}

function recordHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  redact: Redact,
): Record<string, string> | undefined {
  if (!headers) return undefined
  const recorded: Record<string, string> = {}
  let room = MAX_HEADERS
  for (const [name, value] of Object.entries(headers)) {
    const shown = CREDENTIAL.test(name) ? REDACTED : redact(value)
    const size = name.length + shown.length
    // One that is too long leaves room for the others.
    if (size > room) continue
    room -= size
    recorded[name] = shown
  }
  return recorded
}

/** Removes secrets before the text is cut, at a character: one that crosses the limit must still be found. */
function recordBody(body: Uint8Array, mostBytes: number, redact: Redact): string | undefined {
  if (body.length === 0 || mostBytes === 0) return undefined
  // `stream`: a character that the end of the body divides is left out.
  const whole = redact(new TextDecoder().decode(body, { stream: true }))
  return whole.slice(0, new TextEncoder().encodeInto(whole, new Uint8Array(mostBytes)).read)
}
