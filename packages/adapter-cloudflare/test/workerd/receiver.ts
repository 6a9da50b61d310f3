// Runs on Node, beside workerd: a real receiver on a free port of 127.0.0.1 whose responses a test sets.
import { type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import type { TestProject } from 'vitest/node'

/** The response of a path. `status: 'never'` stalls requests until the test sets another. */
export interface Answer {
  status: number | 'never'
  headers?: Record<string, string>
  body?: string
  /** Verifies each arrival with this. */
  secret?: string
  /** The response from the second request on. */
  next?: Answer
}

/** One arrival, as the test reads it. */
export interface Arrival {
  id: string
  body: string
  /** Whether the public library accepts its signature. */
  verified: boolean
  headers: Record<string, string | string[] | undefined>
}

/** The requests of a path. */
export interface Seen {
  arrivals: Arrival[]
  /** Unanswered requests, and their highest number. */
  open: number
  peak: number
}

interface Hook {
  answer: Answer
  arrivals: Arrival[]
  open: Set<ServerResponse>
  peak: number
}

/**
 * `POST /hook/…` is a webhook, `GET /hook/…` returns {@link Seen}. `PUT /hook/…` sets the {@link Answer}, also of stalled
 * requests; `PATCH /hook/…` answers the oldest stalled one.
 */
export default async function startReceiver(project: TestProject): Promise<() => Promise<void>> {
  const hooks = new Map<string, Hook>()
  const server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', (some: string) => (body += some))
    request.on('end', () => {
      const path = request.url ?? '/'
      const hook = hooks.get(path) ?? newHook()
      hooks.set(path, hook)
      if (request.method === 'GET') {
        const seen: Seen = { arrivals: hook.arrivals, open: hook.open.size, peak: hook.peak }
        response.end(JSON.stringify(seen))
      } else if (request.method === 'PUT') {
        hook.answer = JSON.parse(body) as Answer
        for (const held of hook.open) answer(held, hook)
        response.end('{}')
      } else if (request.method === 'PATCH') {
        const [longest] = hook.open
        if (longest) answer(longest, { ...hook, answer: JSON.parse(body) as Answer })
        response.end('{}')
      } else {
        const { secret } = hook.answer
        const headers = request.headers
        hook.arrivals.push({
          id: String(headers['webhook-id']),
          body,
          headers,
          verified: verifies(secret, body, headers),
        })
        hook.open.add(response)
        hook.peak = Math.max(hook.peak, hook.open.size)
        response.on('close', () => hook.open.delete(response))
        answer(response, hook)
        if (hook.answer.next) hook.answer = { ...hook.answer.next, ...(secret !== undefined && { secret }) }
      }
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  project.provide('receiver', `http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve())
      server.closeAllConnections()
    })
}

function newHook(): Hook {
  return { answer: { status: 200 }, arrivals: [], open: new Set(), peak: 0 }
}

function answer(response: ServerResponse, { answer: { status, headers, body = 'told so' }, open }: Hook): void {
  if (status === 'never') return
  open.delete(response)
  response.writeHead(status, headers).end(body)
}

function verifies(secret: string | undefined, body: string, headers: object): boolean {
  if (secret === undefined) return false
  try {
    new Webhook(secret).verify(body, headers as Record<string, string>, { jsonParse: false })
    return true
  } catch {
    return false
  }
}
