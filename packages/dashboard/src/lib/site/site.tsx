import type { Engine } from '@keepsend/engine'
import { errorFields, prefixOf } from '@keepsend/engine/internal'
import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Child } from 'hono/jsx'
import { createCsrf, isFromElsewhere } from '../access/csrf.ts'
import { serveAsset } from '../assets/serve-assets.ts'
import { chooseLanguage } from '../language/languages.ts'
import type { PlainKey, Text } from '../language/text.ts'
import { type Preferences, preferencesOf, storePreferences } from '../reader/preferences.ts'
import { type Reader, createLink } from '../reader/reader.ts'
import { createTimes } from '../reader/times.ts'
import { compressWhereNeeded } from './compress.ts'
import { type FormValues, readForm, sentOf } from './form.ts'
import { inTime } from './in-time.ts'
import { mountPath } from './mount.ts'
import { FailurePage, forbiddenPage, noPage, unreadPage } from './problem-page.tsx'
import { isOptionRefused } from './refusals.ts'
import type { Action, Page, Shown, Visit } from './visit.ts'
import { withoutNul } from './without-nul.ts'

// A test event of an endpoint is the largest form.
const MAX_FORM_BYTES = 2_000_000

/** A page as the whole site shows it. */
export type Answer = Omit<Shown, 'status'> & { status?: Shown['status'] | 401 | 410 | 413 | 500 }

/** Who looks at a site. */
export interface Viewer {
  /** Recorded by the audit. */
  name: string
  /** The tokens of forms are bound to it. */
  session: string
  canAct: boolean
  /** What the reader gets who has chosen nothing. */
  preferences?: Partial<Pick<Preferences, 'theme' | 'language'>>
}

/** What one of the two sites, the operator's and the customers', is made of. */
export interface SiteParts<Who extends Viewer, V extends Visit> {
  name: 'dashboard' | 'portal'
  engine: Engine
  /** The mount path; undefined: found from each request. */
  basePath: string | undefined
  texts: ReadonlyMap<string, Text>
  /** The words of the link to the first page. */
  home: PlainKey
  /** Finds who sends a request; null: nobody. */
  identify(c: Context): Promise<Who | Response | null>
  /** The visit of a viewer, as the pages of the site read it. */
  visitOf(visit: Visit, viewer: Who): V
  /** The page for nobody. */
  nobody(reader: Reader, c: Context): Answer
  /** The page of an error that is about the request; undefined: it is a failure of ours. */
  shownError(error: unknown, reader: Reader): Answer | undefined
  /** The whole page around a content; without a viewer there is no navigation. */
  render(content: Child, answer: Answer, about: About<Who>): Promise<{ html: string; headers: Record<string, string> }>
  /** Adds routes of the site's own, before its pages. */
  first?(app: Hono, serveOpenly: ServeOpenly): void
  pages: readonly Page<V>[]
  actions: readonly Action<V>[]
}

/** A request, and who sent it as far as that is known. */
interface About<Who> {
  c: Context
  reader: Reader
  viewer: Who | undefined
  section: string | undefined
  /** The path and the query of the page. */
  here: string
}

/** Serves a request of nobody in particular, such as one that opens a link. @param path the pattern of its route */
export type ServeOpenly = (
  c: Context,
  path: string,
  work: (reader: Reader) => Promise<Answer | Response>,
) => Promise<Response>

