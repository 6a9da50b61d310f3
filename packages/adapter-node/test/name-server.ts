import { type RemoteInfo, createSocket } from 'node:dgram'
import { once } from 'node:events'
import { isIPv6 } from 'node:net'

/** The records of a name: addresses of both families, after `CNAME`s. `null`: no such name. `'silent'`: no answer. */
export type NameRecords =
  | { addresses: readonly string[]; alias?: string; ttlSeconds?: number; afterMs?: number }
  | null
  | 'silent'

export interface NameServer {
  /** For `dnsServers`. */
  address: string
  /** The queried names in order, one entry each for A and AAAA. */
  questions: string[]
  close(): void
}

const A = 1
const CNAME = 5
const AAAA = 28
const NO_SUCH_NAME = 3

/** A real name server on a free port of 127.0.0.1 with answers of the test, which may be silent or change each time. */
export async function startNameServer(recordsOf: (name: string, family: 4 | 6) => NameRecords): Promise<NameServer> {
  const questions: string[] = []
  const socket = createSocket('udp4')
  socket.on('message', (query: Buffer, from: RemoteInfo) => {
    const { name, type, end } = readQuestion(query)
    questions.push(name)
    const records = recordsOf(name, type === AAAA ? 6 : 4)
    if (records === 'silent') return
    const answer = reply(query.subarray(0, end), type, records)
    setTimeout(() => socket.send(answer, from.port, from.address), records?.afterMs ?? 0)
  })
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { address: `127.0.0.1:${socket.address().port}`, questions, close: () => socket.close() }
}

function readQuestion(query: Buffer): { name: string; type: number; end: number } {
  const labels: string[] = []
  let at = 12
  for (let length = query.readUInt8(at); length > 0; length = query.readUInt8(at)) {
    labels.push(query.toString('latin1', at + 1, at + 1 + length))
    at += 1 + length
  }
  return { name: labels.join('.').toLowerCase(), type: query.readUInt16BE(at + 1), end: at + 5 }
}

function reply(question: Buffer, type: number, records: Exclude<NameRecords, 'silent'>): Buffer {
  const ttl = (records && records.ttlSeconds) ?? 60
  const answers: Buffer[] = []
  // 12: the offset of the question's name in the packet.
  if (records?.alias !== undefined) answers.push(record(Buffer.from([0xc0, 12]), CNAME, ttl, encodeName(records.alias)))
  const owner = records?.alias === undefined ? Buffer.from([0xc0, 12]) : encodeName(records.alias)
  for (const address of records?.addresses ?? []) {
    if (isIPv6(address) ? type === AAAA : type === A) answers.push(record(owner, type, ttl, encodeAddress(address)))
  }
  const header = Buffer.alloc(12)
  question.copy(header, 0, 0, 2)
  header.writeUInt16BE(0x8580 | (records ? 0 : NO_SUCH_NAME), 2)
  header.writeUInt16BE(1, 4)
  header.writeUInt16BE(answers.length, 6)
  return Buffer.concat([header, question.subarray(12), ...answers])
}

function record(owner: Buffer, type: number, ttlSeconds: number, data: Buffer): Buffer {
  const fixed = Buffer.alloc(10)
  fixed.writeUInt16BE(type, 0)
  fixed.writeUInt16BE(1, 2)
  fixed.writeUInt32BE(ttlSeconds, 4)
  fixed.writeUInt16BE(data.length, 8)
  return Buffer.concat([owner, fixed, data])
}

function encodeName(name: string): Buffer {
  return Buffer.concat([
    ...name.split('.').map((label) => Buffer.from([label.length, ...Buffer.from(label, 'latin1')])),
    Buffer.from([0]),
  ])
}

function encodeAddress(address: string): Buffer {
  if (!isIPv6(address)) return Buffer.from(address.split('.').map(Number))
  // The URL parser writes an IPv4 tail as two groups.
  const [head = '', tail] = new URL(`http://[${address}]`).hostname.slice(1, -1).split('::')
  const groups = (text: string) => (text === '' ? [] : text.split(':'))
  const after = tail === undefined ? [] : groups(tail)
  const before = groups(head)
  const zeros = Array.from({ length: 8 - before.length - after.length }, () => '0')
  return Buffer.from(
    [...before, ...zeros, ...after].flatMap((group) => [parseInt(group, 16) >> 8, parseInt(group, 16) & 255]),
  )
}
