import { expect, it } from 'vitest'
import config from '../vitest.config.ts'
import { otherArguments, quickArguments, vitestArguments } from '../scripts/test-selection.ts'

it.each([
  [['outbox'], ['--project', 'outbox']],
  [
    ['@keepsend/engine', 'packages/adapter-node/'],
    ['--project', 'engine', '--project', 'adapter-node'],
  ],
  [['outbox on Postgres'], ['--project', 'outbox on Postgres']],
  [['engine slow'], ['--project', 'engine slow']],
  [['adapter-cloudflare'], ['--project', 'adapter-cloudflare', '--project', 'adapter-cloudflare in workerd']],
  [
    ['demo', 'receiving'],
    ['--project', 'demo', 'receiving'],
  ],
  [['./packages/outbox/test/schema.test.ts'], ['packages/outbox/test/schema.test.ts']],
  [
    ['tooling', 'rooms'],
    ['--project', 'tooling', 'rooms'],
  ],
])('pnpm test %j runs the tests of these alone', (names, expected) => {
  expect(vitestArguments(names)).toEqual(expected)
})

it('with --all a package is its slow tests and those on Postgres and in workerd too', () => {
  const projects = ['outbox', 'outbox slow', 'outbox on Postgres', 'outbox in workerd']
  expect(vitestArguments(['outbox'], { all: true })).toEqual(projects.flatMap((project) => ['--project', project]))
})

it.each(['nonsense', 'story-cloudflare', 'outbox on MySQL', 'packages/outbox/src/lib/claim.ts'])(
  '%s is refused, and the names are said',
  (name) => {
    expect(vitestArguments([name])).toMatch(
      new RegExp(`^No package and no test file is called ${name}\\. The packages are .*outbox, .* and tooling`),
    )
  },
)

it('pnpm test:databases runs exactly what pnpm test leaves out', () => {
  const names = (config.test?.projects ?? []).map((project) => {
    const { test } = project as { test: { name: string } }
    return test.name
  })
  const kinds = otherArguments.filter((argument) => argument.startsWith('* ')).map((argument) => argument.slice(1))
  const others = names.filter((name) => kinds.some((kind) => name.endsWith(kind)))
  const quick = names.filter((name) => !quickArguments.some((argument) => name.endsWith(argument.replace('!*', ''))))
  for (const kind of kinds) expect(others.some((name) => name.endsWith(kind))).toBe(true)
  expect([...quick, ...others].toSorted()).toEqual(names.toSorted())
  expect(quick).toContain('engine')
})
