import { type Context, Hono } from 'hono'
import { bodyLimit } from 'hono/body-limit'
import type { Child } from 'hono/jsx'
import { createCsrf, isFromElsewhere } from './access/csrf.ts'
import { serveAsset } from './assets/serve-assets.ts'
import { chooseLanguage } from './language/languages.ts'
import { createTexts } from './language/texts.ts'
import { mountPath } from './site/mount.ts'
import { type DashboardOptions, type Operator, checkOperator, checkOptions } from './options.ts'
import { ACTIONS, PAGES } from './operator/pages.ts'
import { FailurePage, MiddlePage, shownError } from './site/problem-page.tsx'
import { preferencesOf, storePreferences } from './reader/preferences.ts'
import { type Reader, createLink } from './reader/reader.ts'
import { createTimes } from './reader/times.ts'
import { POLICY, renderDocument } from './site/document.tsx'
import { type Section, Shell } from './operator/shell.tsx'
import type { Sent, Shown, Visit } from './site/visit.ts'

// A test event of an endpoint is the largest form.
const MAX_FORM_BYTES = 2_000_000
// Longer than any statement of a page takes; a database that does not answer is said to be one.
const MAX_WAIT_MS = 5000

/**
 * Creates the operator's dashboard: a Hono app to mount at any path. It reads and acts by the engine, for all workspaces.
 *
 * @throws {TypeError} for an option that is missing, unknown or of the wrong kind
 * @example
 * app.route('/admin/webhooks', createDashboard({ engine, authorize: (c) => operatorOf(c), environment: 'production' }))
 */
