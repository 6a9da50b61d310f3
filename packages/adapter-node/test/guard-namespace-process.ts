// Runs in a network namespace where every address is this machine: tries every case with real sockets. Reports on stdout.
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer as createHttpServer } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import { type Socket, connect, createServer } from 'node:net'
import type { UrlPolicy } from '@keepsend/engine'
import { createUndiciSender } from '../src/index.ts'
import { type Attempt, type GuardCase, type Report, guardCases, judgeCases, sameAddress } from './guard-cases.ts'
import { startNameServer } from './name-server.ts'
import { NOT_POSSIBLE, addOwnAddress, takeEveryAddress } from './namespace.ts'

/** The report of the process. */
export interface NamespaceReport {
  http: Report
  https: Report
  /** Addresses other than the first answer that a name was connected to, when the answer changed within the cache's time. */
  elsewhere: string[]
  /** An address of the interface, as a literal and by a name, and one that it does not have. */
  own: Record<string, Attempt['outcome']>
}

try {
  takeEveryAddress()
} catch {
  process.exit(NOT_POSSIBLE)
}

// The servers by scheme; in front of them a socket that records the address on which it accepted.
const pem = readFileSync(new URL('receiver.pem', import.meta.url))
let current: GuardCase | undefined
const answerer = {
  http: createHttpServer((request, response) => {
    const { status = 200, location } = current?.redirect ?? {}
    request.resume().on('end', () => response.writeHead(status, location === undefined ? {} : { location }).end('ok'))
  }),
  https: createHttpsServer({ key: pem, cert: pem }),
}
answerer.https.on('request', (request, response) => answerer.http.emit('request', request, response))

let scheme: 'http' | 'https' = 'http'
// The addresses on which connections were accepted.
const accepted = new Map<Socket, string>()
// Marks the test's own connections, so that they are not counted.
const MARK = 'control'
function accept(socket: Socket): void {
  accepted.set(
    socket.on('error', () => undefined),
    socket.localAddress ?? '',
  )
  socket.once('readable', () => {
    const said = socket.read() as Buffer | null
    if (said?.toString() === MARK) {
      accepted.delete(socket)
      socket.end('accepted')
      return
    }
    if (said) socket.unshift(said)
    answerer[scheme].emit('connection', socket)
  })
}

const ports = new Set([80, 443, 8443, ...guardCases.map(({ url }) => Number(URL.parse(url)?.port)).filter(Boolean)])
for (const port of ports) {
  const server = createServer(accept).listen(port, '::')
  await once(server, 'listening')
}

/** Whether a connection without a guard is accepted. */
async function reachable(address: string, port: number): Promise<boolean> {
  const socket = connect({ host: address, port, timeout: 1000 }, () => socket.write(MARK))
  return new Promise((resolve) => {
    socket.on('error', () => undefined).on('timeout', () => socket.destroy())
    socket.on('data', () => resolve(true)).on('close', () => resolve(false))
  })
}

const names = new Map<string, readonly string[]>()
const nameServer = await startNameServer((name) => ({ addresses: names.get(name) ?? [] }))
const newSender = (urlPolicy: UrlPolicy) => createUndiciSender({ urlPolicy, dnsServers: [nameServer.address] })

async function send(sender: ReturnType<typeof newSender>, url: string): Promise<Attempt> {
  accepted.clear()
  const result = await sender.send({ url, headers: {}, body: '{}', deadlineMs: 5000, maxResponseBytes: 1024 })
  // Accepted in order: the connections of the sender come before these.
  for (const port of new Set([Number(URL.parse(url)?.port) || 443, 443, 80])) {
    if (!(await reachable('127.0.0.1', port))) throw new Error(`nobody listens on ${port}`)
  }
  const refused = result.kind === 'error' && result.reason === 'blocked_address'
  const outcome = refused ? 'refused' : result.kind === 'response' ? 'answered' : 'network'
  return { outcome, connectedTo: [...accepted.values()] }
}

async function judge(how: 'http' | 'https'): Promise<Report> {
  scheme = how
  return judgeCases(
    {
      reachable,
      resolveTo: (name, addresses) => void names.set(name, addresses),
      async attempt(url, one, urlPolicy) {
        current = one
        // A new one each time: nothing cached, nothing pooled.
        const sender = newSender(urlPolicy)
        const attempt = await send(sender, url)
        await sender.close()
        return attempt
      },
    },
    how,
  )
}

const http = await judge('http')
const https = await judge('https')

current = undefined
names.set('flips.attacker.example.net', ['93.184.215.14'])
const sender = newSender({})
const pinned = (await send(sender, 'https://flips.attacker.example.net/')).connectedTo
names.set('flips.attacker.example.net', ['127.0.0.1'])
pinned.push(...(await send(sender, 'https://flips.attacker.example.net:8443/')).connectedTo)
await sender.close()

addOwnAddress('93.184.216.99')
names.set('own.attacker.example.net', ['93.184.216.99'])
const other = newSender({})
const own: NamespaceReport['own'] = {}
for (const host of ['93.184.216.99', 'own.attacker.example.net', '93.184.215.14']) {
  const { outcome, connectedTo } = await send(other, `https://${host}/`)
  own[host] = outcome
  if (outcome === 'refused' && connectedTo.length > 0) throw new Error(`${host} was connected to`)
}
await other.close()

const elsewhere = pinned.filter((address) => !sameAddress(address, '93.184.215.14'))
if (pinned.length !== 2) throw new Error(`${pinned.length} connections`)
const report: NamespaceReport = { http, https, elsewhere, own }
process.stdout.write(JSON.stringify(report), () => process.exit(0))
