import type { Endpoint } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import type { PlainKey } from '../../language/text.ts'
import { breakable } from '../../parts/breakable.tsx'
import { Copy } from '../../parts/copy.tsx'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { EndpointStatus } from '../../parts/status.tsx'
import type { PortalVisit } from '../portal-visit.ts'

/** The pages of an endpoint, in the order of their tabs. */
const TABS = {
  deliveries: { path: [], name: 'nav.deliveries', needs: undefined },
  settings: { path: ['settings'], name: 'portal.settings', needs: 'endpoints:write' },
  secret: { path: ['secret'], name: 'portal.secret', needs: undefined },
  test: { path: ['test'], name: 'portal.test', needs: 'tests:send' },
} as const satisfies Record<string, { path: string[]; name: PlainKey; needs: string | undefined }>

/** The head of each page of an endpoint: its URL, its state, what it is for, and the way to its other pages. */
export function EndpointHead({
  endpoint,
  current,
  visit: { reader, may },
  actions,
}: {
  endpoint: Endpoint
  current: keyof typeof TABS
  visit: PortalVisit
  /** Buttons, the main one last. */
  actions?: Child
}) {
  const { text, link } = reader
  const { id, url, description } = endpoint
  return (
    <>
      <Head
        title={<span class="mono url">{breakable(url)}</span>}
        crumbs={<a href={link()}>{text('nav.endpoints')}</a>}
        beside={<Copy label={text('copy.url')} text={url} />}
        below={
          <div class="row sub">
            <EndpointStatus endpoint={endpoint} reader={reader} />
            <span>{description}</span>
          </div>
        }
        actions={actions}
        reader={reader}
      />
      <nav class="tabs" aria-label={text('column.endpoint')}>
        {Object.entries(TABS).map(([tab, { path, name, needs }]) =>
          needs === undefined || may(needs) ? (
            <a href={link('endpoints', id, ...path)} aria-current={tab === current ? 'page' : undefined}>
              {text(name)}
            </a>
          ) : null,
        )}
      </nav>
    </>
  )
}

/** The way to a test, on the other pages of an endpoint. */
export function SendTestLink({ endpoint, visit: { reader, may } }: { endpoint: Endpoint; visit: PortalVisit }) {
  const { text, link } = reader
  return may('tests:send') ? (
    <a class="btn" href={link('endpoints', endpoint.id, 'test')}>
      <Icon name="test" />
      {text('endpoint.test')}
    </a>
  ) : null
}
