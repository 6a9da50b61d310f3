import { type IncomingHttpHeaders, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

interface Received {
  path: string
  headers: IncomingHttpHeaders
  body: string
}

/** Receivers on 127.0.0.1, one for each path. They answer 200 until they are told otherwise. */
export interface Receivers {
  url: string
  requests: Received[]
  answer(path: string, status: number, body?: string, headers?: Readonly<Record<string, string>>): void
  stop(): void
}

export async function startReceivers(): Promise<Receivers> {
  const requests: Received[] = []
  const answers = new Map<string, { status: number; body: string; headers: Readonly<Record<string, string>> }>()
  const server = createServer((incoming, response) => {
    let body = ''
    incoming.setEncoding('utf8').on('data', (some: string) => {
      body += some
    })
    incoming.on('end', () => {
      const path = incoming.url ?? '/'
      requests.push({ path, headers: incoming.headers, body })
      const answer = answers.get(path) ?? { status: 200, body: 'ok', headers: {} }
      response.writeHead(answer.status, { 'content-type': 'text/plain', ...answer.headers }).end(answer.body)
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    answer: (path, status, body = '', headers = {}) => void answers.set(path, { status, body, headers }),
    stop() {
      server.close()
      server.closeAllConnections()
    },
  }
}
