// What a user gets, seen from outside: the packed tarballs, installed in an empty folder that knows nothing of this
// workspace. Needs the registry for the peers.
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Consumer, installTarballs, publishedFolders, readManifest, run } from './consumer.ts'
import { entries, publicNames } from './public-names.ts'
import { readmeExample, readmeWrangler } from './readme-example.ts'
import { readmeWorker } from './readme-worker.ts'

let consumer: Consumer

beforeAll(() => {
  consumer = installTarballs()
  return () => rmSync(consumer.root, { recursive: true, force: true })
}, 600_000)

describe.each(publishedFolders)('%s', (folder) => {
  const { name } = readManifest(folder)
  const installed = () => join(consumer.root, 'node_modules', name)
  const tarball = () => consumer.packages.find((one) => one.folder === folder)!.tarball
  const files = (under: string) =>
    readdirSync(join(installed(), under), { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name).slice(join(installed(), under).length + 1))

  test('publint finds nothing to say about the tarball', () => {
    expectSuccess(run('node_modules/.bin/publint', [tarball(), '--strict']))
  }, 60_000)

  test('its types resolve for every ESM consumer', () => {
    expectSuccess(run('node_modules/.bin/attw', [tarball(), '--profile', 'esm-only']))
  }, 60_000)

  test('every module of src, and nothing else, is there as .js and .d.ts', () => {
    const modules = files('src')
      .filter((file) => file.endsWith('.ts'))
      .map((file) => file.slice(0, -3))
    const built = files('dist').filter((file) => !file.endsWith('.map'))
    expect(built.sort()).toEqual(modules.flatMap((module) => [`${module}.d.ts`, `${module}.js`]).sort())
    expect(files('.').filter((file) => /(^|\/)(test|fixtures)\/|\.test\./.test(file))).toEqual([])
  })

  test('it brings its README and licence, and no range that only this workspace understands', () => {
    expect(readdirSync(installed())).toEqual(expect.arrayContaining(['LICENSE', 'README.md', 'package.json']))
    expect(readFileSync(join(installed(), 'package.json'), 'utf8')).not.toMatch(/"(workspace|catalog):/)
  })

  test('no built module imports a .ts', () => {
    const importsTs = /(?:from|import)\s*\(?\s*['"][^'"]+\.ts['"]/
    for (const file of files('dist').filter((one) => one.endsWith('.js'))) {
      expect(readFileSync(join(installed(), 'dist', file), 'utf8'), file).not.toMatch(importsTs)
    }
  })

  test.each(entries(readManifest(folder)))(
    'importing $specifier does nothing but give its names',
    (entry) => {
      const script = `console.log(JSON.stringify(Object.keys(await import('${entry.specifier}')).sort()))`
      const { code, output } = run(process.execPath, ['--input-type=module', '-e', script], consumer.root)
      expect({ code, output }).toEqual({
        code: 0,
        output: `${JSON.stringify(publicNames(installed(), entry).values)}\n`,
      })
    },
    60_000,
  )

  test('its README has a program', () => {
    expect(
      readmeExample(folder),
      `${folder}/README.md needs a \`\`\`ts block that begins with // example.ts`,
    ).toBeDefined()
  })
})

const workers = publishedFolders.filter((folder) => readmeWrangler(folder) !== undefined)
const programs = publishedFolders.filter((folder) => !workers.includes(folder))

test.each(programs)(
  "a user can run the program of %s's README as it stands",
  (folder) => {
    expectSuccess(run(process.execPath, ['example.ts'], join(consumer.root, folder)))
  },
  120_000,
)

describe.each(workers)("the Worker of %s's README, as it stands", (folder) => {
  const worker = () => readmeWorker(consumer.root, folder, readManifest(folder).name)

  test('is bundled for a deployment', () => {
    const { code, output } = worker().bundle()
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/warning/i)
  }, 120_000)

  test('is served, commits what it is sent, answers a repeat from its record, and its cron runs', async () => {
    expectSuccess(worker().migrate('create table messages (id text primary key, text text not null);'))
    await worker().serve(async (url) => {
      const post = () =>
        fetch(`${url}/messages`, { method: 'POST', headers: { 'idempotency-key': 'k' }, body: '{"text":"hello"}' })
      const [first, again] = [await post(), await post()]
      expect([first.status, again.status, again.headers.get('idempotency-replayed')]).toEqual([201, 201, 'true'])
      expect(await again.text()).toBe(await first.text())
      expect((await fetch(`${url}/webhooks/endpoints`)).status).toBe(401)
      const cron = await fetch(`${url}/cdn-cgi/handler/scheduled?format=json`)
      expect(await cron.json()).toMatchObject({ outcome: 'ok' })
    })
  }, 180_000)
})

test('the examples and the declarations satisfy a strict NodeNext consumer', () => {
  const options = {
    module: 'nodenext',
    target: 'es2024',
    strict: true,
    noEmit: true,
    allowImportingTsExtensions: true,
  }
  const specifiers = publishedFolders.flatMap((folder) => entries(readManifest(folder))).map((entry) => entry.specifier)
  const namespaces = specifiers.map((specifier, index) => `import * as entry${index} from '${specifier}'\n`)
  const used = `console.log(${specifiers.map((_, index) => `entry${index}`).join(', ')})\n`
  writeFileSync(join(consumer.root, 'entries.ts'), namespaces.join('') + used)
  const examples = (folders: readonly string[]) => folders.map((folder) => `${folder}/example.ts`)
  // A program knows Node's globals, a Worker those of workerd.
  const projects = {
    'tsconfig.node.json': { own: { types: ['node'] }, include: ['entries.ts', ...examples(programs)] },
    'tsconfig.workers.json': {
      own: { types: ['@cloudflare/workers-types'], lib: ['es2024'] },
      include: examples(workers),
    },
  }
  for (const [project, { own, include }] of Object.entries(projects)) {
    writeFileSync(join(consumer.root, project), JSON.stringify({ compilerOptions: { ...options, ...own }, include }))
    const { code, output } = run(join(process.cwd(), 'node_modules/.bin/tsc'), ['-p', project], consumer.root)
    // Library declarations are checked too, so that ours are; drizzle-orm's own faults are not for us to mend.
    const errors = output.split('\n').filter((line) => line.includes('error TS'))
    const ours = errors.filter(
      (line) => !line.startsWith('node_modules/') || line.startsWith('node_modules/@keepsend/'),
    )
    expect(ours, project).toEqual([])
    expect(code === 0 || errors.length > 0, output).toBe(true)
  }
}, 240_000)

test('the public names are those that were agreed: a change of test/public-names.md is a change for users', async () => {
  const lists = publishedFolders.flatMap((folder) =>
    entries(readManifest(folder)).map((entry) => {
      const { values, types } = publicNames(join(consumer.root, 'node_modules', readManifest(folder).name), entry)
      const items = [...values.map((name) => `- ${name}`), ...types.map((name) => `- type ${name}`)]
      return [`## ${entry.specifier}`, ...(items.length > 0 ? [items.join('\n')] : [])].join('\n\n')
    }),
  )
  const snapshot = join(import.meta.dirname, 'public-names.md')
  expect(existsSync(snapshot), `${snapshot} is in git`).toBe(true)
  await expect(`# Public names\n\n${lists.join('\n\n')}\n`).toMatchFileSnapshot(snapshot)
})

function expectSuccess({ code, output }: { code: number | null; output: string }): void {
  expect(code, output).toBe(0)
}
