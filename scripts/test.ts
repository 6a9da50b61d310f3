// `pnpm test`: format, lint, types, builds and the quick tests of every package, cheapest first, stopping at the first that
// fails. Ends with the time of each.
//
// `pnpm test:databases` (`--databases`): the tests that this leaves out, also with Node and npm alone: the engine and the
// contracts on Postgres, D1 and Queues in workerd, and what takes many seconds.
//
// `pnpm test <package | file | pattern> …`: the tests of these alone. A package is `outbox`, `engine`, … without what is
// slow or needs a server; `pnpm test "engine slow"`, `pnpm test "outbox on Postgres"` and `pnpm test "outbox in workerd"`
// are the rest, `--all` is all of it.
//
// `-t <name>` runs the tests alone that have it in their names, `-u` writes snapshots. `--watch` runs them again when a
// file changes. `--changed` runs the tests that import a file changed since origin/main (main, in a clone without it), and
// checks the format and lint of the changed files.
import { execFileSync, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { otherArguments, quickArguments, vitestArguments } from './test-selection.ts'

const { values, positionals } = readArguments()

const isBare = positionals.length === 0 && Object.keys(values).length === 0
if (values.changed) {
  if (positionals.length > 0 || Object.keys(values).length > 1) refuse('--changed takes no other argument')
  runAll(checksOfChanges())
} else if (values.databases) {
  if (positionals.length > 0 || Object.keys(values).length > 1) refuse('--databases takes no other argument')
  runAll([['tests on Postgres, in workerd, and slow ones', 'vitest', ['run', ...otherArguments]]])
} else if (!isBare) {
  if (values.all && positionals.length === 0) refuse('--all needs the name of a package')
  const selection = vitestArguments(positionals, values)
  if (typeof selection === 'string') refuse(selection)
  const options = [
    ...(values.testNamePattern === undefined ? [] : ['--testNamePattern', values.testNamePattern]),
    ...(values.update ? ['--update'] : []),
  ]
  process.exitCode = run('vitest', [values.watch ? 'watch' : 'run', ...selection, ...options])
} else {
  runAll([
    ['format', 'oxfmt', ['--check', '.']],
    ['lint', 'oxlint', ['.']],
    ['unused code', 'knip', []],
    ['types of the tooling', 'tsc', ['-p', 'tsconfig.json']],
    ['types and builds', 'turbo', ['run', 'typecheck', 'build', '--output-logs=errors-only']],
    ['tests', 'vitest', ['run', ...quickArguments]],
  ])
}

function readArguments() {
  try {
    return parseArgs({
      allowPositionals: true,
      options: {
        all: { type: 'boolean' },
        watch: { type: 'boolean' },
        changed: { type: 'boolean' },
        databases: { type: 'boolean' },
        testNamePattern: { type: 'string', short: 't' },
        update: { type: 'boolean', short: 'u' },
      },
    })
  } catch (error) {
    return refuse(error instanceof Error ? error.message : String(error))
  }
}

function refuse(reason: string): never {
  console.error(reason)
  process.exit(1)
}

type Check = readonly [name: string, command: string, args: readonly string[]]

function checksOfChanges(): Check[] {
  const git = (...args: string[]): string => execFileSync('git', args, { encoding: 'utf8' }).trim()
  // A commit on the local main is tested too, until it is pushed.
  const pushed = git('for-each-ref', '--format=%(refname)', 'refs/remotes/origin/main')
  const base = git('merge-base', 'HEAD', process.env['BASE'] ?? (pushed || 'main'))
  const changed = [git('diff', '--name-only', base), git('ls-files', '--others', '--exclude-standard')]
    .flatMap((list) => list.split('\n'))
    .filter((file) => file !== '' && existsSync(file))
  const sources = changed.filter((file) => /\.(ts|tsx|js|mjs)$/.test(file))
  return [
    ...(changed.length > 0
      ? [['format', 'oxfmt', ['--check', '--no-error-on-unmatched-pattern', ...changed]] as const]
      : []),
    ...(sources.length > 0 ? [['lint', 'oxlint', sources] as const] : []),
    ['tests', 'vitest', ['run', '--changed', base, '--passWithNoTests']],
  ]
}

function runAll(checks: readonly Check[]): void {
  const summary: string[] = []
  const started = performance.now()
  let failed = false
  for (const [name, command, args] of checks) {
    console.log(`\n== ${name}: ${[command, ...args].join(' ').slice(0, 200)}`)
    const before = performance.now()
    failed = run(command, args) !== 0
    summary.push(`${failed ? 'failed' : 'passed'}  ${seconds(before)}  ${name}`)
    if (failed) break
  }
  console.log(`\n${summary.join('\n')}`)
  for (const [name] of checks.slice(summary.length)) console.log(`not run            ${name}`)
  console.log(failed ? '\nFailed.' : `\nAll ${checks.length} checks passed in ${seconds(started).trim()}.`)
  process.exitCode = failed ? 1 : 0
}

function run(command: string, args: readonly string[]): number {
  const env = { ...process.env, TURBO_TELEMETRY_DISABLED: '1', DO_NOT_TRACK: '1' }
  return spawnSync(command, args, { stdio: 'inherit', env }).status ?? 1
}

function seconds(since: number): string {
  return `${((performance.now() - since) / 1000).toFixed(1).padStart(6)} s`
}
