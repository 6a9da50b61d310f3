// What a user gets, seen from outside: the packed tarballs, installed in an empty folder that knows nothing of this
// workspace. Needs the registry for the peers.
import { existsSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { beforeAll, describe, expect, test } from 'vitest'
import { type Consumer, installTarballs, publishedFolders, readManifest, run } from '../consumer.ts'
import { entries, publicNames } from '../public-names.ts'
import { bundlePromises, copyPromises, nodePromises } from '../consumer-runs.ts'
import { FEW_CASES, compilerPromises } from '../consumer-types.ts'
import { readmeExample, readmeWrangler } from '../readme-example.ts'
import { readmeWorker } from '../readme-worker.ts'

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
  }, 240_000)

  test('its types resolve for every ESM consumer', () => {
    expectSuccess(run('node_modules/.bin/attw', [tarball(), '--profile', 'esm-only']))
  }, 240_000)

  test('every module of src, and nothing else, is there as .js and .d.ts', () => {
    // The sources of assets are embedded in a module.
    const modules = files('src')
      .filter((file) => /\.tsx?$/.test(file) && !file.startsWith('assets/'))
      .map((file) => file.replace(/\.tsx?$/, ''))
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
    240_000,
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
  240_000,
)

describe.each(workers)("the Worker of %s's README, as it stands", (folder) => {
  const worker = () => readmeWorker(consumer.root, folder, readManifest(folder).name)

  test('is bundled for a deployment', () => {
    const { code, output } = worker().bundle()
    expect(code, output).toBe(0)
    expect(output).not.toMatch(/warning/i)
  }, 240_000)

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

nodePromises(() => consumer)
bundlePromises(() => consumer)
copyPromises(() => consumer)
compilerPromises(() => consumer, FEW_CASES)

test('the public names are those that were agreed: a change of test/public-names.md is a change for users', async () => {
  const lists = publishedFolders.flatMap((folder) =>
    entries(readManifest(folder)).map((entry) => {
      const { values, types } = publicNames(join(consumer.root, 'node_modules', readManifest(folder).name), entry)
      const items = [...values.map((name) => `- ${name}`), ...types.map((name) => `- type ${name}`)]
      return [`## ${entry.specifier}`, ...(items.length > 0 ? [items.join('\n')] : [])].join('\n\n')
    }),
  )
  const snapshot = join(import.meta.dirname, '../public-names.md')
  expect(existsSync(snapshot), `${snapshot} is in git`).toBe(true)
  await expect(`# Public names\n\n${lists.join('\n\n')}\n`).toMatchFileSnapshot(snapshot)
})

function expectSuccess({ code, output }: { code: number | null; output: string }): void {
  expect(code, output).toBe(0)
}
