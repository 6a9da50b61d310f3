import type { Context } from 'hono'
import { EngineError } from '../errors.ts'
import { problemResponse } from '../problem.ts'
import type { EngineRoutes } from '../engine-routes.ts'

/**
 * Behind the routes so far: another method of one of their paths is 405 and `OPTIONS` is 204, both with `Allow`. `HEAD` is
 * answered as `GET` is, by Hono.
 */
export function answerOtherMethods(app: EngineRoutes): void {
  const routes = app.routes.filter(({ method }) => method !== 'ALL')
  for (const [path, ofPath] of Map.groupBy(routes, (route) => route.path)) {
    const methods = new Set(ofPath.flatMap(({ method }) => (method === 'GET' ? ['GET', 'HEAD'] : [method])))
    const allow = [...methods, 'OPTIONS'].join(', ')
    app.all(path, (c) => {
      if (isOptions(c)) return c.body(null, 204, { allow })
      const refused = problemResponse(
        new EngineError('method_not_allowed', `${c.req.method} is no method of this path; it has ${allow}`),
      )
      refused.headers.set('allow', allow)
      return refused
    })
  }
}

/** Says nothing of a workspace, and is asked without a credential: a browser's preflight has none. */
export function isOptions(c: Context): boolean {
  return c.req.method === 'OPTIONS'
}
