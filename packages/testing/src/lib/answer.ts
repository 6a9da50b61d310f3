import type { SendErrorClass, SendResult } from '@keepsend/engine'
import { type OptionNames, withDefaults } from '@keepsend/outbox/internal'
import { TestingError, checkNames } from './errors.ts'

/** A whole answer. */
export interface WholeAnswer {
  /** 200–599. @default 200 */
  status?: number | undefined
  /** @default none */
  headers?: Readonly<Record<string, string>> | undefined
  /** @default '' */
  body?: string | undefined
}

/**
 * How a receiver answers one request: by a status, by a whole answer, or not at all, with the class of the error: `'timeout'`,
 * `'connect'`, `'dns'`, `'tls'`, `'network'` …
 */
export type Answer = number | WholeAnswer | SendErrorClass

export const ANSWER_NAMES = { status: 'number', headers: 'object', body: 'text' } satisfies OptionNames<WholeAnswer>

const CLASSES = {
  timeout: true,
  dns: true,
  connect: true,
  tls: true,
  network: true,
  invalid_response: true,
  blocked_address: true,
  egress_proxy: true,
  sender_limit: true,
} satisfies Record<SendErrorClass, true>

/** The result that a sender returns for this answer. @throws {TestingError} `invalid_option` for one that cannot be */
export function resultOf(answer: Answer): SendResult {
  if (typeof answer === 'string') {
    if (!Object.hasOwn(CLASSES, answer)) throw invalid(`one of ${Object.keys(CLASSES).join(', ')}`, answer)
    return { kind: 'error', reason: answer, message: 'the receiver of the test answers so' }
  }
  if (typeof answer !== 'number' && (typeof answer !== 'object' || answer === null)) {
    throw invalid('a status, an object with a status, or the class of an error', answer)
  }
  const whole = typeof answer === 'number' ? { status: answer } : answer
  checkNames('an answer', ANSWER_NAMES, whole)
  const { status, headers, body } = withDefaults(whole, { status: 200, headers: {}, body: '' })
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) throw invalid('a status from 200 to 599', status)
  const lower = Object.fromEntries(Object.entries(headers).map(([name, value]) => [name.toLowerCase(), value]))
  return {
    kind: 'response',
    status,
    header: (name) => lower[name],
    headers: () => lower,
    body: new TextEncoder().encode(body),
  }
}

function invalid(expected: string, found: unknown): TestingError {
  return new TestingError('invalid_option', `an answer must be ${expected}; found ${JSON.stringify(found)}`)
}
