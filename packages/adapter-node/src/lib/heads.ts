import type { Socket } from 'node:net'

/**
 * What undici's parser makes of answers is strict: it ends the exchange at a `100 Continue` that nobody asked for, and at a
 * head or a body whose framing is wrong, and says neither status nor headers. So each socket keeps the head of its answer,
 * and an error that ends the exchange is asked for it: {@link brokenOff}.
 *
 * Interim answers (1xx) are taken out before the parser sees them; 101 alone is left to it.
 */
export function watchHeads(socket: Socket): Socket {
  const read = socket.read.bind(socket) as (size?: number) => Buffer | null
  const write = socket.write.bind(socket)
  const destroy = socket.destroy.bind(socket)
  let answers = 0
  let state: 'idle' | 'start' | 'head' | 'body' = 'idle'
  let head: Buffer | undefined
  let failure: Error | undefined
  socket.on('error', (error) => (failure ??= error))

  // Whoever writes begins a request: one is under way at a time.
  socket.write = ((...args: Parameters<Socket['write']>) => {
    if (state === 'idle' || state === 'body') {
      if (state === 'body') answers++
      state = 'start'
      head = undefined
    }
    return write(...args)
  }) as Socket['write']

  socket.read = (size?: number) => {
    const chunk = read(size)
    if (chunk === null || state === 'idle' || state === 'body') return chunk
    const isStart = state === 'start'
    head = head ? Buffer.concat([head, chunk]) : chunk
    if (isStart) {
      head = withoutInterim(head)
      if (!hasStatus(head)) return null
    }
    state = endOfHead(head) === -1 && head.length < MAX_HEAD ? 'head' : 'body'
    return isStart ? head : chunk
  }

  socket.destroy = (given?: Error) => {
    // An alert of TLS ends the connection too, and undici would go by the end, which says nothing.
    const error = given && (failure ?? given)
    if (error && state !== 'idle' && isOfOneConnection(error))
      ended.set(error, { head, isStale: answers > 0 && head === undefined })
    return destroy(error)
  }
  return socket
}

/** As much of a head as is read: what `maxHeaderSize` of the dispatcher is set to. */
export const MAX_HEAD = 65_536

const ended = new WeakMap<Error, { head: Buffer | undefined; isStale: boolean }>()

/** The head of an answer, as far as it was read. */
export interface Head {
  status: number
  /** Names and values in turn. */
  headers: readonly Buffer[]
}

/** What was read of the answer in an exchange that this error ended; undefined when its status was not. */
export function brokenOff(error: unknown): Head | undefined {
  const head = error instanceof Error ? ended.get(error)?.head : undefined
  // A connection that broke inside a head said nothing yet; what the parser gave up on was said.
  const isWhole = head && (endOfHead(head) !== -1 || isOfParser(error))
  return isWhole ? readHead(head) : undefined
}

/** Whether the error ended a connection that had answered before, and did not begin to answer this time. */
export function wasStale(error: unknown): boolean {
  return error instanceof Error && ended.get(error)?.isStale === true
}

/** Of the parser, of undici's look at the socket, or of the system; not one with which all connections are ended together. */
function isOfOneConnection(error: Error): boolean {
  return isOfParser(error) || 'syscall' in error || ('code' in error && error.code === 'UND_ERR_SOCKET')
}

function isOfParser(error: unknown): boolean {
  if (!(error instanceof Error)) return false
  const code: unknown = 'code' in error ? error.code : undefined
  return (
    error.name === 'HTTPParserError' ||
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
  return bytes[STATUS_AT] === ONE && bytes.toString('latin1', STATUS_AT, STATUS_END) !== '101'
}

const ONE = 0x31

/** Without the interim answers at its beginning that are whole. */
function withoutInterim(bytes: Buffer): Buffer {
  let rest = bytes
  while (rest.length >= STATUS_END && isInterim(rest)) {
    const end = endOfHead(rest)
    if (end === -1) break
    rest = rest.subarray(end)
  }
  return rest
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

/** As it comes: line ends of any kind, names and values of any bytes. */
function readHead(bytes: Buffer): Head | undefined {
  const end = endOfHead(bytes)
  const [first = '', ...lines] = bytes.toString('latin1', 0, end === -1 ? bytes.length : end).split(/\r?\n/)
  const status = /^HTTP\/\d\.\d (\d{3})(?!\d)/.exec(first)?.[1]
  if (status === undefined) return undefined
  const headers = lines.flatMap((line) => {
    const colon = line.indexOf(':')
    return colon < 1 ? [] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()]
  })
  return { status: Number(status), headers: headers.map((text) => Buffer.from(text, 'latin1')) }
}
