import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorFields } from './logger.ts'
import { redactingLogger } from './redacting-logger.ts'

/** The fields that reach the wrapped logger. */
function logged(fields: Record<string, unknown>, message = 'm'): { fields: Record<string, unknown>; message: string } {
  const lines: { fields: Record<string, unknown>; message: string }[] = []
  const keep = (some: Record<string, unknown>, text: string) => void lines.push({ fields: some, message: text })
  redactingLogger({ info: keep, warn: keep, error: keep }).warn(fields, message)
  const [line] = lines
  if (!line) throw new Error('nothing was logged')
  return line
}

const text = (value: string) => logged({ value }).fields['value']

describe('the text that a logger receives', () => {
  it('is one line of visible characters, whatever the input', () => {
    expect(text('a\nlevel=error forged')).toBe('a\\u000alevel=error forged')
    expect(text('\u001b[2Jgone\u009b1m \u007f \u2028 \u202e')).toBe('\\u001b[2Jgone\\u009b1m \\u007f \\u2028 \\u202e')
    expect(logged({}, 'a\r\nb').message).toBe('a\\u000d\\u000ab')
    const anything = fc.string({ unit: fc.nat(0xffff).map((code) => String.fromCharCode(code)), maxLength: 20 })
    fc.assert(
      fc.property(
        anything,
        // oxlint-disable-next-line no-control-regex -- the test searches for control characters
        (value) => !/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]/.test(String(text(value))),
      ),
      { numRuns: 5000 },
    )
  })

  it('contains only the origin of a URL: no path, which may be a token, no query, no password', () => {
    expect(text('Invalid URL: https://u:p@ss@hooks.example.com:8443/T0K3N/x?key=1#f, found')).toBe(
      'Invalid URL: https://hooks.example.com:8443 found',
    )
    expect(text('"postgres://app:s3cret@db.internal:5432/app"')).toBe('"postgres://db.internal:5432"')
    expect(text('at https://example.com')).toBe('at https://example.com')
  })

  it('contains no key and no secret', () => {
    expect(text('found whsec_C2FuYXJ5+/= and ks_abc-DEF_1')).toBe('found whsec_… and ks_…')
    expect(text('authorization: Bearer abc.def')).toBe('authorization: Bearer …')
  })

  it('has at most 1,000 characters, and values other than numbers and booleans become text', () => {
    expect(text('x'.repeat(1000))).toBe('x'.repeat(1000))
    expect(text('x'.repeat(1001))).toBe(`${'x'.repeat(1000)}…`)
    const value = { at: 'https://example.com/T0K3N' }
    expect(logged({ number: 1, yes: true, none: null, nothing: undefined, value }).fields).toEqual({
      number: 1,
      yes: true,
      none: null,
      nothing: undefined,
      value: '{"at":"https://example.com"}',
    })
  })
})

describe('an error', () => {
  it('is logged with its text, name and code, without the values of a statement or the text that a parser read', () => {
    const failed = Object.assign(new Error('Failed query: select 1 where a = ?\nparams: CANARY'), { code: 'X' })
    expect(errorFields(failed)).toEqual({
      error: 'Failed query: select 1 where a = ?',
      errorName: 'Error',
      code: 'X',
    })
    const parsed = (() => {
      try {
        return JSON.parse('CANARY')
      } catch (error) {
        return error
      }
    })()
    expect(String(parsed)).toContain('CANARY')
    expect(errorFields(parsed)).toEqual({ error: 'invalid syntax in a parsed text', errorName: 'SyntaxError' })
    expect(errorFields('text')).toEqual({ error: 'text' })
  })
})
