import { z } from '@hono/zod-openapi'
import { expect, it } from 'vitest'
import { describeProblems } from './input-problems.ts'

const event = z.strictObject({
  type: z.string(),
  data: z.record(z.string(), z.unknown()),
  channels: z.array(z.string()),
})
const oneOrMany = z.union([event, z.array(event)])

function describe(input: unknown): string {
  const { error } = oneOrMany.safeParse(input)
  return error ? describeProblems(error) : ''
}

it.each([
  [{ type: 'a', channels: [] }, /^data: Invalid input: expected record/],
  [[{ type: 'a', data: {}, channels: ['a', 1] }], /^\[0\]\.channels\[1\]: Invalid input: expected string/],
  [{ type: 'a', data: {}, channels: [], more: 1 }, /^Unrecognized key: "more"$/],
  [{ type: 1, data: 2, channels: [] }, /^type: .*; data: /],
  ['text', /^Invalid input: expected object/],
  [
    { type: 'a', data: {}, channels: Array.from({ length: 9 }, () => 1) },
    /^9 problems, of which the first: (channels\[\d\]: [^;]+; ){4}channels\[4\]/,
  ],
])('names the fields of %j, in the closest form', (input, text) => {
  expect(describe(input)).toMatch(text)
})

it('is one line without control characters, whatever a key contains', () => {
  const text = describe({ type: 'a', channels: [], '\n\u0007': 1 })
  expect(text).toMatch(/^data: \P{Cc}+; Unrecognized key: \P{Cc}+$/u)
  expect(text).not.toContain('✖')
})
