import { describe, expect, it } from 'vitest'
import { cyclesIn, cyclesOf, importsBetween } from './rooms.ts'

const packages = ['outbox', 'engine', 'adapter-node', 'adapter-cloudflare', 'dashboard', 'testing']

describe.each(packages)('the files of %s', (name) => {
  it('import each other in no circle, type imports included', () => {
    expect(cyclesOf(name)).toEqual([])
  })
})

describe.each(['engine', 'adapter-node'])('the rooms of %s', (name) => {
  it('and the files beside them import each other in no circle', () => {
    const graph = new Map([...importsBetween(name)].map(([place, imports]) => [place, [...imports.keys()]]))
    expect(graph.size).toBeGreaterThan(5)
    expect(cyclesIn(graph)).toEqual([])
  })
})

it('the imports between rooms are those of test/rooms.md', async () => {
  const sections = packages.map((name) => `## @keepsend/${name}\n\n${tableOf(importsBetween(name))}\n`)
  await expect(
    `# Imports between rooms\n\nEach line is a folder or file of \`src/lib\`, and all that it imports from outside itself, type imports included.\n\n${sections.join('\n')}`,
  ).toMatchFileSnapshot('rooms.md')
})

it('a circle is found, and two are told apart', () => {
  const graph = new Map([
    ['a', ['b']],
    ['b', ['c', 'd']],
    ['c', ['a']],
    ['d', ['e']],
    ['e', ['d', 'f']],
    ['f', []],
  ])
  expect(cyclesIn(graph)).toEqual([
    ['d', 'e'],
    ['a', 'b', 'c'],
  ])
})

function tableOf(imports: ReturnType<typeof importsBetween>): string {
  return [...imports]
    .sort(([one], [other]) => (one < other ? -1 : 1))
    .map(([place, of]) => `- \`${place}\`: ${[...of.keys()].sort().join(', ') || 'nothing'}`)
    .join('\n')
}
