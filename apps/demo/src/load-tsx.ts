// Lets Node load the dashboard from source. Node strips types but does not translate JSX, so esbuild does that for `.tsx` files.
// For `node --import`. An installed dashboard is plain JavaScript and needs none of this.
import { readFileSync } from 'node:fs'
import { registerHooks } from 'node:module'
import { fileURLToPath } from 'node:url'
import { transformSync } from 'esbuild'

registerHooks({
  load(url, context, nextLoad) {
    if (!url.endsWith('.tsx')) return nextLoad(url, context)
    const { code } = transformSync(readFileSync(fileURLToPath(url), 'utf8'), {
      loader: 'tsx',
      jsx: 'automatic',
      jsxImportSource: 'hono/jsx',
      sourcemap: 'inline',
      sourcefile: url,
    })
    return { format: 'module', source: code, shortCircuit: true }
  },
})
