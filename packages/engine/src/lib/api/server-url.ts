import type { Context } from 'hono'

// A path prefix as proxies send it. Two leading slashes would name another host.
const PREFIX = /^(?:\/[\w.~%-]+)+$/
const MAX_PREFIX = 200

/**
 * The URL of the routes, from a request for their `path`: what precedes it in the URL, with the prefix that a proxy removed
 * (`X-Forwarded-Prefix`) in front. Relative to the host of the request.
 */
export function serverUrlOf(c: Context, path: string): string {
  const asked = requestedPath(c)
  const mount = asked.endsWith(path) ? asked.slice(0, -path.length) : ''
  return `${prefixOf(c)}${mount}` || '/'
}

/** The prefix that a proxy removed from the path; empty: none. */
export function prefixOf(c: Context): string {
  const prefix = (c.req.header('x-forwarded-prefix') ?? '').replace(/\/$/, '')
  return prefix.length <= MAX_PREFIX && PREFIX.test(prefix) ? prefix : ''
}

/** The path before Express and similar frameworks removed their mount path, where Node's request is available. */
export function requestedPath({ env, req }: Context): string {
  const { incoming } = (env ?? {}) as { incoming?: { originalUrl?: unknown } }
  const url = incoming?.originalUrl
  return (typeof url === 'string' ? url.split('?', 1)[0] : undefined) ?? req.path
}
