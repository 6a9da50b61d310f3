// Whether what the pages show still compiles. Whether it runs is for the tests that the pages name.
import { expect, test } from 'vitest'
import { compile, documentedBlocks, isPartOfATest } from './documented-code.ts'

test('every block of TypeScript in docs and in the READMEs compiles', () => {
  const blocks = documentedBlocks()
  expect(blocks.length).toBeGreaterThan(20)
  expect(compile(blocks.filter(({ code }) => !isPartOfATest(code)))).toEqual([])
}, 120_000)

test('a block that calls what is not there is found, with its place', () => {
  const block = { place: 'docs/page.md:7', code: 'createHmacSigner()\n', runtime: 'node' } as const
  expect(compile([block])).toEqual([expect.stringMatching(/^docs\/page\.md:7\(1,1\): error TS\d+: .*createHmacSigner/)])
}, 60_000)
