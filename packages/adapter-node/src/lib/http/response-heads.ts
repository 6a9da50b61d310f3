import type { Socket } from 'node:net'

/**
 * What undici's parser makes of answers is strict: it ends the exchange at a `100 Continue` that nobody asked for, and at a
 * head or a body whose framing is wrong, and says neither status nor headers. So each socket keeps the head of its answer,
 * and an error that ends the exchange is asked for it: {@link brokenOff}.
 *
 * Interim answers (1xx) are taken out before the parser sees them, but for a 101 that switches to another protocol.
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

  // Whoever writes begins a request: one is under way at a time.
  socket.write = ((data: string, encoding?: BufferEncoding, callback?: () => void) => {
    if (state !== 'start') {
      requests++
      owner = writing
      state = 'start'
      head = undefined
    }
    return write(data, encoding, callback)
  }) as Socket['write']

  socket.read = (size?: number) => {
    // The parser has read it by now, and an idle connection keeps no body. Most answers are short, and not looked through.
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

  /** False while it is not whole. */
  function endHead(bytes: Buffer): boolean {
    const isWhole = endOfHead(bytes) !== -1
    if (isWhole) {
      state = 'body'
      head = NO_BYTES
    }
    return isWhole
  }

  socket.destroy = (given?: Error) => {
    // An alert of TLS ends the connection too, and undici would go by the end, which says nothing.
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

/** Whose request is written next. */
let writing = 0

/**
 * To be told before undici writes a request, in the same turn. With the error of a connection undici also ends a request
 * that it has not written yet, and the answer to the one before is none to that.
 */
export function beginWriting(exchange: number): void {
  writing = exchange
}

/** The head of an answer, as far as it was read. */
export interface Head {
  status: number
  /** Names and values in turn. */
  headers: readonly Buffer[]
  /** What came with it, as it was framed. */
  rest: Buffer
  /** All of it was read, or as much as the parser could read. */
  isWhole: boolean
}

/** The head of the answer to this exchange, which the error ended, as far as it was read; undefined when its status was not. */
export function brokenOff(error: unknown, exchange: number): Head | undefined {
  const end = endOf(error)
  const read = end?.owner === exchange && end.head ? readHead(end.head) : undefined
  return read && { ...read, isWhole: read.isWhole || isOfParser(error) }
}

/** Whether the connection had answered before, and then neither took this exchange nor began to answer it. */
export function wasStale(error: unknown, exchange: number): boolean {
  const end = endOf(error)
  return end !== undefined && (end.owner !== exchange || end.isStale)
}

function endOf(error: unknown) {
  return error instanceof Error ? ended.get(error) : undefined
}

/** Of the parser, of undici's look at the socket, or of the system; not one with which all connections are ended together. */
function isOfOneConnection(error: Error): boolean {
  return isOfParser(error) || 'syscall' in error || ('code' in error && error.code === 'UND_ERR_SOCKET')
}

/** The parser gave the answer up: what it read was not, or not all, HTTP. */
export function isOfParser(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = 'code' in error ? error.code : undefined
  return (
    error.name === 'HTTPParserError' ||
    // What undici takes for granted of an answer.
    code === 'ERR_ASSERTION' ||
    code === 'UND_ERR_HEADERS_OVERFLOW' ||
    code === 'UND_ERR_RES_CONTENT_LENGTH_MISMATCH'
  )
}

// Behind `HTTP/1.1 `.
const STATUS_AT = 9
const STATUS_END = STATUS_AT + 3

/** Whether it begins with the status of an answer that is the final one. */
function hasStatus(bytes: Buffer): boolean {
  return bytes.length >= STATUS_END && !isInterim(bytes)
}

function isInterim(bytes: Buffer): boolean {
  // As most begin: with a status that is none.
  if (bytes[0] === H && (bytes[STATUS_AT] ?? 0) > ONE) return false
  return INTERIM.test(bytes.toString('latin1', 0, LONGEST_STATUS_LINE)) && !isSwitch(bytes)
}

const INTERIM = /^HTTP\/\d(?:\.\d)? +1\d\d/i
// Up to the status, with some spaces.
const LONGEST_STATUS_LINE = 24

function isSwitch(bytes: Buffer): boolean {
  if (!/^\S+ +101/.test(bytes.toString('latin1', 0, LONGEST_STATUS_LINE))) return false
  const end = endOfHead(bytes)
  return end !== -1 && /\nupgrade:/i.test(bytes.toString('latin1', 0, end))
}

const ONE = 0x31
const H = 0x48

/** Without the interim answers at its beginning that are whole, and the empty lines around them. */
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

/** The place behind the empty line, whatever its line ends; -1 while there is none. */
function endOfHead(bytes: Buffer): number {
  for (let at = bytes.indexOf(LINE_FEED); at !== -1; at = bytes.indexOf(LINE_FEED, at + 1)) {
    if (bytes[at + 1] === LINE_FEED) return at + 2
    if (bytes[at + 1] === CARRIAGE_RETURN && bytes[at + 2] === LINE_FEED) return at + 3
  }
  return -1
}

const LINE_FEED = 0x0a
const CARRIAGE_RETURN = 0x0d

/** As it comes: line ends of any kind, names and values of any bytes. Its last line counts only if it has an end. */
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

// Of any version and case, behind a byte order mark too.
const STATUS_LINE = /^\W*(?:HTTP\/\d(?:\.\d)?|ICY) +(\d{3})(?!\d)/i
