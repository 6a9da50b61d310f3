import type { EngineRoutes } from '../engine-routes.ts'

const text = { type: 'string' } as const

const HEADERS = {
  ETag: {
    description: 'The version of the endpoint, for `If-Match`',
    required: true,
    schema: { ...text, pattern: '^"[1-9][0-9]*"$' },
    example: '"1"',
  },
  Location: {
    description: 'The URL of the new resource, relative to the URL of the request',
    required: true,
    schema: { ...text, format: 'uri-reference' },
    example: 'endpoints/ep_019ab2c4-0a1b-7c2d-8e3f-405162738495',
  },
  'Idempotency-Replayed': {
    description: '`true` if this is the answer of an earlier request under the same `Idempotency-Key`, else absent',
    schema: { ...text, const: 'true' },
    example: 'true',
  },
  'Retry-After': {
    description: 'Seconds to wait before the request is repeated, where repeating helps',
    schema: { type: 'integer', minimum: 1 },
    example: 1,
  },
  'WWW-Authenticate': { required: true, description: 'The way to authenticate', schema: text, example: 'Bearer' },
} as const

export type HeaderName = keyof typeof HEADERS

/** References to the headers of a response for the document; nothing for a response without any. */
export function withHeaders(...names: readonly HeaderName[]): { headers?: Record<string, { $ref: string }> } {
  if (names.length === 0) return {}
  return { headers: Object.fromEntries(names.map((name) => [name, { $ref: `#/components/headers/${name}` }])) }
}

export function registerHeaders({ openAPIRegistry }: Pick<EngineRoutes, 'openAPIRegistry'>): void {
  for (const [name, header] of Object.entries(HEADERS)) openAPIRegistry.registerComponent('headers', name, header)
}
