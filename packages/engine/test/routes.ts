import { expect } from 'vitest'
import { OPERATOR_SCOPES, SCOPES, type Scope } from '../src/index.ts'
import type { Document, Operation } from './document.ts'
import { type Rig, rig } from './rig.ts'

export async function documentOf({ engine }: Pick<Rig, 'engine'>): Promise<Document> {
  return (await (await engine.routes.request('/openapi.json')).json()) as Document
}

export interface Route {
  method: string
  /** As in the document: `/endpoints/{id}`. */
  path: string
  scope: Scope | undefined
  takesBody: boolean
}

/** Every route of the document, with the scope that its description names. */
export function routesOf({ paths }: Document): Route[] {
  return Object.entries(paths).flatMap(([path, operations]) =>
    Object.entries(operations).map(([method, { description = '', requestBody }]) => ({
      method: method.toUpperCase(),
      path,
      scope: [...SCOPES, ...OPERATOR_SCOPES].find((scope) => description.includes(`\`${scope}\``)),
      takesBody: requestBody !== undefined,
    })),
  )
}

export function withBody(document: Document): Route[] {
  return routesOf(document).filter(({ takesBody }) => takesBody)
}

export function operationOf({ paths }: Document, method: string, path: string): Operation {
  const operation = paths[path]?.[method.toLowerCase()]
  if (!operation) throw new Error(`the document has no ${method} ${path}`)
  return operation
}

/** A valid query for each route that requires one, or needs one to answer each of its problems. */
export const GOOD_QUERIES: Record<string, string> = {
  '/events': '?searchPath=data.id&searchValue=m1',
  '/statistics': '?since=2026-11-23T12:00:00Z&by=hour',
  '/statistics/endpoints': '?since=2026-11-23T12:00:00Z&endpointIds=ep_1',
}

/** A valid body for each route that takes one; tests fail for a new route until it has one here. */
export const GOOD_BODIES: Record<string, unknown> = {
  'POST /events': { type: 'message.created', data: { id: 'm1' } },
  'POST /endpoints': { url: 'https://hooks.example.com/' },
  'PATCH /endpoints/{id}': { description: 'changed' },
  'PUT /endpoints-by-uid/{uid}': { url: 'https://hooks.example.com/' },
  'POST /endpoints/{id}/pause': {},
  'POST /endpoints/{id}/match': { object: 'event', type: 'message.created', data: { id: 'm1' } },
  'POST /endpoints/{id}/rotate-secret': {},
  'POST /endpoints/{id}/test/send': { type: 'message.created', data: { id: 'm1' } },
  // Nothing has failed by then, so the replays are completed.
  'POST /endpoints/{id}/replay': { until: '2000-01-01T00:00:00Z' },
  'POST /replays': { what: 'failed', until: '2000-01-01T00:00:00Z' },
  // Nobody's event.
  'POST /erasures': { what: 'event', eventId: 'evt_01890000-0000-7000-8000-000000000000' },
  'POST /problems/{id}/acknowledge': { by: 'dana' },
  'POST /api-keys': { name: 'backend' },
  'POST /api-keys/{id}/rotate': {},
}

/** Whether a route changes something: each that is no `GET`, except one that takes an event and answers. */
export function changesSomething({ method, path }: { method: string; path: string }): boolean {
  return method !== 'GET' && path !== '/endpoints/{id}/match'
}

/** The management API as clients of two workspaces see it. */
export async function api(options: Parameters<typeof rig>[0] = {}) {
  const made = await rig(options)
  const keys = {
    w1: (await made.engine.apiKeys.create({ workspaceId: 'w1', scopes: SCOPES })).key,
    w2: (await made.engine.apiKeys.create({ workspaceId: 'w2', scopes: SCOPES })).key,
  }
  const call = async (method: string, path: string, body?: unknown, key: string | null = keys.w1): Promise<Response> =>
    made.engine.routes.request(path, {
      method,
      headers: { 'content-type': 'application/json', ...(key !== null && { authorization: `Bearer ${key}` }) },
      ...(body !== undefined && { body: typeof body === 'string' ? body : JSON.stringify(body) }),
    })
  return { ...made, keys, call }
}

/** Status and body of a JSON answer. */
export async function read(
  response: Response | Promise<Response>,
): Promise<{ status: number; body: Record<string, unknown> }> {
  const answer = await response
  const text = await answer.text()
  return { status: answer.status, body: (text === '' ? {} : JSON.parse(text)) as Record<string, unknown> }
}

/** The answer to a refused request. */
export const problem = (status: number, code: string) => ({
  status,
  body: expect.objectContaining({ type: 'about:blank', status, code }),
})
