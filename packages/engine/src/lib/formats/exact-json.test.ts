import fc from 'fast-check'
import { expect, it } from 'vitest'
import { parseAsWritten } from './exact-json.ts'

it.each([
  '{"id":1234567890123456789}',
  '{"id":-1234567890123456789}',
  '{"x":1e400,"y":-1e400}',
  '{"x":1.0,"y":1E5,"z":-0,"w":0.10}',
  '{"x":1e-400}',
  '{"x":123456789.123456789123456789}',
  '{"deep":[{"id":[9007199254740993,1]}]}',
  '[1.50]',
])('%s is written as it was', (text) => {
  expect(JSON.stringify(parseAsWritten(text))).toBe(text)
})

it.each([
  '{}',
  '{"n":1,"x":1.5,"y":-1,"z":1e+21}',
  '{"text":"1234567890123456789 1.0 -0 1e400"}',
  '{"n":9007199254740991}',
])('of %s every number is as JavaScript writes it', (text) => {
  expect(parseAsWritten(text)).toBeUndefined()
})

it('any JSON is written as it was, except for white space and escapes', () => {
  fc.assert(
    fc.property(fc.json(), fc.bigInt(), fc.double({ noNaN: true, noDefaultInfinity: true }), (json, id, double) => {
      const text = `{"json":${JSON.stringify(JSON.parse(json))},"id":${id},"double":${double}}`
      const parsed = parseAsWritten(text)
      expect(parsed === undefined ? JSON.stringify(JSON.parse(text)) : JSON.stringify(parsed)).toBe(text)
    }),
  )
})

it('a key named __proto__ stays a key', () => {
  const parsed = parseAsWritten('{"__proto__":{"x":1},"n":1.0}') as object
  expect(Object.getPrototypeOf(parsed)).toBe(Object.prototype)
  expect(JSON.stringify(parsed)).toBe('{"__proto__":{"x":1},"n":1.0}')
})
