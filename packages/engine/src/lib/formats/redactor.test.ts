import { describe, expect, it } from 'vitest'
import { createRedactor } from './redactor.ts'

const SECRET = 'a"b\\c/d&é😀 <e>%=f'

const FORMS: Record<string, (text: string) => string> = {
  'as it is': (text) => text,
  'with its scheme name': (text) => `Bearer ${text}`,
  'escaped in JSON': (text) => JSON.stringify(text),
  'escaped in JSON, with slashes': (text) => JSON.stringify(text).replaceAll('/', '\\/'),
  'escaped in ASCII, in either case': (text) =>
    `${escaped(text, (hex) => hex)} ${escaped(text, (hex) => hex.toUpperCase())}`,
  'escaped in JSON for HTML': (text) =>
    JSON.stringify(text).replaceAll('&', '\\u0026').replaceAll('<', '\\u003c').replaceAll('>', '\\u003e'),
  'encoded in a URL, in either case': (text) =>
    `${encodeURIComponent(text)} ${encodeURIComponent(text).replaceAll(/%../g, (hex) => hex.toLowerCase())}`,
  'encoded in a form': (text) => String(new URLSearchParams({ a: text })),
  'escaped in HTML': (text) =>
    text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
}

function escaped(text: string, inCase: (hex: string) => string): string {
  return JSON.stringify(text).replaceAll(/[\u0080-\uffff]/g, (unit) => {
    return `\\u${inCase(unit.charCodeAt(0).toString(16).padStart(4, '0'))}`
  })
}

describe('a secret', () => {
  it.each(Object.entries(FORMS))('is removed %s', (_name, form) => {
    const text = createRedactor([SECRET])(`before ${form(SECRET)} after`)
    expect(text).toMatch(/^before .*….* after$/)
    expect(text).not.toMatch(/(?:[bcdé]|😀)%|b.*c.*d.*e.*f/)
  })

  it('is removed without its scheme name, and if it contains another', () => {
    const redact = createRedactor(['part-1', 'Bearer part-1-and-2'])
    expect(redact('Bearer part-1-and-2, part-1-and-2, part-1')).toBe('…, …, …')
  })

  it('that is shorter than four characters is no secret', () => {
    expect(createRedactor(['', 'abc'])('abc abcd')).toBe('abc abcd')
  })

  it('of backslashes is looked for in a time that does not depend on how they can be read', () => {
    const redact = createRedactor([`${'\\'.repeat(1000)}a`, '\\"'.repeat(500), '&amp;'.repeat(500), '%25'.repeat(500)])
    for (const hostile of ['\\', '\\"', '\\\\"', '&amp;', '&amp;amp;', '%25', '%2525'])
      expect(redact(`${hostile.repeat(10_000)}!`)).toContain('!')
  })
})
