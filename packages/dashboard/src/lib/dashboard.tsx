import type { Hono } from 'hono'
import { createTexts } from './language/texts.ts'
import { ACTIONS, PAGES } from './operator/pages.ts'
import type { OperatorVisit } from './operator/operator-visit.ts'
import { readSigns } from './operator/signs.ts'
import { Shell } from './operator/shell.tsx'
import { type DashboardOptions, type Operator, checkOperator, checkOptions } from './options.ts'
import type { Reader } from './reader/reader.ts'
import { policy, renderDocument } from './site/document.tsx'
import { MiddlePage, shownError } from './site/problem-page.tsx'
import { type Answer, type Viewer, createSite } from './site/site.tsx'

/**
 * Creates the operator's dashboard: a Hono app to mount at any path. It reads and acts by the engine, for all workspaces.
 *
 * @throws {TypeError} for an option that is missing, unknown or of the wrong kind
 * @example
 * app.route('/admin/webhooks', createDashboard({ engine, authorize: (c) => operatorOf(c), environment: 'production' }))
 */
export function createDashboard(options: DashboardOptions): Hono {
  checkOptions(options)
  const { engine, authorize, basePath, environment, portalUrl, links = [] } = options
  return createSite<Viewer, OperatorVisit>({
    name: 'dashboard',
    engine,
    basePath,
    texts: createTexts(options.messages),
    home: 'nav.overview',
    shownError,
    async identify(c) {
      const found = await authorize(c)
      return found && !(found instanceof Response) ? viewerOf(checkOperator(found)) : found
    },
    visitOf: (visit) => ({ ...visit, portalUrl }),
    nobody: unauthorized,
    async render(content, { title, refreshS, status = 200 }, { reader, viewer, section, here }) {
      const { theme, keys } = reader.preferences
      const signs = viewer && status === 200 ? await readSigns(engine) : undefined
      const html = await renderDocument({
        language: reader.language,
        title: `${title} · Keepsend`,
        theme,
        keys,
        asset: (name) => reader.link('assets', name),
        skip: reader.text('skip'),
        copied: reader.text('copy.done'),
        refreshS,
        // Who is nobody sees no navigation.
        children: viewer ? (
          <Shell
            section={section}
            surroundings={{ environment, name: viewer.name, links, here, signs }}
            reader={reader}
          >
            {content}
          </Shell>
        ) : (
          content
        ),
      })
      return { html, headers: policy() }
    },
    pages: PAGES,
    actions: ACTIONS,
  })
}

function viewerOf({ name, role }: Operator): Viewer {
  return { name, session: name, canAct: role === 'act' }
}

function unauthorized(reader: Reader): Answer {
  const title = reader.text('unauthorized.title')
  return {
    title,
    status: 401,
    main: (
      <MiddlePage title={title} way="">
        <p>{reader.text('unauthorized.why')}</p>
      </MiddlePage>
    ),
  }
}
