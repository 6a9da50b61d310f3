import { EngineError } from './errors.ts'

/** RFC 9457. `code` is stable; `detail` is for people. */
export interface Problem {
  type: string
  title: string
  status: number
  detail: string
  code: string
}

const TITLES: Record<number, string> = {
  400: 'Bad Request',
  401: 'Unauthorized',
  403: 'Forbidden',
  404: 'Not Found',
  409: 'Conflict',
  412: 'Precondition Failed',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  429: 'Too Many Requests',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
}

/** The one shape of every error, `application/problem+json`. Anything but an EngineError shows nothing of itself. */
export function problemResponse(error: unknown): Response {
  const known = error instanceof EngineError ? error : undefined
  const status = known?.status ?? 500
  const problem: Problem = {
    type: 'about:blank',
    title: TITLES[status] ?? 'Error',
    status,
    detail: known?.message ?? 'an unexpected error; the log has it',
    code: known?.code ?? 'internal',
  }
  const headers = new Headers({ 'content-type': 'application/problem+json' })
  if (known?.retryAfterSeconds !== undefined) headers.set('retry-after', String(known.retryAfterSeconds))
  if (status === 401) headers.set('www-authenticate', 'Bearer')
  return new Response(JSON.stringify(problem), { status, headers })
}
