import { raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import { Icon } from '../parts/icon.tsx'
import { ThemeSwitch } from '../parts/theme-switch.tsx'
import type { Reader } from '../reader/reader.ts'
import type { Brand } from './brand.ts'

/** The host around the pages of its portal. */
export interface Host {
  sender: string
  logo: Brand['logo']
  /** Where "Back to …" leads. */
  returnUrl: string | undefined
  /** The name of the customer. */
  workspace: string | undefined
  hasEvents: boolean
}

/** The frame of each page. Nobody who has no session sees the navigation. */
export function Frame({
  host,
  section,
  isCustomer,
  here,
  reader,
  children,
}: {
  host: Host
  section: string | undefined
  isCustomer: boolean
  here: string
  reader: Reader
  children: Child
}) {
  const { text, link } = reader
  const { sender, logo, returnUrl, workspace, hasEvents } = host
  const current = (one: string): 'page' | undefined => (one === section ? 'page' : undefined)
  return (
    <>
      <header class="top">
        <div class="wrap">
          <span class="id">
            <Logo logo={logo} />
            {sender}
            <span class="sub">{text('portal.webhooks')}</span>
          </span>
          {isCustomer && hasEvents ? (
            <nav class="tabs" aria-label={text('nav.label')}>
              <a href={link()} aria-current={current('endpoints')}>
                {text('nav.endpoints')}
              </a>
              <a href={link('events')} aria-current={current('events')}>
                {text('nav.events')}
              </a>
            </nav>
          ) : null}
          {returnUrl === undefined ? null : (
            <a class="btn ghost" href={returnUrl} target="_top">
              <Icon name="left" />
              {text('portal.back', { sender })}
            </a>
          )}
        </div>
      </header>
      {children}
      <footer class="foot">
        <div class="wrap">
          <span>
            {workspace === undefined ? '' : text('portal.managing', { workspace })}
            {isCustomer && !reader.canAct ? ` ${text('portal.read_only')}` : ''}
          </span>
          {isCustomer ? (
            <span class="row">
              <a class="link" href={link('preferences', { back: here })} data-key="?">
                {text('nav.preferences')}
              </a>
              <ThemeSwitch here={here} reader={reader} />
            </span>
          ) : null}
        </div>
      </footer>
    </>
  )
}

function Logo({ logo }: { logo: Brand['logo'] }) {
  if (!logo) return null
  if ('svg' in logo) return raw(logo.svg)
  return <img class="logo" src={logo.url} alt={logo.alt} />
}
