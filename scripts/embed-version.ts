// Writes the version of the engine's package.json into its source, because a Worker has no files to read.
// `pnpm version-packages` runs it; test/repository.test.ts fails when the two differ.
import { readFileSync, writeFileSync } from 'node:fs'

const folder = new URL('../packages/engine/', import.meta.url)
const { version } = JSON.parse(readFileSync(new URL('package.json', folder), 'utf8')) as { version: string }
const module = new URL('src/lib/version.ts', folder)
writeFileSync(module, readFileSync(module, 'utf8').replace(/'[^']*'/, `'${version}'`))
