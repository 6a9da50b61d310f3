import { readFileSync } from 'node:fs'
import { describe, expect, expectTypeOf, it } from 'vitest'
import { type DeliveryError, ERROR_CLASSES, classOf, explanationOf } from './error-classes.ts'
import { ENGINE_ERROR_CODES, EngineError, type EngineErrorCode } from './errors.ts'
import { HTTP_EXPLANATIONS } from './http-explanations.ts'

const page = readFileSync(new URL('../../../../docs/errors.md', import.meta.url), 'utf8')

/** The cells of each row of the table whose first column has this heading. */
function tableOf(heading: string): string[][] {
  const rows = page.split('\n').map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  )
  const start = rows.findIndex(([first]) => first === heading)
  const end = rows.findIndex((cells, index) => index > start && cells.length === 0)
  return rows.slice(start + 2, end)
}

describe('docs/errors.md', () => {
  it('lists every class of delivery errors with the explanation in the code', () => {
    const classes = Object.entries(ERROR_CLASSES).map(([name, { happened, fix }]) => [`\`${name}\``, happened, fix])
    expect(tableOf('class')).toEqual(classes)
  })

  it('lists every HTTP status that has an explanation of its own', () => {
    const statuses = Object.entries(HTTP_EXPLANATIONS).map(([status, { happened, fix }]) => [status, happened, fix])
    expect(tableOf('status')).toEqual(statuses)
  })

  it('lists every code of a problem document with its status and a fix', () => {
    const statusOf = (code: EngineErrorCode | 'internal') =>
      code === 'internal' ? 500 : new EngineError(code, '').status
    const known = [...ENGINE_ERROR_CODES, 'internal' as const].map((code) => `\`${code}\` ${statusOf(code)}`)
    const rows = tableOf('code')
    expect(rows.map(([code, status]) => `${code} ${status}`).sort()).toEqual(known.sort())
    for (const [code, , happened, fix] of rows) expect([happened, fix], code).not.toContain('')
  })
})

describe('the class of an error', () => {
  it.each([
    ['timeout: no complete answer within 15000 ms', null, 'timeout'],
    ['expired', null, 'expired'],
    ['HTTP 302', 302, 'http_3xx'],
    ['HTTP 404: no such page', 404, 'http_4xx'],
    ['HTTP 500: timeout: of our own', 500, 'http_5xx'],
    // The status is of an earlier attempt, the error of a later one.
    ['tls: CERT_HAS_EXPIRED its certificate has expired', 500, 'tls'],
    ['timeout waiting for the printer', null, 'other'],
    ['the host says so', 503, 'http_5xx'],
    ['constructor: of every object', null, 'other'],
    ['', null, 'other'],
  ] as const)('%j with the status %j is %s', (lastError, lastStatus, errorClass) => {
    expect(classOf(lastError, lastStatus)).toBe(errorClass)
  })

  it('is null if there is no error, and so is its explanation', () => {
    expect([classOf(null, 200), explanationOf(null, 200)]).toEqual([null, null])
  })

  it('is required by the type of an error: a text without a class does not compile', () => {
    expectTypeOf<'timeout: late'>().toExtend<DeliveryError>()
    expectTypeOf<'HTTP 500: late'>().toExtend<DeliveryError>()
    expectTypeOf<'late'>().not.toExtend<DeliveryError>()
    expectTypeOf<'http_5xx: late'>().not.toExtend<DeliveryError>()
  })
})

describe('the explanation of an error', () => {
  it('is that of the status if it has one, else that of its class', () => {
    expect(explanationOf('HTTP 410', 410)).toMatch(/^The receiver says that the endpoint is gone.* Delete the endpoint/)
    expect(explanationOf('HTTP 507', 507)).toMatch(/^The receiver failed while/)
    expect(explanationOf('dns: ENOTFOUND no such host name', 410)).toMatch(/^The host name of the URL has no address/)
  })

  it('is two sentences on one line, each ending with a full stop', () => {
    for (const { happened, fix } of [...Object.values(ERROR_CLASSES), ...Object.values(HTTP_EXPLANATIONS)]) {
      expect(happened).toMatch(/^[A-Z][ -~]+\.$/)
      expect(fix).toMatch(/^[A-Z][ -~]+\.$/)
    }
  })
})
