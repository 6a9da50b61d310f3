import { prefixOf, requestedPath } from '@keepsend/engine/internal'
import type { Context } from 'hono'
import { routePath } from 'hono/route'

/**
 * The path at which the pages are mounted, from a request: its path without the part that belongs to the page, behind the prefix
 * that a proxy removed (`X-Forwarded-Prefix`).
 *
 * @param pattern the page's own path, such as `/deliveries/:id`; `*`: any path below the mount path
 */
export function mountPath(c: Context, pattern: string): string {
  const parts = segments(requestedPath(c))
  const mounted = pattern === '*' ? segments(routePath(c)).length - 1 : parts.length - segments(pattern).length
  const mount = parts.slice(0, mounted).map((part) => `/${part}`)
  return prefixOf(c) + mount.join('')
}

function segments(path: string): string[] {
  return path.split('/').filter((part) => part !== '')
}
