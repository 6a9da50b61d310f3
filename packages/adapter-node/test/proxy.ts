import { once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, type Socket, connect } from 'node:net'
import { onTestFinished } from 'vitest'

export interface Proxy {
  port: number
  asked: { target: string; credentials: string | undefined }[]
  connections: () => number
  /** Those that are open. */
  open: () => number
}

/** A proxy that connects to the receiver for any target, or refuses, or is silent, or closes immediately. */
export async function startProxy(
  to: string,
  answer: 'connect' | 'refuse' | 'nothing' | 'close' = 'connect',
): Promise<Proxy> {
  const asked: Proxy['asked'] = []
  const open = new Set<Socket>()
  let connections = 0
  const proxy = createServer().on('connect', (request, client: Socket) => {
    asked.push({ target: request.url ?? '', credentials: request.headers['proxy-authorization'] })
    client.on('error', () => undefined)
    if (answer === 'nothing') return void client.resume().on('end', () => client.destroy())
    if (answer === 'close') return void client.destroy()
    if (answer === 'refuse') return void client.end('HTTP/1.1 403 Forbidden\r\n\r\n')
    const onward = connect(Number(new URL(to).port), '127.0.0.1', () => {
      client.write('HTTP/1.1 200 Connected\r\n\r\n')
      onward.pipe(client).pipe(onward)
    })
    onward.on('error', () => undefined)
  })
  proxy.on('connection', (socket: Socket) => {
    connections++
    open.add(socket)
    socket.once('close', () => open.delete(socket))
  })
  proxy.listen(0, '127.0.0.1')
  await once(proxy, 'listening')
  onTestFinished(() => {
    proxy.close()
    open.forEach((socket) => socket.destroy())
  })
  const { port } = proxy.address() as AddressInfo
  return { port, asked, connections: () => connections, open: () => open.size }
}
