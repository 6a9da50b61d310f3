import { describe, expect, it } from 'vitest'
import { rows } from '../src/lib/postgres/rows.ts'
import { sqlText } from '../src/lib/statement.ts'
import { open } from './postgres.ts'

interface Item {
  name: string
  note: string | null
  size: number | null
}

const SOURCE = {
  name: ['text', ({ name }: Item) => name],
  note: ['text', ({ note }: Item) => note],
  size: ['integer', ({ size }: Item) => size],
} as const

const named = (count: number, others: Omit<Item, 'name'>): Item[] =>
  Array.from({ length: count }, (_, index) => ({ name: `${index}`, ...others }))

describe('items as a table, on Postgres', () => {
  it.for([
    { what: 'one item', items: named(1, { note: 'a', size: 1 }) },
    { what: '15 that share values', items: named(15, { note: 'a', size: 1 }) },
    { what: '16 that share values', items: named(16, { note: `a "quoted", \\ {text}`, size: 2 ** 40 }) },
    { what: '40 that share nulls', items: named(40, { note: null, size: null }) },
    { what: '40 that share all', items: Array.from({ length: 40 }, () => ({ name: 'x', note: null, size: 7 })) },
    {
      what: '40, of which one differs',
      items: [...named(39, { note: null, size: 0 }), { name: 'y', note: 'b', size: 1 }],
    },
    {
      what: '40 that share nothing',
      items: named(40, { note: null, size: 0 }).map((one, size) => ({ ...one, note: `${size % 2}`, size })),
    },
  ])('are $what', async ({ items }) => {
    const { db } = await open('pg', { migrated: false })
    const found = await db.run<Item>(
      sqlText`select item.name, item.note, item.size from ${rows('item', items, SOURCE)}`,
    )
    expect(found.rows).toEqual(items)
  })

  it('binds a shared value once', () => {
    const { params } = rows('item', named(16, { note: 'a', size: null }), SOURCE)
    expect(params).toEqual([
      'a',
      null,
      `{${named(16, { note: 'a', size: 1 })
        .map(({ name }) => `"${name}"`)
        .join(',')}}`,
    ])
  })
})
