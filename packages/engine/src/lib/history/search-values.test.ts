import { describe, expect, it } from 'vitest'
import { readHistory } from './history-options.ts'
import { searchValues } from './search-values.ts'

const PATHS = ['data.order.id', 'data.n', 'data.ok', 'type']

/** The values of a payload by path. */
function valuesOf(payload: string, paths: readonly string[] = PATHS): unknown {
  const values = searchValues(payload, paths)
  return values.length === 0 ? undefined : JSON.parse(JSON.stringify(Object.fromEntries(values)))
}

describe('the values of a payload', () => {
  it('are its texts, and numbers, true and false as they are written', () => {
    expect(valuesOf('{"type":"a.b","data":{"order":{"id":"ord_1"},"n":7,"ok":false}}')).toEqual({
      type: 'a.b',
      'data.order.id': 'ord_1',
      'data.n': '7',
      'data.ok': 'false',
    })
  })

  it.each(['9007199254740993', '1.0', '-0', '1e400', '0.1', '12345678901234567890.5'])(
    'have the digits of %s',
    (digits) => {
      expect(valuesOf(`{"data":{"n":${digits},"order":{"id":"9007199254740993.0"}}}`)).toEqual({
        'data.n': digits,
        'data.order.id': '9007199254740993.0',
      })
    },
  )

  it.each([
    ['null, objects and lists', '{"data":{"order":{"id":null},"n":{"x":1},"ok":[true]}}'],
    ['properties that each object or list has', '{"data":["a"],"toString":1}'],
    ['a part of a number', '{"data":{"n":1.0,"order":1.0}}'],
    ['texts that databases do not store unchanged', String.raw`{"data":{"n":"a\u0000b","order":{"id":"\ud800"}}}`],
    ['long texts', `{"data":{"n":"${'x'.repeat(201)}"}}`],
    ['text that is no JSON', 'data.n=1'],
    ['lists that are nested too deep', `{"data":${'['.repeat(120_000)}1.0${']'.repeat(120_000)}}`],
  ])('have nothing of %s', (_what, payload) => {
    expect(
      valuesOf(payload, [
        'data.order.id',
        'data.length',
        'data.0',
        'toString.length',
        'data.n.rawJSON',
        'data.order.rawJSON',
      ]),
    ).toBe(undefined)
  })

  it('have texts of 200 characters, keys of any kind, and the last of several with one key', () => {
    const long = '🦊'.repeat(100)
    expect(valuesOf(`{"data":{"n":1,"n":"${long}"},"__proto__":{"a \\"b":"c"}}`, ['data.n', '__proto__.a "b'])).toEqual(
      {
        'data.n': long,
        '__proto__.a "b': 'c',
      },
    )
  })
})

describe('the option history.search', () => {
  const read = (search: readonly string[], events = true) => readHistory({ search, events }, false)?.search

  it('is empty by default, and takes five paths', () => {
    expect(readHistory(true, false)?.search).toEqual([])
    const paths = ['a', 'a.b', '0', 'é 🦊."quoted"', `a.${'b'.repeat(198)}`]
    expect(read(paths)).toBe(paths)
    expect(read([], false)).toEqual([])
  })

  it.each<[string[], string]>([
    [['a', 'b', 'c', 'd', 'e', 'f'], 'must have at most 5 paths; found 6'],
    [['a', 'b', 'a'], 'must have each path once; found ["a","b","a"]'],
    ...['', '.', 'a..b', '.a', 'a.', 'a\0', '\ud800', 'a'.repeat(201)].map((path): [string[], string] => [
      [path],
      `must have paths of 1 to 200 characters, keys joined by dots; found ${JSON.stringify(path)}`,
    ]),
  ])('refuses %j', (search, message) => {
    expect(() => read(search)).toThrow(
      expect.objectContaining({ code: 'invalid_option', message: `history.search ${message}` }),
    )
  })

  it('needs history.events, which D1 does not have by default', () => {
    const refused = { code: 'invalid_option', message: 'history.search needs history.events: true; found false' }
    expect(() => read(['a'], false)).toThrow(expect.objectContaining(refused))
    expect(() => readHistory({ search: ['a'] }, true)).toThrow(expect.objectContaining(refused))
  })
})
