import { html, raw } from 'hono/html'
import type { Child } from 'hono/jsx'
import { SCRIPT, STYLESHEET } from '../assets/embedded.ts'
import { IconDrawings } from '../parts/icon.tsx'

interface DocumentParts {
  language: string
  /** Of the whole page, such as `Deliveries · Keepsend`. */
  title: string
  /** As the reader chose it; undefined: as the system has it. */
  theme: 'light' | 'dark' | undefined
  /** The class of the document: `portal`, or none. */
  kind?: 'portal'
  /** Whether keys act. */
  keys: boolean
  /** The address of an asset. */
  asset: (name: string) => string
  /** The address of a stylesheet of the host's own. */
  brand?: string | undefined
  skip: string
  /** Said when something was copied. @default nothing */
  copied?: string | undefined
  /** Without script, the page loads itself again after this many seconds. @default never */
  refreshS?: number | undefined
  children: Child
}

/** A whole page, as text: the icons that it uses stand before the rest. */
export async function renderDocument({
  language,
  title,
  theme,
  kind,
  keys,
  asset,
  brand,
  skip,
  copied,
  refreshS,
  children,
}: DocumentParts): Promise<string> {
  const body = await html`${children}`
  const page = (
    <html lang={language} class={kind} data-theme={theme} data-keys={keys ? undefined : 'off'}>
      <head>
        <meta charset="utf-8" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <meta name="robots" content="noindex" />
        <title>{title}</title>
        {refreshS === undefined ? null : (
          <noscript>
            <meta http-equiv="refresh" content={String(refreshS)} />
          </noscript>
        )}
        <link rel="stylesheet" href={asset(STYLESHEET.name)} />
        {brand === undefined ? null : <link rel="stylesheet" href={brand} />}
        <script type="module" src={asset(SCRIPT.name)} />
      </head>
      <body>
        <IconDrawings page={body} />
        <a class="btn skip" href="#main">
          {skip}
        </a>
        {raw(body)}
        <div class="sr" role="status" data-status data-copied={copied} />
      </body>
    </html>
  )
  return html`<!doctype html> ${page}`
}

/**
 * The policy of every page: nothing but our own stylesheets, script and addresses.
 *
 * @param images the origins of pictures, beside our own
 * @param frameAncestors the origins whose pages may show this one in a frame
 */
export function policy(images: readonly string[] = [], frameAncestors: readonly string[] = []): Record<string, string> {
  const ancestors = frameAncestors.length === 0 ? "'none'" : frameAncestors.join(' ')
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src ${["'self'", ...images].join(' ')}; form-action 'self'; base-uri 'none'; frame-ancestors ${ancestors}`,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
}
