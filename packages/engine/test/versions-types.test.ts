// Its promises are kept by the compiler: each line below @ts-expect-error must not compile.
import { type } from 'arktype'
import * as v from 'valibot'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { type EventCatalog, defineEvents, event } from '../src/index.ts'

const schema = z.object({ id: z.string(), at: z.date(), author: z.object({ id: z.string() }) })
const older = z.object({ id: z.string(), authorId: z.string().transform((id) => id.length) })

it('a converter takes the data of the next newer version as it is sent, and returns that of its own', () => {
  const entry = event({ schema })
    .olderVersion('2026-05', {
      schema: older,
      convert: ({ author, ...newer }) => {
        // The date is a text by now.
        const at: string = newer.at
        return { id: `${newer.id} ${at}`, authorId: author.id }
      },
    })
    .olderVersion('2026-03', {
      schema: v.object({ user: v.number() }),
      convert: ({ authorId }) => ({ user: authorId }),
    })
    .olderVersion('2026-02', { schema: type({ user: 'number' }), convert: ({ user }) => ({ user }) })
    .olderVersion('2026-01', { convert: ({ user }) => ({ first: user }) })
  expect(entry.older?.map(({ label }) => label)).toEqual(['2026-05', '2026-03', '2026-02', '2026-01'])
  const wrong = [
    // @ts-expect-error a field that the newer version does not have
    () => event({ schema }).olderVersion('1', { convert: ({ authorId }) => ({ authorId }) }),
    // @ts-expect-error a field of the older version is missing
    () => event({ schema }).olderVersion('1', { schema: older, convert: ({ id }) => ({ id }) }),
    // @ts-expect-error a field of another type
    () => event({ schema }).olderVersion('1', { schema: older, convert: ({ id }) => ({ id, authorId: 1 }) }),
    // @ts-expect-error the output of the newer version is a number
    () => entry.olderVersion('0', { convert: ({ first }) => ({ last: first.toUpperCase() }) }),
    // @ts-expect-error data is an object
    () => event({ schema }).olderVersion('1', { convert: () => 'text' }),
    // @ts-expect-error a property that does not exist
    () => event({ schema }).olderVersion('1', { convert: () => ({}), exmple: 1 }),
    // @ts-expect-error the newest version is not converted
    () => event({ schema }).olderVersion('1', { schema: older }),
    // @ts-expect-error versions are labels
    () => defineEvents({}, { versions: [1] }),
  ]
  expect(wrong).toHaveLength(8)
})

it('the data that is published is that of the newest version', () => {
  const catalog = defineEvents(
    { a: event({ schema }).olderVersion('1', { convert: ({ id }) => ({ id }) }) },
    { versions: ['1', '2'] },
  )
  type Published = typeof catalog extends EventCatalog<infer Events> ? keyof Events : never
  const only: Published = 'a'
  expect([only, catalog.versions]).toEqual(['a', ['1', '2']])
})

describe('defineEvents refuses', () => {
  const schemaOf = z.object({ id: z.string() })
  const convert = (newer: object) => newer
  const a = (...labels: string[]) => ({ a: { schema: schemaOf, older: labels.map((label) => ({ label, convert })) } })
  it.each<[string, unknown, unknown, string]>([
    ['no list of labels', a(), { versions: '1' }, 'versions must be a list of texts'],
    ['an unknown option', a(), { version: ['1'] }, 'defineEvents'],
    ['an empty label', a(), { versions: ['1', ''] }, 'found ""'],
    ['a label with a space', a(), { versions: ['1 2'] }, 'found "1 2"'],
    ['a long label', a(), { versions: ['1'.repeat(65)] }, 'found "111'],
    ['a label twice', a(), { versions: ['1', '2', '1'] }, 'once each; found "1"'],
    ['51 labels', a(), { versions: Array.from({ length: 51 }, (_, n) => `v${n}`) }, 'at most 50 labels; found 51'],
    ['a version without labels', a('1'), {}, 'a: version "1" is not one of the versions of the catalog; they are none'],
    ['a version that is not one of the labels', a('0'), { versions: ['1', '2'] }, 'they are 1, 2'],
    ['a converter to the newest version', a('2'), { versions: ['1', '2'] }, 'a: version 2 must be older than 2'],
    ['versions in another order', a('1', '2'), { versions: ['1', '2', '3'] }, 'a: version 2 must be older than 1'],
    ['a version twice', a('1', '1'), { versions: ['1', '2'] }, 'a: version 1 must be older than 1'],
    [
      'a version without a converter',
      { a: { schema: schemaOf, older: [{ label: '1' }] } },
      { versions: ['1', '2'] },
      'a: version 1 must have a function convert',
    ],
    [
      'a schema that is none',
      { a: { schema: schemaOf, older: [{ label: '1', convert, schema: {} }] } },
      { versions: ['1', '2'] },
      'schema of a in version 1 must follow Standard Schema',
    ],
    [
      'an example that a converter throws on',
      {
        a: event({ schema: schemaOf, example: { id: 'a' } }).olderVersion('1', {
          convert() {
            throw new TypeError('x')
          },
        }),
      },
      { versions: ['1', '2'] },
      'the converter of a to version 1 threw (TypeError): correct it',
    ],
    [
      'an asynchronous converter',
      { a: event({ schema: schemaOf, example: { id: 'a' } }).olderVersion('1', { convert: async () => ({}) }) },
      { versions: ['1', '2'] },
      'the converter of a to version 1 is asynchronous',
    ],
    [
      'an asynchronous schema of an older version',
      {
        a: event({ schema: schemaOf, example: { id: 'a' } }).olderVersion('1', {
          schema: z.object({ id: z.string() }).refine(async () => true),
          convert: (newer) => newer,
        }),
      },
      { versions: ['1', '2'] },
      'the schema of a in version 1 is asynchronous',
    ],
    [
      'an example whose copy does not fit',
      {
        a: event({ schema: schemaOf, example: { id: 'a' } }).olderVersion('1', {
          schema: z.object({ id: z.string().max(0) }),
          convert: (newer) => newer,
        }),
      },
      { versions: ['1', '2'] },
      'the converter of a to version 1 returned data that does not fit its schema: id: ',
    ],
    [
      'an example whose copy is no object',
      { a: { schema: schemaOf, example: { id: 'a' }, older: [{ label: '1', convert: () => 5 }] } },
      { versions: ['1', '2'] },
      'the converter of a to version 1 returned no data that can be sent',
    ],
  ])('%s', (_, events, options, message) => {
    const define = defineEvents as (events: unknown, options: unknown) => EventCatalog
    expect(() => define(events, options)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: expect.stringContaining(message) }),
    )
  })
})
