import type { Handler } from 'hono'
import { type Asset, SCRIPT, STYLESHEET } from './embedded.ts'

/** Serves the stylesheet and the script. Their names change with their content, so a browser may keep them for a year. */
export const serveAsset: Handler = (c) => {
  const asked = c.req.param('name')
  const asset: Asset | undefined = [STYLESHEET, SCRIPT].find(({ name }) => name === asked)
  if (!asset) return c.text('no such file', 404)
  return c.body(asset.text, 200, {
    'content-type': asset.type,
    'cache-control': 'public, max-age=31536000, immutable',
    'x-content-type-options': 'nosniff',
  })
}
