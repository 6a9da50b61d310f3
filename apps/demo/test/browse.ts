// A browser without script, which follows links: the address bar, the cookies, and nothing else.
import { expect } from 'vitest'

export interface Browser {
  /** Follows redirects, and stores cookies. */
  open(path: string): Promise<{ path: string; status: number; html: string }>
}

export function createBrowser(send: (path: string, init: RequestInit) => Response | Promise<Response>): Browser {
  const cookies = new Map<string, string>()
  return {
    async open(path) {
      const cookie = [...cookies].map(([name, value]) => `${name}=${value}`).join('; ')
      const response = await send(path, { headers: { cookie }, redirect: 'manual' })
      for (const set of response.headers.getSetCookie()) {
        const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(set) ?? []
        cookies.set(name, value)
      }
      const to = response.headers.get('location')
      const html = await response.text()
      return to === null ? { path, status: response.status, html } : this.open(to)
    },
  }
}

// Pages of one kind differ only in what they show.
const OF_A_KIND = 3
const MAX_PAGES = 200

/** Opens a page and all pages below it that links lead to, some of each kind. Each must answer 200; returns their HTML by path. */
export async function walkFrom(browser: Browser, start: string): Promise<Map<string, string>> {
  const first = await browser.open(start)
  const mount = first.path
  const pages = new Map<string, string>()
  const kinds = new Map<string, number>()
  const left = [mount]
  for (let path = left.shift(); path !== undefined && pages.size < MAX_PAGES; path = left.shift()) {
    const kind = kindOf(path)
    const count = kinds.get(kind) ?? 0
    if (pages.has(path) || count === OF_A_KIND) continue
    kinds.set(kind, count + 1)
    const { status, html } = await browser.open(path)
    expect([path, status]).toEqual([path, 200])
    pages.set(path, html)
    left.push(...linksOf(html, path).filter((link) => link === mount || link.startsWith(`${mount}/`)))
  }
  return pages
}

/** Its path without ids and the values of its query. */
function kindOf(path: string): string {
  const { pathname, searchParams } = new URL(path, 'http://browser')
  const names = [...searchParams.keys()].sort().join('&')
  return `${pathname.replaceAll(/\b(evt|ep|rep|prb|key|plk)_[^/]+/g, ':id')}?${names}`
}

function linksOf(html: string, from: string): string[] {
  return [...html.matchAll(/<a\b[^>]* href="([^"#]*)/g)].map(([, href = '']) => {
    const { pathname, search } = new URL(href.replaceAll('&amp;', '&'), new URL(from, 'http://browser'))
    return pathname + search
  })
}
