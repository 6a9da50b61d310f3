// Promises about the workflows: no job has more than it needs, and the one that may publish runs next to nothing.
import { globSync, readFileSync } from 'node:fs'
import { basename } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { publishedFolders, readManifest, run as runProgram } from './consumer.ts'

interface Step {
  readonly uses?: string
  readonly run?: string
  readonly with?: Readonly<Record<string, string | boolean>>
}

interface Job {
  readonly needs?: string | readonly string[]
  readonly permissions?: Readonly<Record<string, string>>
  readonly env?: Readonly<Record<string, unknown>>
  readonly steps: readonly Step[]
}

interface Workflow {
  readonly permissions?: unknown
  readonly jobs: Readonly<Record<string, Job>>
}

interface Sbom {
  readonly components: readonly { readonly purl: string }[]
}

const PNPM = `npx -y ${readManifest('.').packageManager}`
const THREE_DAYS = 3 * 24 * 60

const files = globSync('.github/workflows/*')
const workflows = files.map((file) => ({ file, workflow: readYaml(file) as Workflow }))
const jobs = workflows.flatMap(({ file, workflow }) =>
  Object.entries(workflow.jobs).map(([name, job]) => ({ name: `${basename(file, '.yml')}/${name}`, job })),
)
const privileged = jobs.filter(({ job }) => Object.values(job.permissions ?? {}).includes('write'))
const publishing = jobs.filter(({ job }) => 'id-token' in (job.permissions ?? {}))

test('every action is a commit, with its version in a comment', () => {
  const uses = files.flatMap((file) => [...readFileSync(file, 'utf8').matchAll(/\buses:.*/g)].map(([line]) => line))
  expect(uses.length).toBeGreaterThan(0)
  const loose = uses.filter((line) => !/^uses: [\w-]+(\/[\w-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$/.test(line))
  expect(loose).toEqual([])
})

test('no workflow grants its jobs anything, and no job of a pull request is granted anything', () => {
  expect(workflows.map(({ workflow }) => workflow.permissions)).toEqual(workflows.map(() => ({})))
  expect(privileged.map(({ name }) => name).sort()).toEqual(['release/publish', 'release/version'])
})

test('the jobs that run the tests have no permission, and no credential lies in their checkout', () => {
  const testing = jobs.filter(({ job }) => job.steps.some(({ run }) => run?.includes('.ci/run')))
  expect(testing.map(({ name }) => name).sort()).toEqual(['ci/test', 'release/test'])
  expect(testing.filter(({ job }) => job.permissions !== undefined)).toEqual([])
  const checkouts = jobs.flatMap(({ job }) => job.steps.filter(({ uses }) => uses?.startsWith('actions/checkout@')))
  expect(checkouts.map((step) => step.with?.['persist-credentials'])).toEqual(jobs.map(() => false))
})

describe('the job that publishes', () => {
  test('alone has an identity, and waits for the tests', () => {
    expect(publishing.map(({ name }) => name)).toEqual(['release/publish'])
    expect(publishing[0]?.job.needs).toContain('test')
  })

  test('builds, publishes and writes the SBOMs, and runs nothing else', () => {
    const steps = publishing[0]?.job.steps ?? []
    const commands = steps.flatMap(({ run, with: input }) => run ?? input?.['script'] ?? [])
    expect(commands).toEqual([
      `${PNPM} install --frozen-lockfile --ignore-scripts`,
      `${PNPM} release`,
      `${PNPM} sbom:packages`,
      expect.stringContaining('gh release upload'),
    ])
    expect(readManifest('.').scripts).toMatchObject({ release: 'turbo run build && changeset publish' })
    const builds = publishedFolders.map((folder) => readManifest(folder).scripts?.['build'])
    expect(new Set(builds)).toEqual(new Set(['rm -rf dist && tsc -p tsconfig.build.json']))
  })

  test('publishes no package whose own scripts run as it is packed or published', () => {
    const hooks = [
      'prepack',
      'prepare',
      'prepublishOnly',
      'postpack',
      'publish',
      'postpublish',
      'prebuild',
      'postbuild',
    ]
    const hooked = ['.', ...publishedFolders].flatMap((folder) =>
      hooks.filter((hook) => readManifest(folder).scripts?.[hook] !== undefined).map((hook) => `${folder}: ${hook}`),
    )
    expect(hooked).toEqual([])
  })
})

test('the SBOM of each package names what it depends on, by the lockfile', () => {
  expect(runProgram('npx', ['-y', 'pnpm@12', 'sbom:packages'])).toMatchObject({ code: 0 })
  for (const folder of publishedFolders) {
    const { name, dependencies = {} } = readManifest(folder)
    const { components }: Sbom = JSON.parse(readFileSync(`sbom/${name.slice(1).replace('/', '-')}.cdx.json`, 'utf8'))
    const named = components.map(({ purl }) => decodeURIComponent(purl).replace(/@[^@]+$/, ''))
    const others = Object.keys(dependencies).filter((dependency) => !dependency.startsWith('@keepsend/'))
    expect(named, name).toEqual(expect.arrayContaining(others.map((dependency) => `pkg:npm/${dependency}`)))
  }
}, 60_000)

test('a job that may write runs no script of a dependency, one version of pnpm, and no cache', () => {
  for (const { name, job } of privileged) {
    expect(job.env, name).toMatchObject({ PNPM_CONFIG_IGNORE_SCRIPTS: true })
    const setups = job.steps.filter(({ uses }) => uses?.startsWith('actions/setup-node@'))
    expect(setups, name).toMatchObject([{ with: { 'package-manager-cache': false } }])
    const commands = job.steps.flatMap(({ run, with: input }) => run ?? input?.['script'] ?? [])
    const runners = commands.filter((command) => /\b(npm|npx|pnpm|yarn)\b/.test(`${command}`))
    expect(
      runners.filter((command) => !`${command}`.startsWith(`${PNPM} `)),
      name,
    ).toEqual([])
    expect(runners, name).toContain(`${PNPM} install --frozen-lockfile --ignore-scripts`)
  }
})

test('no dependency is younger than three days, without exception', () => {
  const settings = readYaml('pnpm-workspace.yaml') as Record<string, unknown>
  expect(settings['minimumReleaseAge']).toBeGreaterThanOrEqual(THREE_DAYS)
  expect(settings).not.toHaveProperty('minimumReleaseAgeExclude')
})

function readYaml(file: string): unknown {
  return parse(readFileSync(file, 'utf8'))
}
