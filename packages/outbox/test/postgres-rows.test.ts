import { describe, expect, it } from 'vitest'
import { numbers, texts } from '../src/lib/postgres/array-params.ts'
import { rows, tableOfItems } from '../src/lib/postgres/rows.ts'
import { type SqlText, joined, raw, sqlText } from '../src/lib/statement.ts'
import { DRIVER_NAMES, open } from './postgres.ts'

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
    const names = named(16, { note: 'a', size: 1 }).map(({ name }) => name)
    expect(params).toEqual(['a', null, names.join(',')])
  })

  it.for([
    { what: 'shares some values', items: named(40, { note: 'a', size: null }), columns: ['name'] },
    {
      what: 'shares all',
      items: Array.from({ length: 40 }, () => ({ name: 'x', note: null, size: 7 })),
      columns: ['name', 'note', 'size'],
    },
    { what: 'is short', items: named(2, { note: 'a', size: 1 }), columns: ['name', 'note', 'size'] },
  ])('has constants beside it for what its items share: one that $what', async ({ items, columns }) => {
    const { db } = await open('pg', { migrated: false })
    const table = tableOfItems('item', items, SOURCE)
    expect(table.columns).toEqual(columns)
    const values = ['name', 'note', 'size'].map((name) => sqlText`${table.value(name)} as ${raw(name)}`)
    expect((await db.run<Item>(sqlText`select ${joined(values, ', ')} from ${table.from}`)).rows).toEqual(items)
  })
})

describe.each(DRIVER_NAMES)('a list as one parameter, by %s', (driver) => {
  it('has the same values in the same order, whatever they contain', async () => {
    const { db } = await open(driver, { migrated: false })
    const read = async (list: SqlText) =>
      (await db.run(sqlText`select value from unnest(${list}) as listed (value)`)).rows
    for (const list of [
      [],
      [''],
      ['', ''],
      ['a'],
      ['a', '', 'null', 'NULL'],
      [null],
      ['a', null],
      ['a,b', 'c'],
      [',', ''],
      ['{"a":[1]}', '{x}', '"', '\\', "'", '?', '$1'],
      [' a ', '\n', 'é', '\u{1f600}'],
    ]) {
      expect([list, await read(texts(list))]).toEqual([list, list.map((value) => ({ value }))])
    }
    for (const list of [[], [null], [0], [null, 1, -2, null, Number.MAX_SAFE_INTEGER]]) {
      expect([list, await read(numbers(list))]).toEqual([list, list.map((value) => ({ value }))])
    }
  })
})
