import type { MiddlewareHandler } from 'hono'
import { getRuntimeKey } from 'hono/adapter'
import { compress } from 'hono/compress'

// Workers, Deno and the edge of others compress responses themselves: a body that already is would be compressed twice.
const LEFT_TO_US: readonly string[] = ['node', 'bun']

/** Compresses responses where the platform does not. One that the host or a proxy behind it compresses is left to it. */
export function compressWhereNeeded(): MiddlewareHandler {
  return LEFT_TO_US.includes(getRuntimeKey()) ? compress() : (_, next) => next()
}
