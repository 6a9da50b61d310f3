import { prefixOf, requestedPath } from '@keepsend/engine/internal'
import type { Context } from 'hono'

/**
 * The path at which the pages are mounted, from a request: its path without the part that belongs to the page, behind the prefix
 * that a proxy removed (`X-Forwarded-Prefix`).
 *
 * @param pattern the page's own path, such as `/deliveries/:id`
 */
export function mountPath(c: Context, pattern: string): string {
  const own = segments(pattern).length
  const parts = segments(requestedPath(c))
  const mount = parts.slice(0, parts.length - own).map((part) => `/${part}`)
  return prefixOf(c) + mount.join('')
}

function segments(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}
