import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** The block of a package's README that is a program: the one whose first line is `// example.ts`. */
export function readmeExample(folder: string): string | undefined {
  const readme = join(folder, 'README.md')
  if (!existsSync(readme)) return undefined
  const blocks = [...readFileSync(readme, 'utf8').matchAll(/^```ts\n(\/\/ example\.ts\n[^]*?)^```$/gm)]
  if (blocks.length > 1) throw new Error(`${readme} has ${blocks.length} blocks that begin with // example.ts`)
  return blocks[0]?.[1]
}
