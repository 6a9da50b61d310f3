import { describe, expect, it } from 'vitest'
import { readFilter } from './content-filter.ts'
import { bodyOf, matches } from './evaluate.ts'

const body = {
  type: 'order.paid',
  data: {
    amount: 100,
    currency: 'EUR',
    note: null,
    paid: true,
    tags: ['new', 'big'],
    items: [
      { sku: 'a', count: 1 },
      { sku: 'b', count: 5 },
    ],
    empty: [],
  },
}

describe('a filter matches', () => {
  it.each([
    [{ 'data.currency': 'EUR' }, true],
    [{ data: { currency: 'EUR', amount: 100 } }, true],
    [{ data: { currency: 'EUR', amount: 101 } }, false],
    [{ 'data.currency': { $eq: 'EUR' } }, true],
    [{ 'data.currency': { $neq: 'USD' } }, true],
    [{ 'data.currency': { $neq: 'EUR' } }, false],
    [{ 'data.note': null }, true],
    [{ 'data.paid': true }, true],
    [{ 'data.amount': '100' }, false],
    [{ 'data.amount': { $gt: 99, $lt: 101 } }, true],
    [{ 'data.amount': { $gte: 100, $lte: 100 } }, true],
    [{ 'data.amount': { $gt: 100 } }, false],
    [{ 'data.amount': { $gt: '1' } }, false],
    [{ 'data.currency': { $gt: 'EUQ', $lt: 'EUS' } }, true],
    [{ 'data.currency': { $in: ['USD', 'EUR'] } }, true],
    [{ 'data.currency': { $nin: ['USD', 'EUR'] } }, false],
    [{ 'data.currency': { $nin: ['USD'] } }, true],
    [{ 'data.currency': { $startsWith: 'EU' } }, true],
    [{ 'data.currency': { $endsWith: 'R' } }, true],
    [{ 'data.amount': { $startsWith: '1' } }, false],
    [{ type: { $startsWith: 'order.' } }, true],
    // Where a path leads nowhere, only its absence can be asked for.
    [{ 'data.missing': { $exist: false } }, true],
    [{ 'data.missing': { $exist: true } }, false],
    [{ 'data.note': { $exist: true } }, true],
    [{ 'data.missing': { $neq: 1 } }, false],
    [{ 'data.missing': { $nin: [1] } }, false],
    [{ 'data.missing': null }, false],
    [{ 'data.currency.length': 3 }, false],
    [{ 'data.__proto__.toString': { $exist: true } }, false],
    [{ constructor: { $exist: true } }, false],
    // One element of a list is enough, and none may be excluded.
    [{ 'data.tags': 'big' }, true],
    [{ 'data.tags': { $in: ['old', 'big'] } }, true],
    [{ 'data.tags': { $neq: 'big' } }, false],
    [{ 'data.tags': { $nin: ['old'] } }, true],
    [{ 'data.tags.1': 'big' }, true],
    [{ 'data.tags.0': 'big' }, false],
    [{ 'data.items.sku': 'b' }, true],
    [{ 'data.items.count': { $gt: 4 } }, true],
    [{ 'data.items.1.count': 5 }, true],
    [{ 'data.items.0.count': 5 }, false],
    [{ 'data.empty': { $exist: true } }, true],
    [{ 'data.empty': 'x' }, false],
    [{ $or: [{ 'data.amount': 1 }, { 'data.currency': 'EUR' }] }, true],
    [{ $or: [{ 'data.amount': 1 }, { 'data.currency': 'USD' }] }, false],
    [{ $and: [{ 'data.amount': 100 }, { 'data.currency': 'EUR' }] }, true],
    [{ $not: { 'data.currency': 'EUR' } }, false],
    [{ $not: { 'data.missing': 1 } }, true],
    [{ 'data.currency': { $not: { $in: ['USD'] } } }, true],
    [{ 'data.currency': { $or: [{ $eq: 'USD' }, { $startsWith: 'E' }] } }, true],
  ])('%j: %s', (filter, expected) => {
    expect(matches(readFilter(filter), body)).toBe(expected)
  })

  it('nothing by a path in a body that is not JSON', () => {
    const filter = readFilter({ 'data.a': 1 })
    expect(matches(filter, bodyOf({ payload: '{"data":{"a":1}}', contentType: null }))).toBe(true)
    expect(
      matches(
        filter,
        bodyOf({ payload: '{"data":{"a":1}}', contentType: 'application/cloudevents+json; charset=utf-8' }),
      ),
    ).toBe(true)
    expect(matches(filter, bodyOf({ payload: '{"data":{"a":1}}', contentType: 'text/plain' }))).toBe(false)
    expect(matches(filter, bodyOf({ payload: '{"data":{"a":1', contentType: 'application/json' }))).toBe(false)
  })

  it('by the first thousand elements of a list, so that no event holds up its publisher', () => {
    const list = Array.from({ length: 2000 }, (_, n) => ({ n, of: [n] }))
    expect(matches(readFilter({ 'list.n': 999 }), { list })).toBe(true)
    expect(matches(readFilter({ 'list.n': 1999 }), { list })).toBe(false)
    expect(matches(readFilter({ 'list.1999.n': 1999 }), { list })).toBe(true)
  })
})

