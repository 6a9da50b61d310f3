import { existsSync, readFileSync } from 'node:fs'
import { ERROR_CLASSES, type ErrorClass } from '@keepsend/engine'
import { expect, it } from 'vitest'
import { en } from '../language/en.ts'
import { createText } from '../language/text.ts'
import { ERRORS, type FoundError, errorName, explainError } from './errors.ts'

const docs = new URL('../../../../../docs/', import.meta.url)
const text = createText('en', en)

/** The anchors of a page, as GitHub makes them of its headings. */
function anchorsOf(file: string): string[] {
  const page = readFileSync(new URL(file, docs), 'utf8')
  return [...page.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
    heading
      .toLowerCase()
      .replaceAll(/[^\w\- ]/g, '')
      .replaceAll(' ', '-'),
  )
}

it.each(Object.entries(ERRORS))('the docs of %s lead to a heading that exists', (_, place) => {
  const [file = '', anchor = ''] = place.split('#')
  expect(existsSync(new URL(file, docs))).toBe(true)
  expect(anchorsOf(file)).toContain(anchor)
})

it.each(Object.keys(ERROR_CLASSES) as ErrorClass[])('explains %s to the operator and to the customer', (errorClass) => {
  const error: FoundError = { error: errorClass, httpStatus: null, errorClass }
  for (const reads of ['operator', 'customer'] as const) {
    const { name, why, fix } = explainError(error, text, reads) ?? { name: '', why: '', fix: '' }
    expect([name, why, fix].every((one) => /\w/.test(one))).toBe(true)
  }
})

it.each([
  ['HTTP 401: no', 401, '401 Unauthorized'],
  ['HTTP 503', 503, '503 Service Unavailable'],
  ['HTTP 499', 499, 'HTTP 499'],
  ['timeout: no answer within 15000 ms', null, 'No answer in time'],
  ['connect: ECONNREFUSED nothing listens at this host and port', null, 'Connection refused'],
  ['connect: ETIMEDOUT no connection was made in time', null, 'No connection'],
  ['tls: CERT_HAS_EXPIRED its certificate has expired: renew it', null, 'Certificate expired'],
  ['tls: ERR_TLS_CERT_ALTNAME_INVALID its certificate is for other host names', null, 'Certificate for another name'],
  ['tls: UNABLE_TO_VERIFY_LEAF_SIGNATURE its certificate chain is incomplete', null, 'Certificate not trusted'],
  ['something else', null, 'Other error'],
  [null, null, undefined],
])('an error %j with the status %j is named %j', (error, httpStatus, name) => {
  expect(errorName({ error, httpStatus }, text)).toBe(name)
})

it('tells the customer, and not the operator, what to do on their own side', () => {
  const error = { error: 'tls: CERT_HAS_EXPIRED', httpStatus: null }
  expect(explainError(error, text, 'operator')?.fix).toBe('Ask the customer to renew it.')
  expect(explainError(error, text, 'customer')?.fix).toBe('Renew the certificate, and reload the server.')
})
