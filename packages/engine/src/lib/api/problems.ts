import { z } from '@hono/zod-openapi'
import { type EngineErrorCode, STATUS_OF } from '../errors.ts'
import { type Problem, titleOf } from '../problem.ts'
import { type HeaderName, withHeaders } from './response-headers.ts'

/** A code of a problem document: one of the engine's, or `internal`. */
type ProblemCode = EngineErrorCode | 'internal'

/** The description of each code in the OpenAPI document. */
const MEANINGS = {
  invalid_request: 'the request does not fit the document; `detail` names the field',
  unauthenticated: 'no API key, or one that is unknown, expired or deleted',
  forbidden: 'the key lacks the scope that `detail` names',
  not_found: 'the workspace has no such endpoint or API key',
  not_retained: 'no such row is retained: it was delivered and deleted, is past its retention, or never existed',
  method_not_allowed: 'the path does not allow the method; `Allow` lists those that it does',
  conflict: 'the state of the resource does not allow it now',
  idempotency_in_flight:
    'the first request under this `Idempotency-Key` is still in progress; `Retry-After` says when to try again',
  erased: 'the answer to the first request under this `Idempotency-Key` was erased, and nothing is done again',
  too_many_endpoints: 'the workspace has reached its limit of endpoints',
  too_many_api_keys: 'the workspace has reached its limit of API keys',
  too_many_portal_links: 'the workspace has reached its limit of active portal links',
  precondition_failed: 'the version of the endpoint is not that of `If-Match`',
  payload_too_large: 'the body, or an event in it, has too many bytes',
  too_many_deliveries: 'the events would make more deliveries than the limit for one request',
  unsupported_media_type: 'the `content-type` is not JSON in UTF-8',
  invalid_event: 'an event breaks a rule that `detail` names',
  invalid_endpoint: 'a property of the endpoint breaks a rule that `detail` names',
  idempotency_mismatch: 'the `Idempotency-Key` was used with another body',
  too_many_requests:
    'the key has reached its limit of requests per second, or the workspace or the endpoint that of tests',
  too_many_waiting: 'the workspace has reached its limit of waiting deliveries',
  too_many_idempotency_records: 'the workspace has reached its limit of idempotency records',
  too_many_replays:
    'the workspace has reached its limit of replays that have not ended, or it is too early for the next',
  secret_unreadable: 'a secret could not be decrypted',
  invalid_option: 'the server is misconfigured',
  commit_unconfirmed: 'the write may have taken place: check before you repeat the request',
  internal: 'an unexpected error, which is in the server log',
  not_accepted: 'nothing was committed: repeat the request',
} satisfies Record<ProblemCode, string>

/** The codes of every route with a key: looking up the key can fail in each of these ways. */
const EVERYWHERE = [
  'invalid_request',
  'unauthenticated',
  'forbidden',
  'too_many_requests',
  'secret_unreadable',
  'invalid_option',
  'commit_unconfirmed',
  'internal',
  'not_accepted',
] as const satisfies ProblemCode[]

/** The further codes of a route that takes an `Idempotency-Key`; its body is read even if the route ignores it, to compare it. */
const OF_A_CHANGE = [
  'idempotency_in_flight',
  'erased',
  'payload_too_large',
  'idempotency_mismatch',
  'too_many_idempotency_records',
] as const satisfies ProblemCode[]

/** The schema of a problem document (RFC 9457). */
function problemOf(status: number, codes: readonly ProblemCode[]) {
  return z
    .object({
      type: z.literal('about:blank'),
      title: z.string().openapi({ description: 'The reason phrase of the status' }),
      status: z.int().openapi({ const: status } as object),
      detail: z.string().openapi({ description: 'What was found and what to do, for people', maxLength: 1000 }),
      code: z.enum(codes).openapi({ description: 'Stable: branch on this' }),
    })
    .openapi(`${titleOf(status).replaceAll(' ', '')}Problem`)
}

const statusOf = (code: ProblemCode): number => (code === 'internal' ? 500 : STATUS_OF[code])

const BY_STATUS = Map.groupBy(Object.keys(MEANINGS) as ProblemCode[], statusOf)

/** One component per status, with the codes that the status can have. */
const SCHEMAS = new Map([...BY_STATUS].map(([status, codes]) => [status, problemOf(status, codes)]))

/** `Retry-After` of a 409 is sent while the first request is in progress. */
const HEADERS_OF: Record<number, readonly HeaderName[]> = {
  401: ['WWW-Authenticate'],
  409: ['Retry-After'],
  429: ['Retry-After'],
  503: ['Retry-After'],
}

interface Answers {
  [status: string]: object
}

/** The problem responses of a route for the document: the given codes and those that every route of its kind has. */
export function problemsOf(
  codes: readonly EngineErrorCode[],
  { takesBody, takesKey }: { takesBody: boolean; takesKey: boolean },
): Answers {
  const all = new Set<ProblemCode>([
    ...EVERYWHERE,
    ...(takesKey ? OF_A_CHANGE : []),
    ...(takesBody ? (['payload_too_large', 'unsupported_media_type'] as const) : []),
    ...codes,
  ])
  // In the order of the explanations above.
  const ordered = (Object.keys(MEANINGS) as ProblemCode[]).filter((code) => all.has(code))
  return Object.fromEntries(
    [...Map.groupBy(ordered, statusOf)].map(([status, found]) => [status, answer(status, found)]),
  )
}

function answer(status: number, codes: readonly ProblemCode[]): object {
  const [code = 'internal'] = codes
  const example: Problem = { type: 'about:blank', title: titleOf(status), status, detail: plain(MEANINGS[code]), code }
  return {
    description: codes.map((one) => `\`${one}\`: ${MEANINGS[one]}`).join('; '),
    ...withHeaders(...(HEADERS_OF[status] ?? [])),
    content: { 'application/problem+json': { schema: SCHEMAS.get(status), example } },
  }
}

function plain(markdown: string): string {
  return markdown.replaceAll('`', '')
}
