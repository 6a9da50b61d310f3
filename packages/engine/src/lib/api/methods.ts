import type { Context } from 'hono'
import { EngineError } from '../errors.ts'
import { problemResponse } from '../problem.ts'
import type { EngineRoutes } from '../engine-routes.ts'

/**
 * Answers the other methods on the paths of the routes so far: 405, or 204 for `OPTIONS`, both with `Allow`. Hono answers
 * `HEAD` as `GET`.
 */
export function answerOtherMethods(app: EngineRoutes): void {
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
    const methods = new Set(ofPath.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
    const allow = [...methods, 'OPTIONS'].join(', ')
    app.all(path, (c) => {
      if (isOptions(c)) return c.body(null, 204, { allow })
      const refused = problemResponse(
        new EngineError('method_not_allowed', `this path does not allow ${c.req.method}; it allows ${allow}`),
      )
      refused.headers.set('allow', allow)
      return refused
    })
  }
}

/** `OPTIONS` needs no credential: it shows no workspace's data, and a browser's preflight sends none. */
export function isOptions(c: Context): boolean {
  return c.req.method === 'OPTIONS'
}
