import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { contentTypeProblem } from './content-type.ts'

describe('a content type', () => {
  it.each([
    'application/json',
    'application/xml; charset=utf-8',
    'Text/XML;charset="UTF-8"',
    'text/plain; charset=utf8',
    'application/vnd.acme.v2+json',
    'multipart/mixed; boundary="a b;c"; start="\\"<1>\\""',
    'application/x-www-form-urlencoded',
    `text/${'x'.repeat(250)}`,
  ])('may be %j', (text) => {
    expect(contentTypeProblem(text)).toBeUndefined()
  })

  it.each([
    [undefined, 'found undefined'],
    [7, 'found number'],
    ['', 'a media type such as application/xml'],
    ['xml', 'found "xml"'],
    ['text/', 'a media type'],
    ['text/xml;', 'a media type'],
    ['text/xml; charset', 'a media type'],
    [' text/xml', 'a media type'],
    ['text/xml ', 'a media type'],
    ['text/xml\r\nx-injected: 1', 'a media type'],
    ['text/xml; title="a\nb"', 'a media type'],
    ['text/xml; title="é"', 'a media type'],
    ['text/xml, text/csv', 'a media type'],
    ['tëxt/xml', 'a media type'],
    [`text/${'x'.repeat(251)}`, 'at most 255 characters; found 256'],
    ['text/xml; charset=iso-8859-1', 'no charset but utf-8'],
    ['text/xml; version=1;  Charset="utf-16"', 'no charset but utf-8'],
  ])('may not be %j', (text, problem) => {
    expect(contentTypeProblem(text)).toContain(problem)
  })

  it('is validated in linear time', () => {
    const began = performance.now()
    for (const part of [' ; ', ';a=" ', ' ;a=b ', '\\" ']) contentTypeProblem(`a/b${part.repeat(80)}`.slice(0, 255))
    expect(performance.now() - began).toBeLessThan(1000)
  })

  it('is accepted unchanged as a header of a request', () => {
    const value = fc.string({
      unit: fc.constantFrom('a', 'b', ' ', ';', '=', '"', '\\', '\r\n', 'é', '\t', ','),
      maxLength: 8,
    })
    fc.assert(
      fc.property(value, (text) => {
        const contentType = `text/plain; a=${text}`
        fc.pre(contentTypeProblem(contentType) === undefined)
        expect(new Headers({ 'content-type': contentType }).get('content-type')).toBe(contentType)
      }),
    )
  })
})
