// Writes the stylesheet, the script and the icons of the dashboard into a TypeScript module, minified, because a Worker has no
// files to read and a bundler copies none. `node scripts/embed-assets.ts` after a change in packages/dashboard/src/assets;
// test/repository.test.ts fails when that was forgotten.
import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { build } from 'esbuild'

/** The module, from the repository's root. */
export const ASSETS_MODULE = 'packages/dashboard/src/lib/assets/embedded.ts'

const root = new URL('../', import.meta.url)
const folder = new URL('packages/dashboard/src/assets/', root)

export async function embeddedAssets(): Promise<string> {
  const stylesheet = await minified('keepsend.css')
  const script = await minified('client.ts')
  const element = await minified('portal-element.ts')
  const icons = [
    ...readFileSync(new URL('icons.svg', folder), 'utf8').matchAll(/<symbol id="i-([\w-]+)"[^>]*>(.*?)<\/symbol>/g),
  ]
  return `// Written by scripts/embed-assets.ts from src/assets; change those.

/** A file that pages link to, under a name that changes with its content. */
export interface Asset {
  name: string
  type: string
  text: string
}

export const STYLESHEET: Asset = ${asset('keepsend', 'css', 'text/css', stylesheet)}

export const SCRIPT: Asset = ${asset('keepsend', 'js', 'text/javascript', script)}

/** The custom element that shows the portal in a frame. */
export const PORTAL_ELEMENT: Asset = ${asset('portal-element', 'js', 'text/javascript', element)}

/** The drawing of each icon, on 16 × 16. */
export const ICONS = {
${icons.map(([, name = '', drawing = '']) => `  ${JSON.stringify(name)}: ${JSON.stringify(drawing)},`).join('\n')}
} as const
`
}

async function minified(file: string): Promise<string> {
  const { outputFiles } = await build({
    entryPoints: [new URL(file, folder).pathname],
    bundle: true,
    minify: true,
    format: 'esm',
    // As new as the stylesheet needs a browser to be.
    target: file.endsWith('.css') ? 'esnext' : 'es2022',
    write: false,
    legalComments: 'none',
  })
  return outputFiles[0]?.text.trimEnd() ?? ''
}

function asset(name: string, extension: string, type: string, text: string): string {
  const hash = createHash('sha256').update(text).digest('hex').slice(0, 12)
  return `{
  name: '${name}-${hash}.${extension}',
  type: '${type}; charset=utf-8',
  text: ${JSON.stringify(text)},
}`
}

if (import.meta.main) writeFileSync(new URL(ASSETS_MODULE, root), await embeddedAssets())
