import { EngineError, type PortalLink } from '@keepsend/engine'
import { errorFields } from '@keepsend/engine/internal'
import type { Hono } from 'hono'
import { PORTAL_ELEMENT } from './assets/embedded.ts'
import { createTexts } from './language/texts.ts'
import { deadEnd } from './portal/dead-end.tsx'
import { brandStylesheet } from './portal/brand.ts'
import { addEntrance, expired } from './portal/enter.tsx'
import { Frame } from './portal/frame.tsx'
import { CUSTOMER_PREFIX } from './portal/endpoints/who-disabled.ts'
import { type PortalOptions, checkPortalOptions } from './portal/options.ts'
import { PORTAL_ACTIONS, PORTAL_PAGES } from './portal/pages.ts'
import { guarded } from './portal/not-allowed.tsx'
import type { Customer, PortalVisit } from './portal/portal-visit.ts'
import { createSessions } from './portal/session.ts'
import { policy, renderDocument } from './site/document.tsx'
import { shownError } from './site/problem-page.tsx'
import { createSite } from './site/site.tsx'

const VERIFYING_URL = 'https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md'

/**
 * Creates the portal of your customers: a Hono app to mount at any path. A customer comes by a link of {@link createPortalLink}, sees
 * the endpoints and deliveries of one workspace, and does what the link allows.
 *
 * @throws {TypeError} for an option that is missing, unknown or of the wrong kind
 * @example
 * app.route('/webhooks', createPortal({ engine, name: 'Plover', returnUrl: 'https://app.example.com/settings' }))
 */
export function createPortal(options: PortalOptions): Hono {
  checkPortalOptions(options)
  const { engine, name: sender, basePath, brand = {}, returnUrl, frameAncestors = [] } = options
  const verifyingUrl = options.verifyingUrl ?? VERIFYING_URL
  const sessions = createSessions(engine, options.development === true)
  const stylesheet = brandStylesheet(brand)
  const hasEvents = engine.eventTypes().length > 0
  const logoUrl = brand.logo && 'url' in brand.logo ? brand.logo.url : undefined
  const headers = policy(logoUrl?.startsWith('https:') ? [new URL(logoUrl).origin] : [], frameAncestors)

  return createSite<Customer, PortalVisit>({
    name: 'portal',
    engine,
    basePath,
    texts: createTexts(options.messages),
    home: 'portal.your_endpoints',
    async identify(c) {
      const session = await sessions.read(c)
      return session ? customerOf(session) : null
    },
    visitOf: (visit, { link }) => ({
      ...visit,
      workspaceId: link.workspaceId,
      may: (capability) => link.capabilities.includes(capability),
      sender,
      verifyingUrl,
    }),
    nobody: (reader) => expired({ sender, returnUrl }, reader),
    shownError: (error, reader) =>
      error instanceof EngineError && (error.code === 'not_found' || error.code === 'not_retained')
        ? deadEnd('not_found', reader)
        : shownError(error, reader),
    async render(content, { title, refreshS }, { reader, viewer, section, here }) {
      const { theme, keys } = reader.preferences
      const workspace = viewer && (await workspaceNameOf(options, viewer.link))
      const host = { sender, logo: brand.logo, returnUrl: viewer?.link.returnUrl ?? returnUrl, workspace, hasEvents }
      const html = await renderDocument({
        language: reader.language,
        title: reader.text('portal.title', { title, sender }),
        theme,
        kind: 'portal',
        keys,
        asset: (asset) => reader.link('assets', asset),
        brand: stylesheet === undefined ? undefined : reader.link('brand.css', { v: fingerprint(stylesheet) }),
        skip: reader.text('skip'),
        copied: reader.text('copy.done'),
        refreshS,
        children: (
          <Frame host={host} section={section} isCustomer={viewer !== undefined} here={here} reader={reader}>
            {content}
          </Frame>
        ),
      })
      return { html, headers }
    },
    // Before the pages, whose last one is that of an address that is none.
    first(app, serveOpenly) {
      addEntrance({ app, serveOpenly }, { engine, sessions, sender, returnUrl })
      app.get('/brand.css', (c) =>
        c.body(stylesheet ?? '', 200, {
          'content-type': 'text/css; charset=utf-8',
          'cache-control': 'public, max-age=3600',
        }),
      )
      // The pages of the host load it from another origin.
      app.get('/portal-element.js', (c) =>
        c.body(PORTAL_ELEMENT.text, 200, {
          'content-type': PORTAL_ELEMENT.type,
          'cache-control': 'public, max-age=3600',
          'access-control-allow-origin': '*',
          'cross-origin-resource-policy': 'cross-origin',
        }),
      )
    },
    pages: PORTAL_PAGES,
    actions: PORTAL_ACTIONS.map(guarded),
  })
}

/** The name of the customer. The pages are shown without it if the host does not find it. */
async function workspaceNameOf(
  { engine, workspaceName }: PortalOptions,
  { workspaceId }: PortalLink,
): Promise<string | undefined> {
  try {
    return await workspaceName?.(workspaceId)
  } catch (error) {
    engine.logger.warn(
      { workspaceId, ...errorFields(error) },
      'workspaceName failed; showing the page without the name',
    )
    return undefined
  }
}

// Of whoever acts, in the audit.
const MAX_NAME = 200

function customerOf({ text: session, link }: { text: string; link: PortalLink }): Customer {
  const { id, subject, capabilities, theme, language } = link
  return {
    // The cut may leave half a character, which is no text that a database stores.
    name: `${CUSTOMER_PREFIX}${subject ?? id}`.slice(0, MAX_NAME).replace(/[\ud800-\udbff]$/, ''),
    session,
    link,
    canAct: capabilities.length > 0,
    preferences: { theme: theme ?? undefined, language: language ?? undefined },
  }
}

/** Changes with the text, so that a browser which has another stylesheet asks again: FNV-1a. */
function fingerprint(text: string): string {
  let hash = 0x811c9dc5
  for (let at = 0; at < text.length; at++) hash = Math.imul(hash ^ text.charCodeAt(at), 0x01000193)
  return (hash >>> 0).toString(36)
}
