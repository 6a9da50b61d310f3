import { integer, sqliteTable, text } from 'drizzle-orm/sqlite-core'
import { describe, expect, it } from 'vitest'
import { createCodec, json } from './codec.ts'

const things = sqliteTable('things', {
  id: text('id').primaryKey(),
  madeAt: integer('made_at').notNull(),
  tags: text('tag_list', { mode: 'json' }).$type<string[]>(),
})

const codec = createCodec<typeof things>({ id: 'id', madeAt: 'made_at', tags: json('tag_list') })

describe('the codec of a table', () => {
  it('selects every column under the name of its property', () => {
    expect(codec.all).toEqual({ sql: 'id as "id", made_at as "madeAt", tag_list as "tags"', params: [] })
  })

  it('selects some columns of the table under another name', () => {
    expect(codec.some('other', ['madeAt', 'id'])).toEqual({
      sql: 'other.made_at as "madeAt", other.id as "id"',
      params: [],
    })
  })

  it('parses JSON columns, and leaves their nulls and all other columns unchanged', () => {
    expect(codec.read({ id: '["a"]', madeAt: 1, tags: '["a","b"]' })).toEqual({
      id: '["a"]',
      madeAt: 1,
      tags: ['a', 'b'],
    })
    expect(codec.read({ id: 'a', madeAt: 1, tags: null })).toEqual({ id: 'a', madeAt: 1, tags: null })
    expect(codec.read<'id'>({ id: 'a' })).toEqual({ id: 'a' })
  })

  it('throws for a JSON column without valid JSON', () => {
    expect(() => codec.read({ id: 'a', madeAt: 1, tags: '[' })).toThrow(SyntaxError)
  })

  it('refuses a wrong name, a missing, an unknown and an unselected column at compile time', () => {
    // The package's type check compiles this. It fails when a line is no longer an error.
    const refused = {
      // @ts-expect-error `made_at` is the name of the column, not `madeAt`.
      wrongName: () => createCodec<typeof things>({ id: 'id', madeAt: 'madeAt', tags: json('tag_list') }),
      // @ts-expect-error The name of another column.
      otherColumn: () => createCodec<typeof things>({ id: 'made_at', madeAt: 'made_at', tags: json('tag_list') }),
      // @ts-expect-error The name inside the mark of JSON is compared, too.
      wrongJsonName: () => createCodec<typeof things>({ id: 'id', madeAt: 'made_at', tags: json('tags') }),
      // @ts-expect-error `madeAt` is missing.
      missing: () => createCodec<typeof things>({ id: 'id', tags: json('tag_list') }),
      // @ts-expect-error The table has no `size`.
      unknown: () => createCodec<typeof things>({ id: 'id', madeAt: 'made_at', tags: json('tag_list'), size: 'size' }),
      // @ts-expect-error The table has no `size` to select.
      unknownInSelect: () => codec.some('other', ['size']),
      // @ts-expect-error `madeAt` was not selected.
      notSelected: () => codec.read<'id'>({ id: 'a' }).madeAt,
    }
    expect(Object.keys(refused)).toHaveLength(7)
  })
})
