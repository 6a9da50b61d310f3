// The receiver of most workloads, in a process of its own: answers 200 and counts. Its first line is its port. It ends
// when its parent does.
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'

let count = 0
let waiting: { target: number; answer: () => void } | undefined
/** `webhook-id` and ms on the machine's monotonic clock; recorded only on request. */
let arrivals: [string, number][] | undefined

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    arrivals?.push([String(request.headers['webhook-id']), Number(process.hrtime.bigint()) / 1e6])
    request.resume()
    response.end()
    count++
    if (waiting && count >= waiting.target) waiting.answer()
    return
  }
  const [, ask = '', argument = ''] = request.url?.split('/') ?? []
  if (ask === 'received') {
    // Answers when this many POSTs have arrived since the last reset.
    waiting = {
      target: Number(argument),
      answer() {
        waiting = undefined
        response.end(String(count))
      },
    }
    if (count >= waiting.target) waiting.answer()
    return
  }
  if (ask === 'cpu') {
    const { user, system } = process.cpuUsage()
    response.end(String((user + system) / 1000))
    return
  }
  // Starts a round: forgets everything before. With `record` it records each arrival from here on.
  const recorded = arrivals ?? []
  count = 0
  waiting = undefined
  arrivals = argument === 'record' ? [] : undefined
  response.end(JSON.stringify(recorded))
})
server.keepAliveTimeout = 30_000

server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))
process.stdin.resume().once('end', () => process.exit())
