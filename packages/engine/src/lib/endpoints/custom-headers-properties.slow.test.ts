import { once } from 'node:events'
import { Agent, type IncomingMessage, createServer, request, validateHeaderName, validateHeaderValue } from 'node:http'
import type { AddressInfo } from 'node:net'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { checkHeaders } from './custom-headers.ts'
import cases from '../url-policy/parsing-cases.json' with { type: 'json' }

const RUNS = 100_000

const letters = 'abcXYZ019-_.!#$%&*+^`|~\'":;,()<>@[]{}/= \t\r\n\0éÿ\u212a'
const known = [
  'host',
  'Connection',
  'content-length',
  'Content-Type',
  'transfer-encoding',
  'te',
  'Trailer',
  'upgrade',
  'expect',
  'keep-alive',
  'proxy-authorization',
  'forwarded',
  'x-forwarded-for',
  'cf-worker',
  'webhook-id',
  'webhook-signature',
  'user-agent',
  'date',
  'via',
  'accept-encoding',
  'sec-fetch-mode',
  'keepsend-x',
  '__proto__',
  'constructor',
  'authorization',
  'cookie',
  'x-token',
  'accept',
  'traceparent',
  'toString',
]
const text = (maxLength: number) => fc.string({ unit: fc.constantFrom(...letters.split('')), minLength: 1, maxLength })
const name = fc.oneof(
  fc.constantFrom(...known),
  text(8),
  fc
    .string({ unit: fc.constantFrom(...'abcxyz-019'.split('')), minLength: 1, maxLength: 12 })
    .map((rest) => `x-${rest}`),
)
const value = fc.oneof(text(20), fc.string({ minLength: 1, maxLength: 20 }))

// Written independently of the source: headers of the connection, and Keepsend's own.
const FORBIDDEN =
  /^(host|connection|content-.*|transfer-encoding|te|trailer|upgrade|expect|keep-alive|proxy-.*|forwarded|x-forwarded-.*|cf-.*|webhook-.*|keepsend-.*|user-agent|date|via|accept-encoding|sec-.*|__proto__)$/i

function accepted(given: string, content: string): [name: string, value: string] | undefined {
  try {
    return Object.entries(checkHeaders(Object.fromEntries([[given, content]])))[0]
  } catch {
    return undefined
  }
}

/** A receiver that answers with the header lines that it received, unchanged. */
async function echo(): Promise<{ port: number; agent: Agent }> {
  const server = createServer((incoming, response) => response.end(JSON.stringify(incoming.rawHeaders)))
  const agent = new Agent({ keepAlive: true, maxSockets: 4 })
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    agent.destroy()
    server.close()
    server.closeAllConnections()
  })
  return { port: (server.address() as AddressInfo).port, agent }
}

async function byHttp(port: number, agent: Agent, headers: Record<string, string>): Promise<string[]> {
  const [response] = (await once(request({ port, agent, headers, host: '127.0.0.1' }).end(), 'response')) as [
    IncomingMessage,
  ]
  let body = ''
  for await (const chunk of response.setEncoding('utf8')) body += chunk
  return JSON.parse(body) as string[]
}

async function byFetch(port: number, headers: Record<string, string>): Promise<string[]> {
  return (await (await fetch(`http://127.0.0.1:${port}/`, { headers })).json()) as string[]
}

const byName = ([one = '']: readonly string[], [other = '']: readonly string[]): number => (one < other ? -1 : 1)

/** The lines with one of the names, ordered by name. */
function ofOurs(raw: readonly string[], headers: Record<string, string>): string[][] {
  const lines: string[][] = []
  for (let at = 0; at < raw.length; at += 2) {
    const line = [raw[at]?.toLowerCase() ?? '', raw[at + 1] ?? '']
    if (Object.hasOwn(headers, line[0] ?? '')) lines.push(line)
  }
  return lines.sort(byName)
}

describe('any header of an endpoint', { timeout: 60_000 }, () => {
  it('that is accepted has no forbidden name, is one line to Node, and arrives unchanged through node:http and undici', async () => {
    const through: [string, string][] = []
    fc.assert(
      fc.property(name, value, (given, content) => {
        const header = accepted(given, content)
        if (!header) return
        if (header[0] !== given.toLowerCase() || header[1] !== content) throw new Error('changed')
        if (FORBIDDEN.test(header[0])) throw new Error(`${header[0]} is forbidden`)
        validateHeaderName(header[0])
        validateHeaderValue(...header)
        through.push(header)
      }),
      { numRuns: RUNS },
    )
    expect(through.length).toBeGreaterThan(RUNS / 20)
    expect(through.length).toBeLessThan(RUNS)

    const { port, agent } = await echo()
    for (let at = 0, round = 0; at < through.length; at += 32, round++) {
      // One of each name: a second would replace the first.
      const headers = checkHeaders(Object.fromEntries(new Map(through.slice(at, at + 32))))
      const raw = await (round % 2 === 0 ? byHttp(port, agent, headers) : byFetch(port, headers))
      expect(ofOurs(raw, headers)).toEqual(Object.entries(headers).sort(byName))
    }
  })

  it.each(cases.headers)('%j: %j, accepted: %s', (given, content, wanted) => {
    expect(accepted(String(given), String(content)) !== undefined).toBe(wanted)
  })
})
