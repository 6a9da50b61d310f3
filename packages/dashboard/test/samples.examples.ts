// The samples in languages that npm does not bring: a part of `pnpm test:examples`, which fails where one is not installed.
import { expect, it } from 'vitest'
import { EXPECTED, answersOf } from './run-samples.ts'

// `go run` compiles first.
it.each(['python', 'go', 'php', 'ruby'] as const)(
  'the sample in %s accepts right requests alone',
  (language) => {
    expect(answersOf(language)).toEqual(EXPECTED)
  },
  120_000,
)
