import type { SendResult, Sender } from '@keepsend/engine'
import type { PastAnswer } from './cast.ts'

/** A sender that reaches no network: each request is answered as its endpoint answered at that time. */
export function createPastSender(
  answerOf: (url: string) => PastAnswer,
  random: () => number,
): {
  sender: Sender
  /** How long all requests so far have taken, in ms. */
  spentMs: () => number
} {
  let spentMs = 0
  return {
    spentMs: () => spentMs,
    sender: {
      supports: { tls: true },
      async send({ url }) {
        const answer = answerOf(url)
        const tookMs = 'error' in answer ? answer.tookMs : answer.tookMs * spread(random())
        spentMs += tookMs
        return resultOf(answer, tookMs)
      },
    },
  }
}

/** Most answers take about as long as usual, and few take several times as long. */
function spread(share: number): number {
  return 0.6 + 0.5 * share + 3 * share ** 30
}

function resultOf(answer: PastAnswer, tookMs: number): SendResult {
  if ('error' in answer) return { kind: 'error', reason: answer.error, message: answer.message }
  const { status, body = '' } = answer
  const headers: Record<string, string> = body === '' ? {} : { 'content-type': 'text/plain;charset=UTF-8' }
  return {
    kind: 'response',
    status,
    header: (name) => headers[name],
    headers: () => headers,
    body: new TextEncoder().encode(body),
    timing: { connectMs: Math.min(2, tookMs / 20), firstByteMs: tookMs * 0.97 },
  }
}
