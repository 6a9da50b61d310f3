import { AsyncLocalStorage } from 'node:async_hooks'
import type { EndpointSecret, SendRequest, SendResult, Sender } from '@keepsend/engine'
import type { TakenEvent } from '@keepsend/outbox'
import { type OptionNames, eventIdOf } from '@keepsend/outbox/internal'
import { type Answer, resultOf } from './answer.ts'
import { TestingError, checkNames } from './errors.ts'
import { isVerified } from './verify-request.ts'

/** A webhook as its receiver gets it. */
export interface ReceivedRequest {
  eventId: string
  type: string
  workspaceId: string
  endpointId: string
  url: string
  /** 1 for the first request of a delivery; those that do not count as attempts, such as one that got a 429, are numbered too. */
  attempt: number
  /** The virtual time, ms since the epoch. */
  at: number
  /** With lower-case names. */
  headers: Readonly<Record<string, string>>
  /** As it was signed. */
  body: string
  /** The body, parsed if it is JSON. */
  json: unknown
  /** Whether its signature is of a secret of its endpoint, and its timestamp of now. */
  verified: boolean
}

/** Which requests are answered so. */
export interface AnswerTo {
  /** @default requests of every endpoint */
  endpointId?: string | undefined
}

export const ANSWER_TO = { endpointId: 'text' } satisfies OptionNames<AnswerTo>

/** The receiver of all endpoints, in memory. */
export interface FakeReceiver {
  /** The webhooks that it got, in order. */
  readonly requests: readonly ReceivedRequest[]
  /**
   * Answers so from now on: all requests, or those to one endpoint, which goes before. A list answers the next requests of each
   * delivery in turn, and its last element all later ones. Without a call, and to requests that are not verified, the receiver
   * answers 200, or 401.
   *
   * @throws {TestingError} `invalid_option`
   * @example
   * engine.receiver.answer([503, 'timeout', 200])
   */
  answer(answer: Answer | readonly Answer[] | ((request: ReceivedRequest) => Answer), to?: AnswerTo): void
  /** Forgets the requests and the answers. */
  reset(): void
}

/** The receiver, with the sender that reaches it. */
export interface ReceiverInMemory {
  receiver: FakeReceiver
  sender: Sender
  /** The number of requests so far, also those that the receiver has forgotten. */
  received: () => number
  /** Runs an attempt: its request is that of this delivery. */
  attempting: <T>(event: TakenEvent, attempt: () => Promise<T>) => Promise<T>
  /** Throws the error of a test's own function that should have answered. */
  throwFailure: () => void
}

/** @param deliveryId the delivery of the request */
type Script = (request: ReceivedRequest, deliveryId: string) => Answer

export function createReceiver({
  now,
  secretsOf,
}: {
  now: () => number
  secretsOf: (event: TakenEvent) => Promise<EndpointSecret[]>
}): ReceiverInMemory {
  const requests: ReceivedRequest[] = []
  const scripts = new Map<string | undefined, Script>()
  const countRequest = createCounter()
  let received = 0
  let failures: unknown[] = []
  const attempted = new AsyncLocalStorage<TakenEvent>()

  async function receive(event: TakenEvent, { url, headers, body }: SendRequest): Promise<SendResult> {
    const { id, type, workspaceId, endpointId } = event
    const verified = isVerified({ headers, body }, await secretsOf(event), now())
    const attempt = countRequest(id)
    const ids = { eventId: eventIdOf(id), type, workspaceId, endpointId }
    const request = { ...ids, url, attempt, at: now(), headers, body, json: parsed(body), verified }
    requests.push(request)
    received++
    if (!verified) return resultOf({ status: 401, body: 'the signature is not of a secret of this endpoint' })
    const script = scripts.get(endpointId) ?? scripts.get(undefined)
    try {
      return resultOf(script?.(request, id) ?? 200)
    } catch (error) {
      failures.push(error)
      throw error
    }
  }

  return {
    receiver: {
      requests,
      answer(answer, to = {}) {
        checkNames('receiver.answer', ANSWER_TO, to)
        scripts.set(to.endpointId, scriptOf(answer))
      },
      reset() {
        requests.length = 0
        scripts.clear()
      },
    },
    sender: {
      supports: { tls: true },
      async send(request) {
        const event = attempted.getStore()
        // Without an id of Standard Webhooks it is a request for a token of OAuth 2.0.
        return event && 'webhook-id' in request.headers ? receive(event, request) : resultOf(TOKEN)
      },
    },
    received: () => received,
    attempting: (event, attempt) => attempted.run(event, attempt),
    throwFailure() {
      const [failure] = failures
      failures = []
      if (failure !== undefined) throw failure
    },
  }
}

const TOKEN = {
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ access_token: 'token-of-the-test-kit', token_type: 'Bearer', expires_in: 3600 }),
}

/** Checks fixed answers when they are given, not when a request arrives. */
function scriptOf(answer: Parameters<FakeReceiver['answer']>[0]): Script {
  if (typeof answer === 'function') return answer
  const answers: readonly Answer[] = isList(answer) ? answer : [answer]
  const last = answers.at(-1)
  if (last === undefined) throw new TestingError('invalid_option', 'a list of answers must have one; found none')
  for (const one of answers) resultOf(one)
  const countRequest = createCounter()
  return (_request, deliveryId) => answers[countRequest(deliveryId) - 1] ?? last
}

/** A function that counts its calls with each key. */
function createCounter(): (key: string) => number {
  const counts = new Map<string, number>()
  return (key) => {
    const count = (counts.get(key) ?? 0) + 1
    counts.set(key, count)
    return count
  }
}

function isList(answer: Answer | readonly Answer[]): answer is readonly Answer[] {
  return Array.isArray(answer)
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
