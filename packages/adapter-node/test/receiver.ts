import { type IncomingHttpHeaders, type Server, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'

/** One request. It may be answered immediately, later, or never. */
export interface Request {
  path: string
  body: string
  headers: IncomingHttpHeaders
  id: string
  answer(status?: number, body?: string, headers?: Record<string, string>): void
}

export interface Receiver {
  url: string
  server: Server
  /** In the order of arrival. */
  requests: Request[]
  /** Unanswered requests, and their highest number. */
  open: () => number
  mostOpen: () => number
  /** Resolves when `count` requests have arrived. */
  arrived(count: number): Promise<void>
  /** Throws unless each request verifies with `standardwebhooks`. */
  verifyAll(secret: string): void
}

/** A real receiver on a free port of 127.0.0.1 until the end of the test. Answers 200 by default. */
export async function startReceiver(
  respond: (request: Request) => void = (request) => request.answer(),
): Promise<Receiver> {
  const requests: Request[] = []
  const waiting: { count: number; resolve: () => void }[] = []
  const unanswered = new Set<ServerResponse>()
  let mostOpen = 0

  const server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('utf8').on('data', (some: string) => {
      body += some
    })
    incoming.on('end', () => {
      unanswered.add(response)
      response.on('close', () => unanswered.delete(response))
      mostOpen = Math.max(mostOpen, unanswered.size)
      const request: Request = {
        path: incoming.url ?? '',
        body,
        headers: incoming.headers,
        id: String(incoming.headers['webhook-id']),
        answer(status = 200, text = 'ok', headers = {}) {
          unanswered.delete(response)
          response.writeHead(status, headers).end(text)
        },
      }
      requests.push(request)
      respond(request)
      for (const wait of waiting) if (requests.length >= wait.count) wait.resolve()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })

  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    server,
    requests,
    open: () => unanswered.size,
    mostOpen: () => mostOpen,
    arrived: (count) =>
      new Promise((resolve) => {
        if (requests.length >= count) resolve()
        else waiting.push({ count, resolve })
      }),
    verifyAll(secret) {
      const webhook = new Webhook(secret)
      for (const { body, headers } of requests)
        webhook.verify(body, headers as Record<string, string>, { jsonParse: false })
    },
  }
}

/** How often each `webhook-id` arrived. */
export function copies(requests: readonly Request[]): number[] {
  const counts = new Map<string, number>()
  for (const { id } of requests) counts.set(id, (counts.get(id) ?? 0) + 1)
  return [...counts.values()]
}
