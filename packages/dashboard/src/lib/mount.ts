import type { Context } from 'hono'

const PREFIX = /^(?:\/[\w.~%-]+)+$/
const MAX_PREFIX = 200

/**
 * The path at which the pages are mounted, from a request: its path without the part that belongs to the page, behind the prefix
 * that a proxy removed (`X-Forwarded-Prefix`).
 *
 * @param pattern the page's own path, such as `/deliveries/:id`
 */
export function mountPath(c: Context, pattern: string): string {
  const path = originalPath(c) ?? c.req.path
  const own = pattern.split('/').filter((part) => part !== '').length
  const parts = path.split('/').filter((part) => part !== '')
  const mount = parts.slice(0, parts.length - own).map((part) => `/${part}`)
  return prefixOf(c) + mount.join('')
}

function prefixOf(c: Context): string {
  const prefix = (c.req.header('x-forwarded-prefix') ?? '').replace(/\/$/, '')
  return prefix.length <= MAX_PREFIX && PREFIX.test(prefix) ? prefix : ''
}

/** The path before Express and similar frameworks removed their mount path; only where Node's request is available. */
function originalPath({ env }: Context): string | undefined {
  const { incoming } = (env ?? {}) as { incoming?: { originalUrl?: unknown } }
  const url = incoming?.originalUrl
  return typeof url === 'string' ? url.split('?', 1)[0] : undefined
}
