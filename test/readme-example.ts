import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The block of a package's README that is a program: the one whose first line is `// example.ts`. */
export function readmeExample(folder: string): string | undefined {
  return readmeFile(folder, 'ts', 'example.ts')
}

/** The configuration that makes that program a Worker: the block whose first line is `// wrangler.jsonc`. */
export function readmeWrangler(folder: string): string | undefined {
  return readmeFile(folder, 'jsonc', 'wrangler.jsonc')
}

function readmeFile(folder: string, language: string, name: string): string | undefined {
  const readme = join(folder, 'README.md')
  if (!existsSync(readme)) return undefined
  const block = new RegExp(`^\`\`\`${language}\\n(// ${name.replace('.', '\\.')}\\n[^]*?)^\`\`\`$`, 'gm')
  const blocks = [...readFileSync(readme, 'utf8').matchAll(block)]
  if (blocks.length > 1) throw new Error(`${readme} has ${blocks.length} blocks that begin with // ${name}`)
  return blocks[0]?.[1]
}