/** Creates the app of a site: its assets, pages, actions and preferences. */
export function createSite<Who extends Viewer, V extends Visit>(parts: SiteParts<Who, V>): Hono {
  const { name, engine, basePath, texts } = parts
  const csrf = createCsrf(() => engine.apiKeys.deriveSecret(`keepsend ${name}`))
  const app = new Hono()

  async function readerOf(c: Context, pattern: string, viewer: Who | undefined): Promise<Reader> {
    const preferences = preferencesOf(c, viewer?.preferences)
    const language = chooseLanguage(texts.keys(), preferences.language, c.req.header('accept-language'))
    const text = texts.get(language) ?? fail(`there are no texts for ${language}`)
    return {
      language,
      languages: [...texts.keys()],
      preferences,
      text,
      times: createTimes(language, preferences.zone),
      now: Date.now(),
      canAct: viewer?.canAct === true,
      link: createLink(basePath ?? mountPath(c, pattern)),
      home: text(parts.home),
      csrf: viewer ? await csrf.token(viewer.session) : '',
    }
  }

  async function respond(answer: Answer, about: Omit<About<Who>, 'here'>): Promise<Response> {
    const { c, reader } = about
    const { main, liveMs, status = 200 } = answer
    const content = (
      <main
        id="main"
        class={name === 'portal' ? 'wrap' : undefined}
        data-live={liveMs}
        data-stale={liveMs === undefined ? undefined : reader.text('live.stale')}
      >
        {main}
      </main>
    )
    const { html, headers } = await parts.render(content, answer, { ...about, here: hereOf(c, reader) })
    return c.html(html, status, headers)
  }

  /** Runs `work`, and shows what it returns or what went wrong. `work` fills in what is known about the request. */
  async function answering(
    about: { c: Context; path: string; section: string | undefined },
    work: (known: { reader?: Reader; viewer?: Who | undefined }) => Promise<Answer | Response>,
  ): Promise<Response> {
    const { c, path, section } = about
    const known: { reader?: Reader; viewer?: Who | undefined } = {}
    try {
      const answer = await work(known)
      if (answer instanceof Response) return answer
      const reader = known.reader ?? (await readerOf(c, path, undefined))
      return await respond(answer, { c, reader, viewer: known.viewer, section })
    } catch (error) {
      const { viewer } = known
      const shown = known.reader && parts.shownError(error, known.reader)
      if (known.reader && shown) {
        // The code does not tell a form that was filled in wrongly from an engine that was set up wrongly.
        if (isOptionRefused(error)) engine.logger.warn({ path, ...errorFields(error) }, `a page of the ${name} refused`)
        return respond(shown, { c, reader: known.reader, viewer, section })
      }
      const reference = crypto.randomUUID().slice(0, 8)
      engine.logger.error({ reference, path, ...errorFields(error) }, `a page of the ${name} failed`)
      const reader = known.reader ?? (await readerOf(c, path, undefined))
      const main = <FailurePage reference={reference} here={hereOf(c, reader)} reader={reader} />
      return respond({ title: reader.text('failure.title'), main, status: 500 }, { c, reader, viewer, section })
    }
  }

  /** Answers a request of a viewer. */
  function serve(
    c: Context,
    { path, section }: { path: string; section: string | undefined },
    work: (visit: V, viewer: Who) => Promise<Shown | Response> | Shown | Response,
  ): Promise<Response> {
    return answering({ c, path, section }, async (known) => {
      const found = await parts.identify(c)
      if (found instanceof Response) return found
      if (!found) {
        known.reader = await readerOf(c, path, undefined)
        return parts.nobody(known.reader, c)
      }
      known.viewer = found
      known.reader = await inTime(readerOf(c, path, found))
      const visit: Visit = {
        engine,
        reader: known.reader,
        param: (one) => withoutNul(one, c.req.param(one)) ?? fail(`the path has no parameter ${one}`),
        query: (one) => withoutNul(one, c.req.query(one)) || undefined,
      }
      return work(parts.visitOf(visit, found), found)
    })
  }

  async function formOf(c: Context, viewer: Who, reader: Reader): Promise<{ values: FormValues } | Shown> {
    const form = await readForm(c)
    if (!form) return unreadPage(400, reader)
    const token = form['csrf']
    const isOurs = typeof token === 'string' && (await csrf.isValid(token, viewer.session))
    return isOurs && !isFromElsewhere(c)
      ? { values: form }
      : forbiddenPage({ title: reader.text('form_expired.title'), reader })
  }

  const serveOpenly: ServeOpenly = (c, path, work) =>
    answering({ c, path, section: undefined }, async (known) => {
      known.reader = await readerOf(c, path, undefined)
      return work(known.reader)
    })

  app.use(compressWhereNeeded())
  app.get('/assets/:name', serveAsset)
  parts.first?.(app, serveOpenly)
  for (const page of parts.pages) {
    // An action is not cut off: a test event may take as long as its endpoint.
    app.get(page.path, (c) => serve(c, page, async (visit) => inTime(Promise.resolve(page.show(visit)))))
  }
  const tooLarge = (c: Context) => serveOpenly(c, '*', async (reader) => unreadPage(413, reader))
  app.post('*', bodyLimit({ maxSize: MAX_FORM_BYTES, onError: tooLarge }))
  app.post('/preferences', (c) =>
    serve(c, { path: '/preferences', section: undefined }, async ({ reader }, viewer) => {
      const form = await formOf(c, viewer, reader)
      return 'values' in form ? storePreferences(c, form.values, reader.link()) : form
    }),
  )
  for (const action of parts.actions) {
    app.post(action.path, (c) =>
      serve(c, action, async (visit, viewer) => {
        const form = await formOf(c, viewer, visit.reader)
        if (!('values' in form)) return form
        if (!viewer.canAct) return forbiddenPage({ title: visit.reader.text('read_only.title'), reader: visit.reader })
        const to = await action.act(sentOf(visit, form.values, viewer.name))
        return typeof to === 'string' ? c.redirect(to, 303) : to
      }),
    )
  }
  app.get('*', async (c) => {
    // Routers tell `/webhooks/` from `/webhooks`.
    const { pathname, search } = new URL(c.req.url)
    // A path that begins with two slashes would name another host.
    if (/^\/(?!\/).*[^/]\/$/.test(pathname)) return c.redirect(prefixOf(c) + pathname.slice(0, -1) + search, 308)
    return serve(c, { path: '*', section: undefined }, ({ reader }) => noPage(reader))
  })

  return app
}

/** The path and the query of the page, below the mount path. */
function hereOf(c: Context, reader: Reader): string {
  const { pathname, search } = new URL(c.req.url)
  const home = reader.link()
  const base = home === '/' ? '' : home
  const own = pathname === base || pathname.startsWith(`${base}/`) ? pathname : base + pathname
  // Two leading slashes would name another host.
  return own.replace(/^\/+/, '/') + search
}

function fail(reason: string): never {
  throw new Error(reason)
}
