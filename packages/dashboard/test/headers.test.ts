// The headers of each kind of response, of both sites.
import { createTestEngine } from '@keepsend/testing'
import { describe, expect, it } from 'vitest'
import { MOUNT, openDashboard } from './open-dashboard.ts'
import { PORTAL, openPortal } from './open-portal.ts'
import { visitor } from './visitor.ts'

/** The headers of a page, whatever its status is. */
function pageHeaders({ images = "'self'", ancestors = "'none'" } = {}): Record<string, string> {
  return {
    'content-security-policy': `default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src ${images}; form-action 'self'; base-uri 'none'; frame-ancestors ${ancestors}`,
    'referrer-policy': 'no-referrer',
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
    'content-type': 'text/html; charset=UTF-8',
  }
}

async function headersOf(response: Response | Promise<Response>, names: readonly string[]) {
  const { status, headers } = await response
  return { status, ...Object.fromEntries(names.map((name) => [name, headers.get(name)])) }
}

const NAMES = Object.keys(pageHeaders())

describe('a page', () => {
  it('of the dashboard loads nothing but its own files, is in no frame and in no cache, and sends no referrer', async () => {
    const { request, as } = await openDashboard()
    const expected = pageHeaders()
    expect(await headersOf(request(MOUNT), NAMES)).toEqual({ status: 200, ...expected })
    expect(await headersOf(request(`${MOUNT}/none`), NAMES)).toEqual({ status: 404, ...expected })
    expect(await headersOf(request(`${MOUNT}/preferences`, { method: 'POST' }), NAMES)).toEqual({
      status: 403,
      ...expected,
    })
    as({ name: '', role: 'act' })
    expect(await headersOf(request(MOUNT), NAMES)).toEqual({ status: 500, ...expected })
  })

  it('of the portal does so too, beside the pictures and the frames of the host', async () => {
    const logo = { url: 'https://cdn.example.com/a/logo.png', alt: '' }
    const { request, linkOf, app } = await openPortal({ brand: { logo }, frameAncestors: ['https://app.example.com'] })
    const expected = pageHeaders({ images: "'self' https://cdn.example.com", ancestors: 'https://app.example.com' })
    expect(await headersOf(request(PORTAL), NAMES)).toEqual({ status: 200, ...expected })
    const { path } = await linkOf({ uses: 'once' })
    const stranger = visitor(app)
    expect(await headersOf(stranger.request(path), NAMES)).toEqual({ status: 200, ...expected })
    expect(await headersOf(stranger.request(PORTAL), NAMES)).toEqual({ status: 401, ...expected })
    const alone = await openPortal({ brand: { logo: { ...logo, url: '/logo.png' } } })
    expect(await headersOf(alone.request(PORTAL), NAMES)).toEqual({ status: 200, ...pageHeaders() })
  })
})

describe('the stylesheet and the script', () => {
  it('are stored for a year by who has them, and are taken for nothing else', async () => {
    const engine = await createTestEngine()
    for (const { request, at } of [
      { ...(await openDashboard(undefined, engine)), at: MOUNT },
      { ...(await openPortal({ engine })), at: PORTAL },
    ]) {
      const html = await (await request(at)).text()
      const paths = [...html.matchAll(/(?:href|src)="([^"]+\/assets\/[^"]+)"/g)].map(([, path = '']) => path)
      const found = await Promise.all(
        paths.map((path) => headersOf(request(path), ['content-type', 'cache-control', 'x-content-type-options'])),
      )
      const stored = { status: 200, 'cache-control': 'public, max-age=31536000, immutable' }
      expect(found).toEqual([
        { ...stored, 'content-type': 'text/css; charset=utf-8', 'x-content-type-options': 'nosniff' },
        { ...stored, 'content-type': 'text/javascript; charset=utf-8', 'x-content-type-options': 'nosniff' },
      ])
    }
  })
})
