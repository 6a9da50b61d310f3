// The receiver: a process of its own, which writes each arrival to its file before it answers. argv: the file, the
// port, a seed, the share of responses that are a 500, and the secret of each endpoint, whose name is the path; secrets
// may also be sent later.
import { closeSync, openSync, writeSync } from 'node:fs'
import { createServer } from 'node:http'
import { Webhook } from 'standardwebhooks'
import { createRandom } from '../random.ts'
import { keyOf } from './arrivals.ts'
import { PAUSING } from './sites.ts'

const [file = '', port = '0', seed = '0', failing = '0', secrets = '{}'] = process.argv.slice(2)
const log = openSync(file, 'a')
const random = createRandom(Number(seed))
// Time from the start of one pause to the next. A pause takes a second of it.
const PAUSE_EVERY_MS = 3000
let pausedAt = 0
let webhooks = verifiers(JSON.parse(secrets) as Record<string, string>)

process.on('message', (newSecrets: Record<string, string>) => {
  webhooks = verifiers(newSecrets)
  process.send?.('received')
})
process.once('disconnect', () => {
  closeSync(log)
  process.exit()
})

const server = createServer((request, response) => {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => {
    const path = request.url ?? ''
    const body = Buffer.concat(chunks).toString()
    // Most are answered immediately; some fail, and some are slow, so that there is something in flight to lose.
    const chance = random.next()
    const paused = path === PAUSING && Date.now() - pausedAt >= PAUSE_EVERY_MS
    if (paused) pausedAt = Date.now()
    const status = paused ? 429 : chance < Number(failing) ? 500 : 200
    const delayMs = chance > 0.9 ? random.whole(50, 250) : random.whole(0, 20)
    const arrival = {
      at: Date.now(),
      path,
      id: String(request.headers['webhook-id']),
      taken: status === 200,
      paused,
      genuine: isGenuine(path, body, request.headers),
      n: numberOf(body),
    }
    write(arrival)
    // The sender was gone before the response: killed, or timed out. It has to retry.
    response.once('close', () => {
      if (!response.writableFinished) write({ cut: keyOf(arrival) })
    })
    setTimeout(() => response.writeHead(status, paused ? { 'retry-after': '1' } : {}).end(), delayMs)
  })
})
server.keepAliveTimeout = 30_000
server.listen(Number(port), '127.0.0.1', () => {
  const address = server.address()
  process.send?.({ port: typeof address === 'object' && address ? address.port : 0 })
})

function write(line: object): void {
  writeSync(log, `${JSON.stringify(line)}\n`)
}

function verifiers(known: Record<string, string>): Map<string, Webhook> {
  return new Map(Object.entries(known).map(([path, secret]) => [path, new Webhook(secret)]))
}

function isGenuine(path: string, body: string, headers: NodeJS.Dict<string | string[]>): boolean {
  try {
    webhooks.get(path)?.verify(body, headers as Record<string, string>)
    return webhooks.has(path)
  } catch {
    return false
  }
}

function numberOf(body: string): number {
  const { data } = JSON.parse(body) as { data?: { n?: number } }
  return data?.n ?? -1
}
