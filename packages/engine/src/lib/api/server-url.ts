import type { Context } from 'hono'

// A path as a proxy writes it. Two slashes at its beginning would be another host.
const PREFIX = /^(?:\/[\w.~%-]+)+$/
const MAX_PREFIX = 200

/**
 * Where the routes are, by a request for `path` among them: the path in front of it, and in front of that the prefix that
 * a proxy took away and names in `X-Forwarded-Prefix`. Relative to the host that was asked, whichever that is.
 */
export function serverUrlOf(c: Context, path: string): string {
  const asked = originalPath(c) ?? c.req.path
  const mount = asked.endsWith(path) ? asked.slice(0, -path.length) : ''
  return `${prefixOf(c)}${mount}` || '/'
}

function prefixOf(c: Context): string {
  const prefix = (c.req.header('x-forwarded-prefix') ?? '').replace(/\/$/, '')
  return prefix.length <= MAX_PREFIX && PREFIX.test(prefix) ? prefix : ''
}

/** The path as Express and its kin had it before they cut their mount path off; where Node's request is known. */
function originalPath({ env }: Context): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { originalUrl?: unknown } }
  const url = incoming?.originalUrl
  return typeof url === 'string' ? url.split('?', 1)[0] : undefined
}
