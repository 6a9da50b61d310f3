// The suites of the repository, and an app of a user's, in Bun and in Deno.
import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type PostgresServer, startPostgres } from '../../scripts/postgres-server.ts'
import { type Consumer, cleanEnvironment, run } from '../consumer.ts'
import { freshFile, program } from '../consumer-runs.ts'

const SOURCE = '@keepsend/source'
const CONFIG = resolve('test/examples/runtime.config.ts')
const VITEST = resolve('node_modules/vitest/vitest.mjs')

/** Where npm has put the program for this system. Bun's script of the install moves its own. */
const BUN = 'bun/bin/bun.exe'
const DENO = `@deno/${process.platform === 'darwin' ? `darwin-${process.arch}` : `linux-${process.arch}-glibc`}/deno`

interface Runtime {
  program: string
  /** Before the program that it runs. */
  flags: readonly string[]
  pool: 'threads' | 'forks'
  env: Readonly<Record<string, string>>
}

const RUNTIMES: Record<string, Runtime> = {
  // Its processes lack what vitest's forks need.
  bun: {
    program: BUN,
    flags: ['--bun'],
    pool: 'threads',
    env: { BUN_OPTIONS: `--conditions=${SOURCE}` },
  },
  // Its threads lack what vitest's threads need.
  deno: {
    program: DENO,
    flags: ['run', '-A', `--conditions=${SOURCE}`],
    pool: 'forks',
    env: {},
  },
}

/**
 * The suites, and how many tests at least: a suite that finds none must not pass. Left out is what hangs on how a resolver
 * names an answer without addresses, or with too many: here it is a failure to look up instead of a refusal. Nothing is
 * connected to either way.
 */
const SUITES = [
  { suite: 'outbox/test/node-sqlite.test.ts', least: 400 },
  { suite: 'outbox/test/postgres-contract.test.ts', least: 400 },
  { suite: 'adapter-node/test/contract.test.ts', least: 20 },
  { suite: 'adapter-node/src/lib/http/ssrf-guard.test.ts', least: 30 },
  { suite: 'adapter-node/test/guard-cases.slow.test.ts', least: 2 },
  { suite: 'adapter-node/test/guard-connections.slow.test.ts', least: 10 },
]
const LEFT_OUT = [
  'with no address is refused',
  'with more addresses than anybody has',
  'every case is refused or connected',
]

export function runtimePromises(consumer: () => Consumer): void {
  let postgres: PostgresServer | undefined
  beforeAll(async () => {
    postgres = await startPostgres()
  })
  afterAll(() => postgres?.end())

  describe.each(Object.entries(RUNTIMES))('%s', (name, { program: binary, flags, pool, env }) => {
    const path = () => join(consumer().root, 'node_modules', binary)

    test.each(['better-sqlite3', 'node:sqlite'])('delivers for an app by %s', { timeout: 60_000 }, (driver) => {
      const app = program(consumer(), 'app.mjs')
      const { code, output } = run(
        path(),
        [...flags.filter((flag) => !flag.includes(SOURCE)), app, freshFile(consumer()), driver],
        consumer().root,
      )
      expect({ code, output }).toEqual({ code: 0, output: 'delivered\n' })
    })

    test('keeps the promises of the suites', { timeout: 600_000 }, () => {
      const report = join(consumer().root, `${name}.json`)
      const args = [
        ...flags,
        VITEST,
        'run',
        '--config',
        CONFIG,
        '--pool',
        pool,
        '-t',
        `^(?!.*(${LEFT_OUT.join('|')}))`,
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${report}`,
        ...SUITES.map(({ suite }) => `packages/${suite}`),
      ]
      const { status, stdout, stderr } = spawnSync(path(), args, {
        encoding: 'utf8',
        timeout: 540_000,
        killSignal: 'SIGKILL',
        env: {
          ...cleanEnvironment(),
          ...env,
          NO_COLOR: '1',
          DATABASE_URL: postgres?.url,
          KEEPSEND_EXPECTS: name,
        },
      })
      expect(status, stdout + stderr).toBe(0)
      const passed = passedByFile(report)
      for (const { suite, least } of SUITES)
        expect(passed.get(`packages/${suite}`) ?? 0, suite).toBeGreaterThanOrEqual(least)
    })
  })
}

/** How many tests passed, by the path of their file. */
function passedByFile(report: string): ReadonlyMap<string, number> {
  const { testResults } = JSON.parse(readFileSync(report, 'utf8')) as {
    testResults: { name: string; assertionResults: { status: string }[] }[]
  }
  return new Map(
    testResults.map(({ name, assertionResults }) => [
      relative('.', name),
      assertionResults.filter(({ status }) => status === 'passed').length,
    ]),
  )
}
