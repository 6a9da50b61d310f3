import type { Context, MiddlewareHandler } from 'hono'
import { EngineError } from '../errors.ts'
import { MAX_DEPTH } from '../publish/event.ts'
import { checkMediaType } from './media-type.ts'

/** 256 KiB, the bound of one event. */
export const MAX_BODY_BYTES = 262_144

/** The depth of an event's data, inside an event, in the `data` of a list. */
const MAX_BODY_DEPTH = MAX_DEPTH + 3

/**
 * Reads and validates a JSON body: at most `maxBytes` (`content-length` is not trusted), valid UTF-8, valid JSON, and free of
 * values that would break or change its readers. The route can read it again.
 *
 * @throws {EngineError} `unsupported_media_type`, `payload_too_large` or `invalid_request`
 */
export function readBody(maxBytes: number): MiddlewareHandler<{ Variables: { bodyText: string } }> {
  return async (c, next) => {
    // zod-openapi ignores a body of any other type.
    checkMediaType(c.req.header('content-type') ?? '')
    const text = decode(await takeBody(c, maxBytes))
    checkJson(parse(text))
    c.set('bodyText', text)
    // zod-openapi accepts fewer spellings than `checkMediaType`.
    c.req.raw.headers.set('content-type', 'application/json')
    await next()
  }
}

/**
 * Reads the bytes of the body; the route can read them again.
 *
 * @throws {EngineError} `payload_too_large`
 */
export async function takeBody(c: Context, maxBytes: number): Promise<Uint8Array> {
  const request = c.req.raw
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  // A host that has read the body left it with Hono.
  const bytes = request.bodyUsed ? new Uint8Array(await c.req.arrayBuffer()) : await readUpTo(request.body, maxBytes)
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  // From its parts: a host may pass a Proxy of the request, as Next.js does, which `new Request` cannot copy.
  const { url, method, headers } = request
  c.req.raw = new Request(url, { method, headers, body: bytes })
  return bytes
}

async function readUpTo(body: ReadableStream<Uint8Array> | null, maxBytes: number): Promise<Uint8Array<ArrayBuffer>> {
  if (!body) return new Uint8Array()
  const chunks: Uint8Array[] = []
  let size = 0
  const reader = body.getReader()
  for (;;) {
    const { done, value } = await reader.read()
    if (done) break
    size += value.length
    if (size > maxBytes) {
      // The rest is not read. Not awaited, because the client may never end the body.
      reader.cancel().catch(() => undefined)
      throw tooLarge(maxBytes)
    }
    chunks.push(value)
  }
  const whole = new Uint8Array(size)
  let at = 0
  for (const chunk of chunks) {
    whole.set(chunk, at)
    at += chunk.length
  }
  return whole
}

function decode(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: false }).decode(bytes)
  } catch {
    throw new EngineError('invalid_request', 'the body is not UTF-8')
  }
}

function parse(text: string): unknown {
  if (text.trim() === '') throw new EngineError('invalid_request', 'the body is empty: send JSON, at least {}')
  try {
    return JSON.parse(text)
  } catch {
    // Without the parser's message: it quotes the body.
    throw new EngineError('invalid_request', 'the body is not valid JSON')
  }
}

/** Level by level, without recursion: the depth of the body has no bound yet. */
function checkJson(value: unknown): void {
  let level = [value].filter(isContainer)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_BODY_DEPTH) {
      throw new EngineError('invalid_request', `the body is nested more than ${MAX_BODY_DEPTH} levels deep`)
    }
    const next: object[] = []
    for (const container of level) {
      // A property here, but an assignment of it would set a prototype, in this process or the receiver's.
      if (Object.hasOwn(container, '__proto__')) {
        throw new EngineError('invalid_request', 'the body has a key named __proto__: rename it')
      }
      for (const one of Object.values(container) as unknown[]) if (isContainer(one)) next.push(one)
    }
    level = next
  }
}

function isContainer(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}

function tooLarge(maxBytes: number): EngineError {
  return new EngineError('payload_too_large', `the body of this route must be at most ${maxBytes} bytes`)
}
