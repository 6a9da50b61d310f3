import { type Server, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { Webhook } from 'standardwebhooks'
import { onTestFinished } from 'vitest'
import type { EngineOptions, Sender } from '../src/index.ts'

/** One request as it was received. */
interface Arrival {
  headers: Record<string, string>
  bytes: Buffer
  body: string
}

/** A receiver on a free port of this machine, which answers 401 if the signature does not verify. */
export interface HttpReceiver {
  url: string
  arrivals: Arrival[]
  /** The secret that it verifies with. */
  verifyWith: (secret: string) => void
  /** The statuses of its next answers to verified requests; then 200. */
  answers: number[]
}

export async function httpReceiver(): Promise<HttpReceiver> {
  const arrivals: Arrival[] = []
  const answers: number[] = []
  let secret = ''
  const server: Server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const bytes = Buffer.concat(chunks)
      const headers = request.headers as Record<string, string>
      const isVerified = verifies(secret, bytes, headers)
      if (isVerified) arrivals.push({ headers, bytes, body: bytes.toString() })
      response.writeHead(isVerified ? (answers.shift() ?? 200) : 401).end()
    })
  })
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve)
  })
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`
  return { url, arrivals, answers, verifyWith: (given) => void (secret = given) }
}

function verifies(secret: string, bytes: Buffer, headers: Record<string, string>): boolean {
  try {
    new Webhook(secret).verify(bytes, headers, { jsonParse: false })
    return true
  } catch {
    return false
  }
}

const fetchSender: Sender = {
  async send({ url, headers, body, deadlineMs }) {
    const response = await fetch(url, { method: 'POST', headers, body, signal: AbortSignal.timeout(deadlineMs) })
    const answer = new Uint8Array(await response.arrayBuffer())
    return {
      kind: 'response',
      status: response.status,
      header: (name) => response.headers.get(name) ?? undefined,
      body: answer,
    }
  },
}

/** Options of an engine whose endpoints are such receivers. */
export const OVER_HTTP = {
  sender: fetchSender,
  urlPolicy: { allowHttp: true, allowPorts: 'any', allowCidrs: ['127.0.0.0/8'] },
  deadlineMs: 30_000,
} satisfies Partial<EngineOptions>
