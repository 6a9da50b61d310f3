import type { SendRequest, SendResult, Sender } from '@keepsend/engine'
import { describeFailure } from './failure.ts'

/**
 * Sends with the platform's `fetch`. Follows no redirect, reads no more than is kept, and ends at the deadline whatever
 * the receiver does. Which hosts may be reached is the URL policy's: a Worker cannot see the address a name resolves to,
 * and the platform itself does not route to private networks.
 */
export function createFetchSender(): Sender {
  return {
    async send(request) {
      const controller = new AbortController()
      let timer: ReturnType<typeof setTimeout> | undefined
      const deadline = new Promise<SendResult>((resolve) => {
        timer = setTimeout(() => {
          resolve({ kind: 'error', reason: 'timeout', message: `no complete answer within ${request.deadlineMs} ms` })
          controller.abort()
        }, request.deadlineMs)
      })
      try {
        return await Promise.race([exchange(request, controller), deadline])
      } finally {
        clearTimeout(timer)
      }
    },
  }
}

async function exchange(request: SendRequest, controller: AbortController): Promise<SendResult> {
  try {
    const response = await fetch(request.url, {
      method: 'POST',
      // The platform inflates what it receives: a receiver that is asked for plain bytes has no reason to send others.
      headers: { ...request.headers, 'accept-encoding': 'identity' },
      body: request.body,
      redirect: 'manual',
      signal: controller.signal,
    })
    const { status, headers } = response
    const body = await readUpTo(response, request.maxResponseBytes)
    if (status < 200 || status > 599) {
      return { kind: 'error', reason: 'invalid_response', message: `the receiver answered with status ${status}` }
    }
    return { kind: 'response', status, header: (name) => headers.get(name) ?? undefined, body }
  } catch (error) {
    return { kind: 'error', reason: 'network', message: describeFailure(error) }
  }
}

/** Counts inflated bytes, and hangs up once there are enough. */
async function readUpTo(response: Response, maxBytes: number): Promise<Uint8Array> {
  const reader = response.body?.getReader()
  if (!reader) return new Uint8Array()
  const kept = new Uint8Array(maxBytes)
  let size = 0
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    const chunk = value.subarray(0, maxBytes - size)
    kept.set(chunk, size)
    size += chunk.length
    if (size === maxBytes) {
      await reader.cancel()
      break
    }
  }
  return kept.slice(0, size)
}
