import { globSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'
import manifest from '../package.json' with { type: 'json' }

const folder = fileURLToPath(new URL('.', import.meta.url))
// A run's own, so that two do not build into each other; here, because it finds third-party packages from here.
const outdir = fileURLToPath(new URL(`../dist/${process.pid}/`, import.meta.url))

/**
 * What is measured runs as JavaScript, as an app's packages do: Node's own stripping of types costs each process 100 MB
 * and a second of start. Third-party packages stay what they are.
 */
export async function buildProcesses(): Promise<void> {
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  await build({
    entryPoints: globSync('processes/*.ts', { cwd: folder }).map((file) => folder + file),
    outdir,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    conditions: ['@keepsend/source'],
    external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@keepsend/')),
    logLevel: 'error',
  })
}

/** The file of a process in processes/, once it is built. */
export function processFile(name: 'backlog' | 'd1' | 'overhead' | 'receiver' | 'redis' | 'worker'): string {
  return `${outdir}${name}.js`
}
