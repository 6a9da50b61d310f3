// Whether what the pages show still compiles. Whether it runs is for the tests that the pages name.
import { expect, test } from 'vitest'
import { blocksOf, compile, documentedBlocks, isPartOfATest } from './documented-code.ts'

test('every block of TypeScript in docs and in the READMEs compiles', () => {
  const blocks = documentedBlocks()
  expect(blocks.length).toBeGreaterThan(20)
  expect(compile(blocks.filter(({ code }) => !isPartOfATest(code)))).toEqual([])
}, 120_000)

test('a block that calls what is not there is found, with its place', () => {
  const block = { place: 'docs/page.md:7', code: 'createHmacSigner()\n', runtime: 'node' } as const
  expect(compile([block])).toEqual([expect.stringMatching(/^docs\/page\.md:7\(1,1\): error TS\d+: .*createHmacSigner/)])
}, 120_000)

test('a block is found in a list, by any fence, and with words behind its language', () => {
  const page =
    '- so:\n\n  ```ts\n  one()\n  ```\n\n~~~ts\ntwo()\n~~~\n\n```typescript title=x\nthree()\n```\n\n```sh\nfour\n```\n'
  expect(blocksOf('page.md', page)).toEqual([
    { place: 'page.md:3', code: 'one()\n', runtime: 'node' },
    { place: 'page.md:7', code: 'two()\n', runtime: 'node' },
    { place: 'page.md:11', code: 'three()\n', runtime: 'node' },
  ])
})
