import { globSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const bench = fileURLToPath(new URL('../', import.meta.url))
// A folder for each run, so that two do not build into each other; here, from where third-party packages are found.
const outdir = `${bench}dist/${process.pid}/`

/**
 * Measured code runs as JavaScript, like an app's packages: Node's own type stripping costs each process 100 MB and a
 * second of start. Third-party packages are not bundled.
 */
export async function buildProcesses(): Promise<void> {
  process.once('exit', () => rmSync(outdir, { recursive: true, force: true }))
  await bundle(bench, globSync('src/processes/*.ts', { cwd: bench }), outdir)
}

/** The built file of a process in processes/. */
export function processFile(
  name:
    | 'backlog'
    | 'd1'
    | 'history'
    | 'neighbour'
    | 'neighbour-receiver'
    | 'overhead'
    | 'pages'
    | 'receiver'
    | 'redis'
    | 'worker',
): string {
  return `${outdir}${name}.js`
}

/** Builds the worker of another checkout, from its sources and its dependencies; returns the file. */
export async function buildWorker(checkout: string): Promise<string> {
  const folder = join(checkout, 'bench')
  await bundle(folder, ['src/processes/worker.ts'], join(folder, 'dist'))
  return join(folder, 'dist/worker.js')
}

async function bundle(folder: string, entryPoints: string[], into: string): Promise<void> {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
  await build({
    absWorkingDir: folder,
    entryPoints,
    outdir: into,
    bundle: true,
    splitting: true,
    format: 'esm',
    platform: 'node',
    target: 'node24',
    conditions: ['@keepsend/source'],
    external: Object.keys(manifest.dependencies).filter((name) => !name.startsWith('@keepsend/')),
    logLevel: 'silent',
  })
}

interface Manifest {
  dependencies: Record<string, string>
}
