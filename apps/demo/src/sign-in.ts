import { type Context, Hono } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'
import { isSame } from './same-text.ts'

const PATH = '/admin/sign-in'
const COOKIE = 'demo_operator'

/** The link that signs the operator in. */
export function operatorLink(appUrl: string, signInSecret: string): string {
  return `${appUrl}${PATH}/${encodeURIComponent(signInSecret)}`
}

export interface SignIn {
  /** The page behind the link. */
  routes: Hono
  /** Whether the request is the operator's. */
  isOperator: (c: Context) => Promise<boolean>
}

/**
 * A sign-in for development: a link with a secret that sets a cookie. It knows no users: everybody with the link is the operator.
 *
 * @param secret undefined or empty signs nobody in
 * @param to where the link leads
 */
export function createSignIn(secret: string | undefined, to: string): SignIn {
  const isIt = async (given: string | undefined): Promise<boolean> =>
    Boolean(secret && given) && isSame(given ?? '', secret ?? '')
  const routes = new Hono().get(`${PATH}/:secret`, async (c) => {
    c.header('cache-control', 'no-store')
    c.header('referrer-policy', 'no-referrer')
    const given = c.req.param('secret')
    if (!(await isIt(given))) return c.text('This link is not valid. The demo prints a new one at each start.\n', 401)
    // Browsers store no `Secure` cookie of plain http on 127.0.0.1.
    const secure = new URL(c.req.url).protocol === 'https:'
    setCookie(c, COOKIE, given, { path: '/admin', httpOnly: true, sameSite: 'Lax', secure })
    return c.redirect(to)
  })
  return { routes, isOperator: (c) => isIt(getCookie(c, COOKIE)) }
}
