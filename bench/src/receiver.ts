// The receiver of every drain, in a process of its own: answers 200, counts, and says its port on its first line.
import { createServer } from 'node:http'

let count = 0
let waiting: { target: number; answer: () => void } | undefined

const server = createServer((request, response) => {
  if (request.method === 'POST') {
    request.resume()
    response.end()
    count++
    if (waiting && count >= waiting.target) waiting.answer()
    return
  }
  // GET /<n>: answers when n posts have arrived since the last reset, and resets.
  waiting = {
    target: Number(request.url?.slice(1)),
    answer: () => {
      waiting = undefined
      count = 0
      response.end()
    },
  }
  if (count >= waiting.target) waiting.answer()
})
server.keepAliveTimeout = 30_000
server.listen(0, '127.0.0.1', () => {
  const address = server.address()
  console.log(typeof address === 'object' && address ? address.port : '')
})
