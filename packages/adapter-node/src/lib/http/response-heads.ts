import type { Socket } from 'node:net'
import type { SendTiming } from '@keepsend/engine'
import { addSteps } from './connection-steps.ts'

/**
 * Records the head of each response on a socket. undici's parser is strict: an unexpected `100 Continue`, or a wrong framing of
 * head or body, ends the exchange with an error that has neither status nor headers. {@link brokenOff} returns the recorded
 * head for such an error.
 *
 * Interim responses (1xx) are removed before the parser sees them, except a 101 that switches protocols.
 */
export function watchHeads(socket: Socket): Socket {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null
  const write = socket.write.bind(socket)
  const destroy = socket.destroy.bind(socket)
  let requests = 0
  let owner = 0
  let state: 'idle' | 'start' | 'head' | 'body' = 'idle'
  let head: Buffer | undefined
  let failure: Error | undefined
  socket.on('error', (error) => (failure ??= error))

  // A write after a response begins the next request: a connection has one in flight.
  socket.write = ((data: string, encoding?: BufferEncoding, callback?: () => void) => {
    if (state !== 'start') {
      requests++
      owner = writing.exchange
      if (requests === 1) addSteps(socket, writing.timing)
      state = 'start'
      head = undefined
    }
    return write(data, encoding, callback)
  }) as Socket['write']

  socket.read = (size?: number) => {
    // The parser has consumed it by now; dropped so that an idle connection retains no body. Short responses, which most are,
    // are not scanned for the end of their head.
    if (state === 'head' && head && head.length > SHORT) endHead(head)
    const chunk = read(size)
    if (chunk === null || state === 'idle' || state === 'body') return chunk
    if (state === 'head') {
      if (head && !endHead(head) && head.length < MAX_HEAD) head = Buffer.concat([head, chunk])
      return chunk
    }
    head = withoutInterim(head ? Buffer.concat([head, chunk]) : chunk)
    if (!hasStatus(head) && head.length < MAX_HEAD) return null
    state = 'head'
    return head
  }

  /** False while the head is incomplete. */
  function endHead(bytes: Buffer): boolean {
    const isWhole = endOfHead(bytes) !== -1
    if (isWhole) {
      state = 'body'
      head = NO_BYTES
    }
    return isWhole
  }

  socket.destroy = (given?: Error) => {
    // A TLS alert also ends the connection, and undici would report the end, which has no reason: the first error counts.
    const error = given && (failure ?? given)
    if (error && state !== 'idle' && isOfOneConnection(error))
      ended.set(error, { owner, head, isStale: requests > 1 && head === undefined })
    return destroy(error)
  }
  return socket
}

const SHORT = 4096
const NO_BYTES = Buffer.alloc(0)

/** As much of a head as is read: what `maxHeaderSize` of the dispatcher is set to. */
export const MAX_HEAD = 65_536

const ended = new WeakMap<Error, { owner: number; head: Buffer | undefined; isStale: boolean }>()

/** The exchange whose request is written next, and its times. */
const writing: { exchange: number; timing: SendTiming } = { exchange: 0, timing: {} }

/**
 * Call before undici writes a request, in the same tick. An error of a connection also ends a request that undici has not
 * written yet; the recorded head then belongs to the request before.
 *
 * @param timing gets the steps of the connection, if this is its first request
 */
export function beginWriting(exchange: number, timing: SendTiming): void {
  writing.exchange = exchange
  writing.timing = timing
}

/** The head of a response, as far as it was read. */
export interface Head {
  status: number
  /** Alternating names and values. */
  headers: readonly Buffer[]
  /** The bytes after the head, with their framing. */
  rest: Buffer
  /** The head was read completely, or as far as the parser could. */
  isWhole: boolean
}

/** The head of the response that the error cut off, as far as it was read; undefined if the status was not read. */
export function brokenOff(error: unknown, exchange: number): Head | undefined {
  const end = endOf(error)
  const read = end?.owner === exchange && end.head ? readHead(end.head) : undefined
  return read && { ...read, isWhole: read.isWhole || isOfParser(error) }
}

