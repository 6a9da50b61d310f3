import { existsSync, globSync, readFileSync } from 'node:fs'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { cloudflareTest } from '@cloudflare/vitest-plugin'
import { defineConfig } from 'vitest/config'
import { everyProjectRan } from './scripts/every-project-ran.ts'
import { LongestFirst } from './scripts/longest-first.ts'
import { memoryFolder } from './scripts/memory-folder.ts'

// Tests run from source: a workspace import resolves to `src`, in vitest's own resolver, in what it leaves to Node,
// and in the processes that a test starts.
const source = '@keepsend/source'
const inWorkerd = [source, 'workerd', 'worker', 'module', 'browser', 'development|production']

// Processes that tests start read hundreds of modules: Node keeps them compiled, which halves the time of each start.
const compiled = fileURLToPath(new URL('node_modules/.cache/compiled', import.meta.url))

const folders = globSync('{packages,apps}/*/package.json').map(dirname).sort()

// The stories of the demo run with the examples: see test/examples/vitest.config.ts.
const testsOf = (folder: string) =>
  globSync('{src,test}/**/*.test.ts', { cwd: folder }).filter((file) => !file.startsWith('test/story'))
const isInWorkerd = (file: string) => file.startsWith('test/workerd/')
/** Its name says so: it takes many seconds, of real time or of a hundred thousand cases. */
const isSlow = (file: string) => file.endsWith('.slow.test.ts')
/** Its name says so, or it imports what opens a schema on the server. */
const needsPostgres = (folder: string, file: string) =>
  basename(file).includes('postgres') || imports(folder, file, /\/(postgres-rig|postgres\/schema)\.ts'/)
const imports = (folder: string, file: string, pattern: RegExp) =>
  pattern.test(readFileSync(`${folder}/${file}`, 'utf8'))

// Finds a server running, or starts one: see test/postgres/setup.ts.
const postgresSetup = fileURLToPath(new URL('test/postgres/setup.ts', import.meta.url))

// A commit waits for the disk, longer beside others that write, and no test is about what a disk loses (proof:power is): where
// there is a file system in memory with room, the databases of tests lie in it.
const memory = memoryFolder(2 ** 30)
const inMemory = memory === undefined ? {} : { TMPDIR: memory }

// Tests that share nothing but modules without state: to load those once for each worker, not for each file, halves the
// time. The slow tests of adapter-node load a second SQLite library, which the others must not find.
const STATELESS = new Set([
  'outbox',
  'engine',
  'engine slow',
  'engine on Postgres',
  'outbox on Postgres',
  'adapter-node',
  'testing',
  'dashboard',
])

function project(folder: string, name: string, include: string[]) {
  return {
    ssr: { resolve: { conditions: [source, 'node', 'development|production'], externalConditions: [source, 'node'] } },
    test: {
      name,
      root: folder,
      include,
      isolate: !STATELESS.has(name),
      env: {
        NODE_OPTIONS: `--conditions=${source}`,
        NODE_COMPILE_CACHE: compiled,
        ...inMemory,
      },
      // Nothing is promised in seconds: what hangs fails, and a busy machine does not.
      testTimeout: name.endsWith('slow') || name.endsWith('on Postgres') ? 180_000 : 60_000,
      hookTimeout: 60_000,
    },
  }
}

/** A package's tests on Node: those that need no server, the slow ones of these, and those that need a Postgres. */
function onNode(folder: string) {
  const name = basename(folder)
  const files = testsOf(folder).filter((file) => !isInWorkerd(file))
  const onServer = files.filter((file) => needsPostgres(folder, file))
  const alone = files.filter((file) => !onServer.includes(file))
  const slow = alone.filter(isSlow)
  const quick = alone.filter((file) => !isSlow(file))
  return [
    ...(quick.length > 0 ? [project(folder, name, quick)] : []),
    ...(slow.length > 0 ? [project(folder, `${name} slow`, slow)] : []),
    ...(onServer.length > 0 ? [onPostgres(project(folder, `${name} on Postgres`, onServer))] : []),
  ]
}

function onPostgres({ test, ...rest }: ReturnType<typeof project>, env: Record<string, string> = {}) {
  return { ...rest, test: { ...test, globalSetup: [postgresSetup], env: { ...test.env, ...env } } }
}

// The engine's tests that open a database, once more on Postgres. Those named here need SQLite itself.
const ONLY_SQLITE =
  /^test\/(commit-kill|content-filters-race|replays-kill|versions-race|every-option|express|own-transaction|readme|scans|document-bounds|document-problems)(\.slow)?\.test|^src\/lib\/api\/(document|media-type)\.test/

function engineOnPostgres() {
  const folder = 'packages/engine'
  const files = testsOf(folder).filter((file) => needsPostgres(folder, file) || opensDatabase(`${folder}/${file}`))
  const include = files.filter((file) => !ONLY_SQLITE.test(file))
  return onPostgres(project(folder, 'engine on Postgres', include), { KEEPSEND_TEST_ON: 'postgres' })
}

/** Whether a test imports `test/database.ts` of the engine, by however many files of that folder. */
function opensDatabase(file: string, seen = new Set<string>()): boolean {
  if (file === 'packages/engine/test/database.ts') return true
  seen.add(file)
  const imported = [...readFileSync(file, 'utf8').matchAll(/from '(\.[^']+\.ts)'/g)]
  return imported
    .map(([, path = '']) => join(dirname(file), path))
    .some((path) => path.startsWith('packages/engine/test/') && !seen.has(path) && opensDatabase(path, seen))
}

/** The same sources inside workerd, by a wrangler.jsonc: the app's own, or the one beside the tests. */
function inWorkers(folder: string) {
  const configPath =
    ['wrangler.jsonc', 'test/workerd/wrangler.jsonc'].find((file) => existsSync(`${folder}/${file}`)) ?? ''
  return {
    plugins: [cloudflareTest({ wrangler: { configPath } })],
    resolve: { conditions: inWorkerd },
    ssr: { resolve: { conditions: inWorkerd } },
    test: {
      name: `${basename(folder)} in workerd`,
      root: folder,
      include: ['test/workerd/**/*.test.ts'],
      testTimeout: 30_000,
      // Runs on Node: what the tests talk to over HTTP.
      globalSetup: globSync('test/workerd/*receiver.ts', { cwd: folder }),
    },
  }
}

export default defineConfig({
  test: {
    reporters: ['default', everyProjectRan()],
    // Some tests wait for sockets, processes and disks; most compute, and slow each other down when they are more than the cores.
    maxWorkers: availableParallelism() + 1,
    sequence: { sequencer: LongestFirst },
    projects: [
      ...folders.flatMap(onNode).filter(({ test }) => test.name !== 'engine on Postgres'),
      engineOnPostgres(),
      ...folders.filter((folder) => testsOf(folder).some(isInWorkerd)).map(inWorkers),
      { test: { name: 'tooling', include: ['test/*.test.ts'], testTimeout: 60_000, env: { NODE_OPTIONS: '' } } },
    ],
  },
})
