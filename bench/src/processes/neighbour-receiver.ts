// The receivers of one side in the workload `neighbours`: the first part of the path selects their behaviour.
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { answerAsks } from '../ask.ts'
import type { Arrival, ReceiverAsks, ReceiverSetup } from '../neighbours/protocol.ts'

const { records } = JSON.parse(process.argv[2] ?? '{}') as ReceiverSetup

type Behaviour = (response: ServerResponse, request: IncomingMessage, argument: number) => void

const behaviours: Record<string, Behaviour> = {
  /** `/after/30/…`: 200 after 30 ms. */
  after(response, _request, ms) {
    if (ms === 0) deliver(response)
    else setTimeout(() => deliver(response), ms)
  },
  /** Takes requests and never answers. */
  silent() {},
  /** `/throttle/1/…`: accepts this many a second in all; any more get a 429 with a `Retry-After` of a second. */
  throttle(response, _request, perSecond) {
    const now = performance.now()
    if (now < throttledUntil) {
      response.writeHead(429, { 'retry-after': '1' }).end()
      return
    }
    throttledUntil = now + 1000 / perSecond
    deliver(response)
  },
  /** 500 for events of the type `bad`, 200 for others. */
  picky(response, request) {
    let body = ''
    request.on('data', (chunk: Buffer) => (body += chunk.toString()))
    request.once('end', () => {
      if (body.startsWith('{"type":"bad"')) response.writeHead(500).end()
      else deliver(response)
    })
  },
}

let throttledUntil = 0
let delivered = 0
const seen = new Set<string>()
let arrivals: Arrival[] = []

function deliver(response: ServerResponse): void {
  delivered++
  response.end()
}

const server = createServer((request, response) => {
  const path = request.url ?? ''
  if (records) note(path, String(request.headers['webhook-id']), Number(process.hrtime.bigint()) / 1e6)
  const [, behaviour = '', argument = ''] = path.split('/')
  behaviours[behaviour]?.(response, request, Number(argument))
  request.resume()
})
server.keepAliveTimeout = 30_000

function note(path: string, eventId: string, atMs: number): void {
  const key = `${path} ${eventId}`
  if (seen.has(key)) return
  seen.add(key)
  arrivals.push([path, eventId, atMs])
}

await answerAsks<ReceiverAsks>(async () => {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    port: async () => (server.address() as AddressInfo).port,
    delivered: async () => delivered,
    async arrivals() {
      const noted = arrivals
      arrivals = []
      return noted
    },
  }
})