/** Whether the connection had served an earlier request and was closed before it responded to this one: a new connection may succeed. */
export function wasStale(error: unknown, exchange: number): boolean {
  const end = endOf(error)
  return end !== undefined && (end.owner !== exchange || end.isStale)
}

function endOf(error: unknown) {
  return error instanceof Error ? ended.get(error) : undefined
}

/** Whether an error is of the parser, the socket or the system, not one that closes all connections together. */
function isOfOneConnection(error: Error): boolean {
  return isOfParser(error) || 'syscall' in error || ('code' in error && error.code === 'UND_ERR_SOCKET')
}

/** Whether the parser failed: the response is not valid HTTP. */
export function isOfParser(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = 'code' in error ? error.code : undefined
  return (
    error.name === 'HTTPParserError' ||
    // An assertion of undici about the response.
    code === 'ERR_ASSERTION' ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  )
}

// After `HTTP/1.1 `.
const STATUS_AT = 9
const STATUS_END = STATUS_AT + 3

/** Whether it starts with the status of a final response. */
function hasStatus(bytes: Buffer): boolean {
  return bytes.length >= STATUS_END && !isInterim(bytes)
}

function isInterim(bytes: Buffer): boolean {
  // Fast path: a status of 200 or more.
  if (bytes[0] === H && (bytes[STATUS_AT] ?? 0) > ONE) return false
  return INTERIM.test(bytes.toString('latin1', 0, LONGEST_STATUS_LINE)) && !isSwitch(bytes)
}

const INTERIM = /^HTTP\/\d(?:\.\d)? +1\d\d/i
// Includes the status, with some extra spaces.
const LONGEST_STATUS_LINE = 24

function isSwitch(bytes: Buffer): boolean {
  if (!/^\S+ +101/.test(bytes.toString('latin1', 0, LONGEST_STATUS_LINE))) return false
  const end = endOfHead(bytes)
  return end !== -1 && /\nupgrade:/i.test(bytes.toString('latin1', 0, end))
}

const ONE = 0x31
const H = 0x48

/** Removes the complete interim responses at the start, and the empty lines around them. */
function withoutInterim(bytes: Buffer): Buffer {
  let rest = withoutEmptyLines(bytes)
  while (rest.length >= STATUS_END && isInterim(rest)) {
    const end = endOfHead(rest)
    if (end === -1) break
    rest = withoutEmptyLines(rest.subarray(end))
  }
  return rest
}

function withoutEmptyLines(bytes: Buffer): Buffer {
  let at = 0
  while (bytes[at] === CARRIAGE_RETURN || bytes[at] === LINE_FEED) at++
  return at === 0 ? bytes : bytes.subarray(at)
}

/** The index after the empty line, with any line ends; -1 if there is none. */
function endOfHead(bytes: Buffer): number {
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (bytes[at + 1] === LINE_FEED) return at + 2
    if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return at + 3
  }
  return -1
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** Parses leniently: any line ends, any bytes in names and values. An incomplete last line is ignored. */
function readHead(bytes: Buffer): Head | undefined {
  const end = endOfHead(bytes)
  const text = bytes.toString('latin1', 0, end === -1 ? bytes.lastIndexOf(LINE_FEED) + 1 : end)
  const [first = '', ...lines] = text.split(/\r?\n/)
  const status = STATUS_LINE.exec(first)?.[1]
  if (status === undefined) return undefined
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon < 1 ? [] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  })
  const rest = end === -1 ? bytes.subarray(bytes.length) : bytes.subarray(end)
  return {
    status: Number(status),
    headers: headers.map((part) => Buffer.from(part, 'latin1')),
    rest,
    isWhole: end !== -1,
  }
}

// Any version and case, also after a byte order mark.
const STATUS_LINE = /^\W*(?:HTTP\/\d(?:\.\d)?|ICY) +(\d{3})(?!\d)/i