describe('a filter is refused', () => {
  const deep = (levels: number): object => (levels === 1 ? { a: 1 } : { a: deep(levels - 1) })
  const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`p${n}`, n]))
  it.each([
    ['data', 'must be an object of paths and operators; found "data"'],
    [[], 'must be an object'],
    [{ data: {} }, '"data" must not be empty'],
    [{ 'data..a': 1 }, 'names joined by dots; found "data..a"'],
    [{ '': 1 }, 'names joined by dots'],
    [{ $eq: 1 }, '$eq must stand behind a path'],
    [{ a: { $regex: '.*' } }, 'has no operator "$regex"; the operators are $eq,'],
    [{ a: { $in: 'x' } }, '$in at "a" must be a list of texts, numbers, true, false or null; found "x"'],
    [{ a: { $in: [] } }, '$in at "a"'],
    [{ a: { $in: [{}] } }, '$in at "a"'],
    [{ a: { $gt: true } }, '$gt at "a" must be a text or a number; found true'],
    [{ a: { $exist: 'yes' } }, '$exist at "a" must be true or false'],
    [{ a: { $startsWith: 1 } }, '$startsWith at "a" must be a text'],
    [{ a: ['x'] }, '$eq at "a" must be a text, a number, true, false or null; found ["x"]'],
    [{ a: 'x\0' }, '$eq at "a"'],
    [{ a: '\uD800' }, '$eq at "a"'],
    [{ a: Number.NaN }, '$eq at "a"'],
    [{ $or: [] }, '$or at the filter must be a list of conditions; found []'],
    [{ $or: [{}] }, 'must not be empty'],
    [{ $and: { a: 1 } }, '$and at the filter must be a list'],
    [{ $not: [] }, 'must be an object'],
    [deep(6), 'at most 5 levels'],
    [many(51), 'at most 50 operators'],
    [{ a: 'é'.repeat(2050) }, 'at most 4096 bytes of JSON; found 4108'],
  ])('%j', (filter, message) => {
    expect(() => readFilter(filter)).toThrow(message)
  })

  it.each([
    ['that is nested a hundred thousand times', JSON.parse(`${'{"$not":'.repeat(100_000)}1${'}'.repeat(100_000)}`)],
    ['whose list is', { a: JSON.parse('['.repeat(100_000) + ']'.repeat(100_000)) }],
    ['that holds a BigInt', { a: 1n }],
  ])('%s', (_, filter) => {
    expect(() => readFilter(filter)).toThrow(
      expect.objectContaining({
        code: 'invalid_endpoint',
        message: expect.stringContaining('cannot be written as JSON'),
      }),
    )
  })

  it('not at its bounds', () => {
    expect(readFilter(deep(5))).toMatchObject({ kind: 'compare' })
    expect(readFilter(many(50))).toMatchObject({ kind: 'all' })
    expect(readFilter({ a: 'x'.repeat(4096 - 8) })).toMatchObject({ kind: 'compare' })
  })
})
