import type { Engine, PortalLink } from '@keepsend/engine'
import type { Context } from 'hono'
import { getCookie, setCookie } from 'hono/cookie'

const COOKIE = 'keepsend_portal'

/** The cookie that holds the session of a customer. */
export interface Sessions {
  /** The session of a request, and its link; undefined if there is none, or it has ended. */
  read(c: Context): Promise<{ text: string; link: PortalLink } | undefined>
  /** @param home the address of the first page */
  write(c: Context, session: { text: string; expiresAt: number }, home: string): void
}

export function createSessions(engine: Engine, isDevelopment: boolean): Sessions {
  return {
    async read(c) {
      const text = getCookie(c, COOKIE)
      const link = text === undefined ? undefined : await engine.portalLinks.session(text)
      return text === undefined || !link ? undefined : { text, link }
    },
    write(c, { text, expiresAt }, home) {
      // A browser sends a cookie to a frame of another site only if it was set for frames, apart for each site that shows it.
      const inFrame = isFramed(c)
      setCookie(c, COOKIE, text, {
        path: home,
        httpOnly: true,
        secure: inFrame || !isDevelopment,
        sameSite: inFrame ? 'None' : 'Lax',
        partitioned: inFrame,
        expires: new Date(expiresAt),
      })
    },
  }
}

/** Whether a page of another site shows this one in a frame. */
export function isFramed(c: Context): boolean {
  return c.req.header('sec-fetch-dest') === 'iframe' && c.req.header('sec-fetch-site') !== 'same-origin'
}
