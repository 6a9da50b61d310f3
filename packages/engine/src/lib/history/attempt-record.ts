import { withoutSecrets } from '../formats/one-line.ts'
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
const CREDENTIAL = /cookie|auth|token|secret|password|api-?key|session|signature/

/**
 * The part of a response to record: if the options say so, its headers, up to 4,096 characters, with credentials redacted, and
 * the first bytes of its body.
 *
 * @param secrets of the request, which the response may repeat
 */
export function recordResponse(
  result: SendResult,
  { responses, bodyBytes }: Pick<HistoryOptions, 'responses' | 'bodyBytes'>,
  { delivered, secrets = [] }: { delivered: boolean; secrets?: readonly string[] | undefined },
): RecordedResponse {
  if (result.kind === 'error') return {}
  const { timing } = result
  const isRecorded = responses === 'all' || (responses === 'failed' && !delivered)
  if (!isRecorded) return { timing }
  return {
    timing,
    headers: recordHeaders(result.headers?.(), secrets),
    body: recordBody(result.body, bodyBytes, secrets),
  }
}

function recordHeaders(
  headers: Readonly<Record<string, string>> | undefined,
  secrets: readonly string[],
): Record<string, string> | undefined {
  if (!headers) return undefined
  const recorded: Record<string, string> = {}
  let size = 0
  for (const [name, value] of Object.entries(headers)) {
    const shown = CREDENTIAL.test(name) ? REDACTED : withoutSecrets(value, secrets)
    size += name.length + shown.length
    if (size > MAX_HEADERS) break
    recorded[name] = shown
  }
  return recorded
}

/** Removes secrets before the text is cut: one that crosses the limit must still be found. */
function recordBody(body: Uint8Array, most: number, secrets: readonly string[]): string | undefined {
  if (body.length === 0 || most === 0) return undefined
  // `stream`: a character that the cut divides is left out.
  const whole = new TextDecoder().decode(secrets.length === 0 ? body.subarray(0, most) : body, { stream: true })
  return withoutSecrets(whole, secrets).slice(0, most)
}
