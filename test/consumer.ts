import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { readmeExample, readmeWrangler } from './readme-example.ts'

/** The parts of a package.json that tests read. */
export interface Manifest {
  name: string
  version: string
  private?: boolean
  exports: Record<string, string | Record<string, string>>
  dependencies?: Record<string, string>
  peerDependencies?: Record<string, string>
  scripts?: Record<string, string>
  packageManager?: string
}

interface Published {
  /** `packages/outbox` */
  folder: string
  name: string
  tarball: string
}

/** A project outside the workspace that has installed our tarballs from their files and their peers from the registry. */
export interface Consumer {
  root: string
  packages: readonly Published[]
}

/** The folders of the packages that are published. */
export const publishedFolders: readonly string[] = readdirSync('packages')
  .map((name) => `packages/${name}`)
  .filter((folder) => readdirSync(folder).includes('package.json') && readManifest(folder).private !== true)

export function readManifest(folder: string): Manifest {
  return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as Manifest
}

/**
 * Runs a program to its end, without what a test run or this workspace put in the environment: a consumer has no
 * `@keepsend/source` condition. Answers its exit code and all that it printed.
 */
export function run(
  command: string,
  args: readonly string[],
  cwd = '.',
  env: Readonly<Record<string, string>> = {},
): { code: number | null; output: string } {
  const { status, stdout, stderr, error } = spawnSync(command, args, {
    cwd,
    env: { ...cleanEnvironment(), ...env },
    encoding: 'utf8',
    timeout: 240_000,
    maxBuffer: 64 * 1024 * 1024,
  })
  return { code: status, output: `${stdout}${stderr}${error ? `\n${error.message}` : ''}` }
}

/**
 * The environment of a consumer: what a test run or this workspace put there is left out, the READMEs' variable is
 * there, and nothing asks or reports.
 */
export function cleanEnvironment(): NodeJS.ProcessEnv {
  const { NODE_OPTIONS: _options, NODE_ENV: _mode, NODE_PATH: _path, VITEST: _vitest, ...env } = process.env
  const KEEPSEND_SECRET_KEY = `k1:${randomBytes(32).toString('base64')}`
  return { ...env, KEEPSEND_SECRET_KEY, CI: '1', WRANGLER_SEND_METRICS: 'false' }
}

/**
 * Builds and packs each package, and installs the tarballs together.
 *
 * @param others what is installed beside them
 */
export function installTarballs(others: Readonly<Record<string, string>> = {}): Consumer {
  must(run('npx', ['-y', 'pnpm@12', 'build']))
  const root = mkdtempSync(join(tmpdir(), 'keepsend-consumer-'))
  const tarballs = join(root, 'tarballs')
  mkdirSync(tarballs)
  const these = publishedFolders.flatMap((folder) => ['--filter', `./${folder}`])
  must(run('npx', ['-y', 'pnpm@12', ...these, 'pack', '--pack-destination', tarballs]))
  const packages = publishedFolders.map((folder) => {
    const { name, version } = readManifest(folder)
    return { folder, name, tarball: join(tarballs, `${name.replace('@', '').replace('/', '-')}-${version}.tgz`) }
  })
  const dependencies: Record<string, string> = { ...neededBy(packages), ...others }
  for (const { name, tarball } of packages) dependencies[name] = `file:${tarball}`
  // No peer, and a driver that the outbox takes.
  dependencies['postgres'] = readManifest('packages/outbox/node_modules/postgres').version
  // Beside the one that this workspace compiles with, the oldest that our declarations are for.
  dependencies['typescript'] = '~5.9.0'
  writeFileSync(join(root, 'package.json'), JSON.stringify({ private: true, type: 'module', dependencies }, null, 2))
  must(run('npm', ['install', '--no-audit', '--no-fund', '--prefer-offline', '--loglevel=error'], root))
  for (const { folder } of packages) {
    const example = readmeExample(folder)
    if (example === undefined) continue
    mkdirSync(join(root, folder), { recursive: true })
    writeFileSync(join(root, folder, 'example.ts'), example)
    const wrangler = readmeWrangler(folder)
    if (wrangler !== undefined) writeFileSync(join(root, folder, 'wrangler.jsonc'), wrangler)
  }
  return { root, packages }
}

/**
 * What a reader of the READMEs installs beside our packages: their peers, what the examples import, and the types of
 * both, in the versions that the packages themselves are developed with.
 */
function neededBy(packages: readonly Published[]): Record<string, string> {
  const needed: Record<string, string> = {}
  for (const { folder } of packages) {
    const peers = Object.keys(readManifest(folder).peerDependencies ?? {})
    const names = [...peers, ...importedBy(readmeExample(folder) ?? '')].filter(
      (name) => !name.startsWith('@keepsend/'),
    )
    const ofRuntime = readmeWrangler(folder) === undefined ? '@types/node' : '@cloudflare/workers-types'
    for (const name of [ofRuntime, ...names, ...names.map((other) => `@types/${other}`)]) {
      const installed = join(folder, 'node_modules', name)
      if (existsSync(installed)) needed[name] = readManifest(installed).version
      else if (!name.startsWith('@types/')) throw new Error(`${folder} does not list ${name} among its devDependencies`)
    }
  }
  return needed
}

/** The names of the packages, Node's own left out, that a module imports. */
function importedBy(text: string): string[] {
  return [...text.matchAll(/(?:from|import) '((?:@[^/']+\/)?[^/.':]+)['/]/g)].flatMap(([, name]) => name ?? [])
}

function must({ code, output }: { code: number | null; output: string }): void {
  if (code !== 0) throw new Error(`exit code ${code}\n${output}`)
}
