import type { Context, MiddlewareHandler } from 'hono'
import { EngineError } from '../errors.ts'
import { MAX_DEPTH } from '../publish/event.ts'
import { checkMediaType } from './media-type.ts'

/** 256 KiB, as much as one event may be. */
export const MAX_BODY_BYTES = 262_144

/** A list, its `data`, an event in it, and the data of that. */
const MAX_BODY_DEPTH = MAX_DEPTH + 3

/**
 * Reads a JSON body: as many bytes as it may have and no more, whatever its length says of itself, then as UTF-8, as
 * JSON, and for what would break or change whoever works with it. The route finds it read.
 *
 * @throws {EngineError} `unsupported_media_type`, `payload_too_large` or `invalid_request`
 */
export function readBody(maxBytes: number): MiddlewareHandler<{ Variables: { bodyText: string } }> {
  return async (c, next) => {
    // Any other body would be read as none at all.
    checkMediaType(c.req.header('content-type') ?? '')
    const text = decode(await takeBody(c, maxBytes))
    checkJson(parse(text))
    c.set('bodyText', text)
    // What reads it next knows fewer spellings.
    c.req.raw.headers.set('content-type', 'application/json')
    await next()
  }
}

/**
 * The body's bytes, which the route finds again.
 *
 * @throws {EngineError} `payload_too_large`
 */
export async function takeBody(c: Context, maxBytes: number): Promise<Uint8Array> {
  const request = c.req.raw
  if (Number(c.req.header('content-length') ?? 0) > maxBytes) throw tooLarge(maxBytes)
  // A host that looked at the body before has left it with Hono.
  const bytes = request.bodyUsed ? new Uint8Array(await c.req.arrayBuffer()) : await readUpTo(request.body, maxBytes)
  if (bytes.length > maxBytes) throw tooLarge(maxBytes)
  // Of its parts: a host may stand a Proxy before the request, as Next.js does, which `new Request` cannot copy.
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
      // Nobody reads what follows. Not awaited: its sender decides when that is done, if ever.
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
  try {
    return JSON.parse(text)
  } catch {
    // Not what the parser says: it quotes the body.
    throw new EngineError('invalid_request', 'the body is not JSON')
  }
}

/** Level by level: what has no bound is not walked by a function that calls itself. */
function checkJson(value: unknown): void {
  let level = [value].filter(isContainer)
  for (let depth = 1; level.length > 0; depth++) {
    if (depth > MAX_BODY_DEPTH) {
      throw new EngineError('invalid_request', `the body is nested more than ${MAX_BODY_DEPTH} deep`)
    }
    const next: object[] = []
    for (const container of level) {
      // An own key here; the prototype of whatever it is assigned to, in this process or a receiver's.
      if (Object.hasOwn(container, '__proto__')) {
        throw new EngineError('invalid_request', 'the body has a key named __proto__: give it another name')
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
  return new EngineError('payload_too_large', `a request to this route is at most ${maxBytes} bytes`)
}