export function createDashboard(options: DashboardOptions): Hono {
  checkOptions(options)
  const { engine, authorize, basePath, environment, links = [] } = options
  const texts = createTexts(options.messages)
  const csrf = createCsrf(() => engine.apiKeys.deriveSecret('dashboard'))
  const app = new Hono()

  async function readerOf(c: Context, pattern: string, operator: Operator | undefined): Promise<Reader> {
    const preferences = preferencesOf(c)
    const language = chooseLanguage(texts.keys(), preferences.language, c.req.header('accept-language'))
    return {
      language,
      languages: [...texts.keys()],
      preferences,
      text: texts.get(language) ?? fail(`there are no texts for ${language}`),
      times: createTimes(language, preferences.zone),
      now: Date.now(),
      canAct: operator?.role === 'act',
      link: createLink(basePath ?? mountPath(c, pattern)),
      csrf: operator ? await csrf.token(operator.name) : '',
    }
  }

  async function respond(
    c: Context,
    { title, main, liveMs, status = 200 }: Omit<Shown, 'status'> & { status?: Shown['status'] | 401 | 500 },
    { reader, operator, section }: { reader: Reader; operator: Operator | undefined; section: Section | undefined },
  ): Promise<Response> {
    const { theme, keys } = reader.preferences
    const content: Child = (
      <main id="main" data-live={liveMs} data-stale={liveMs === undefined ? undefined : reader.text('live.stale')}>
        {main}
      </main>
    )
    const surroundings = { environment, name: operator?.name ?? '', theme, links, here: hereOf(c, reader) }
    const page = await renderDocument({
      language: reader.language,
      title: `${title} · Keepsend`,
      theme,
      keys,
      asset: (name) => reader.link('assets', name),
      skip: reader.text('skip'),
      // Who is nobody sees no navigation.
      children: operator ? (
        <Shell section={section} surroundings={surroundings} reader={reader}>
          {content}
        </Shell>
      ) : (
        content
      ),
    })
    return c.html(page, status, POLICY)
  }

  /** Runs `work` for the operator who sends the request, and shows what it returns or what went wrong. */
  async function serve(
    c: Context,
    { path, section }: { path: string; section: Section | undefined },
    work: (visit: Visit, operator: Operator) => Promise<Shown | Response> | Shown | Response,
  ): Promise<Response> {
    let reader: Reader | undefined
    let operator: Operator | undefined
    try {
      const found = await authorize(c)
      if (found instanceof Response) return found
      if (!found) {
        reader = await readerOf(c, path, undefined)
        return await respond(c, unauthorized(reader), { reader, operator: undefined, section })
      }
      operator = checkOperator(found)
      reader = await inTime(readerOf(c, path, operator))
      const visit: Visit = {
        engine,
        reader,
        param: (name) => c.req.param(name) ?? fail(`the path has no parameter ${name}`),
        query: (name) => c.req.query(name) || undefined,
      }
      const shown = await work(visit, operator)
      return shown instanceof Response ? shown : await respond(c, shown, { reader, operator, section })
    } catch (error) {
      const known = reader && shownError(error, reader)
      if (reader && known) return respond(c, known, { reader, operator, section })
      const reference = crypto.randomUUID().slice(0, 8)
      engine.logger.error({ reference, path, err: error }, 'a page of the dashboard failed')
      const plain = reader ?? { ...(await readerOf(c, path, undefined)) }
      const main = <FailurePage reference={reference} here={hereOf(c, plain)} reader={plain} />
      return respond(c, { title: plain.text('failure.title'), main, status: 500 }, { reader: plain, operator, section })
    }
  }

  app.get('/assets/:name', serveAsset)
  for (const page of PAGES) {
    // An action is not cut off: a test event may take as long as its endpoint.
    app.get(page.path, (c) => serve(c, page, async (visit) => inTime(Promise.resolve(page.show(visit)))))
  }
  app.post('*', bodyLimit({ maxSize: MAX_FORM_BYTES }))
  app.post('/preferences', (c) =>
    serve(c, { path: '/preferences', section: undefined }, async (visit, operator) => {
      const form = await c.req.parseBody()
      const refused = await refusalOf(c, form['csrf'], operator, visit.reader)
      return refused ?? storePreferences(c, form, visit.reader)
    }),
  )
  for (const action of ACTIONS) {
    app.post(action.path, (c) =>
      serve(c, action, async (visit, operator) => {
        const form = await c.req.parseBody({ all: true })
        const refused = await refusalOf(c, form['csrf'], operator, visit.reader)
        if (refused) return refused
        if (operator.role !== 'act') return forbidden(visit.reader.text('read_only.title'), visit.reader)
        const to = await action.act(sentOf(visit, form, operator))
        return typeof to === 'string' ? c.redirect(to, 303) : to
      }),
    )
  }
  app.get('*', (c) =>
    serve(c, { path: '', section: undefined }, ({ reader }) => {
      const title = reader.text('no_page.title')
      return {
        title,
        status: 404,
        main: (
          <MiddlePage
            title={title}
            way={
              <a class="btn primary" href={createLink(basePath ?? '')()}>
                {reader.text('nav.overview')}
              </a>
            }
          >
            <p>{reader.text('no_page.why')}</p>
          </MiddlePage>
        ),
      }
    }),
  )

  async function refusalOf(c: Context, token: unknown, operator: Operator, reader: Reader): Promise<Shown | undefined> {
    const isOurs = typeof token === 'string' && (await csrf.isValid(token, operator.name))
    return isOurs && !isFromElsewhere(c) ? undefined : forbidden(reader.text('form_expired.title'), reader)
  }

  return app
}

type Form = Record<string, unknown>

function sentOf(visit: Visit, form: Form, operator: Operator): Sent {
  const fields = (name: string): string[] => {
    const value = form[name]
    return (Array.isArray(value) ? value : [value]).filter((one) => typeof one === 'string' && one !== '')
  }
  return { ...visit, fields, field: (name) => fields(name)[0], by: operator.name }
}

function unauthorized(reader: Reader): Shown & { status?: never } {
  const title = reader.text('unauthorized.title')
  return {
    title,
    main: (
      <MiddlePage title={title} way="">
        <p>{reader.text('unauthorized.why')}</p>
      </MiddlePage>
    ),
  }
}

function forbidden(title: string, reader: Reader): Shown {
  return {
    title,
    status: 403,
    main: (
      <MiddlePage
        title={title}
        way={
          <a class="btn primary" href={reader.link()}>
            {reader.text('nav.overview')}
          </a>
        }
      >
        <p>{reader.text('form_expired.why')}</p>
      </MiddlePage>
    ),
  }
}

/** The path and the query of the page, below the mount path. */
function hereOf(c: Context, reader: Reader): string {
  const { pathname, search } = new URL(c.req.url)
  const base = reader.link().slice(0, -1)
  const own = pathname.startsWith(base) ? pathname : base + pathname
  return own + search
}

async function inTime<T>(work: Promise<T>): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`the database did not answer within ${MAX_WAIT_MS} ms`)), MAX_WAIT_MS)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}

function fail(reason: string): never {
  throw new Error(reason)
}
