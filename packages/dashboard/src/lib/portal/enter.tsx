import type { Engine, PortalLink } from '@keepsend/engine'
import type { Context, Hono } from 'hono'
import { Moment } from '../parts/moment.tsx'
import type { Reader } from '../reader/reader.ts'
import { MiddlePage } from '../site/problem-page.tsx'
import type { Answer, ServeOpenly } from '../site/site.tsx'
import { type Sessions, isFramed } from './session.ts'

interface Entrance {
  engine: Engine
  sessions: Sessions
  sender: string
  returnUrl: string | undefined
}

/**
 * Opens links. A one-time link answers a GET with a page whose button is a POST, and only that uses it up: programs that look at the
 * links of a mail send no POST. A link for many uses opens at the GET.
 */
export function addEntrance({ app, serveOpenly }: { app: Hono; serveOpenly: ServeOpenly }, entrance: Entrance): void {
  const { engine, sessions } = entrance
  const path = '/enter/:token'

  app.get(path, (c) =>
    serveOpenly(c, path, async (reader) => {
      const link = await engine.portalLinks.find(tokenOf(c))
      const current = await sessions.read(c)
      if (link?.uses === 'once' && current?.link.id === link.id) return c.redirect(reader.link(), 303)
      if (link?.state !== 'active') return expired(entrance, reader, link)
      return link.uses === 'many' ? open(c, entrance, reader) : enterPage(c, link, reader)
    }),
  )
  app.post(path, (c) => serveOpenly(c, path, async (reader) => open(c, entrance, reader)))
  app.get(`${path}/framed`, (c) =>
    serveOpenly(c, `${path}/framed`, async (reader) =>
      (await sessions.read(c)) ? c.redirect(reader.link(), 303) : framedPage(tokenOf(c), reader),
    ),
  )
}

async function open(c: Context, entrance: Entrance, reader: Reader): Promise<Answer | Response> {
  const { engine, sessions } = entrance
  const token = tokenOf(c)
  const opened = await engine.portalLinks.open(token)
  if (!opened) return expired(entrance, reader, await engine.portalLinks.find(token))
  sessions.write(c, { text: opened.session, expiresAt: opened.link.expiresAt }, reader.link())
  // In a frame the browser may refuse the cookie, which only the next request tells.
  return c.redirect(isFramed(c) ? reader.link('enter', token, 'framed') : reader.link(), 303)
}

function tokenOf(c: Context): string {
  return c.req.param('token') ?? ''
}

/** The page of a link that does not open, and of a request without a session. */
export function expired(
  { sender, returnUrl }: Pick<Entrance, 'sender' | 'returnUrl'>,
  { text }: Reader,
  link?: PortalLink,
): Answer {
  const title = text('portal.expired')
  const back = link?.returnUrl ?? returnUrl
  const way =
    back === undefined ? (
      ''
    ) : (
      <a class="btn primary" href={back} target="_top">
        {text('portal.open_in', { sender })}
      </a>
    )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>{text('portal.expired_why')}</p>
      <p class="dim sub">{text('portal.expired_mail')}</p>
    </MiddlePage>
  )
  return { title, main, status: link ? 410 : 401 }
}

function enterPage(c: Context, { expiresAt }: PortalLink, reader: Reader): Answer {
  const { text } = reader
  const title = text('portal.enter')
  const main = (
    <form class="page-mid" method="post" action={reader.link('enter', tokenOf(c))}>
      <h1>{title}</h1>
      <p>{text.rich('portal.enter_why', { time: <Moment at={expiresAt} reader={reader} /> })}</p>
      <div class="row">
        <button class="btn primary">{text('portal.enter_button')}</button>
      </div>
    </form>
  )
  return { title, main }
}

function framedPage(token: string, { text, link }: Reader): Answer {
  const title = text('portal.framed')
  const way = (
    <a class="btn primary" href={link('enter', token)} target="_blank" rel="noopener">
      {text('portal.framed_button')}
    </a>
  )
  const main = (
    <MiddlePage title={title} way={way}>
      <p>{text('portal.framed_why')}</p>
    </MiddlePage>
  )
  return { title, main }
}
