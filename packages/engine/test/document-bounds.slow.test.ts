// The API accepts requests that the document allows and refuses others: at each bound of each property, and beyond it.
import { describe, expect, it } from 'vitest'
import { readDocument } from './document-check.ts'
import type { Document, Schema } from './document.ts'
import { GOOD_BODIES, api, withBody } from './routes.ts'

/** Rules that the document has only in words: there the API may refuse what the schema allows, never the reverse. */
const IN_WORDS = new Set([
  'type', // which are Keepsend's own
  'scheme', // which the endpoint has
  'scopes', // which the key has
  'url', // where it may lead
  'uid', // which is free
  'metadata', // which keys it may have
  'secret', // what it is made of
  'eventVersion', // which the catalog has
  'since', // which is before until
  'signatures', // with the secrets that the endpoint has
  'headers', // which names are free
  'compatSignature',
  'auth',
  'tls',
  'raw', // without `data`
  'eventTypeHeader', // as `headers`
  'filter', // paths and operators
  'endpointId', // which the workspace has
])

/** Values around the bounds of a schema. */
function around(document: Document, schema: Schema): unknown[] {
  const { $ref, type, items, properties, oneOf = [] } = schema
  if ($ref !== undefined) return around(document, document.components.schemas[$ref.split('/').at(-1) ?? ''] ?? {})
  const { minimum = 0, maximum = 10, minLength = 1, maxLength = 1000, minItems = 0, maxItems = 10 } = schema
  const anything = ['', 'a', null, 1, 1.5, true, [], {}, ['a'], [null], ...(schema.enum ?? [])]
  const values = oneOf.flatMap((one) => around(document, one))
  const types = [type].flat()
  if (types.includes('integer')) values.push(minimum - 1, minimum, maximum, maximum + 1, String(maximum))
  if (types.includes('string')) values.push(...texts([minLength - 1, minLength, maxLength, maxLength + 1]))
  if (types.includes('array') && items) {
    const inside = around(document, items)
    values.push(...inside.map((one) => [one]))
    const [good] = schema.items?.enum ?? (items.type === 'integer' ? [items.minimum] : ['a'])
    values.push(...[minItems, maxItems, maxItems + 1].map((length) => Array.from({ length }, () => good)))
  }
  for (const [name, one] of Object.entries(properties ?? {})) {
    values.push(...around(document, one).map((value) => ({ header: 'x-old', [name]: value })))
  }
  return [...values, ...anything]
}

function texts(lengths: number[]): string[] {
  return [...lengths.map((length) => 'a'.repeat(Math.max(0, length))), ...NAMES, ...TIMES, EVENT_ID]
}

const NAMES = ['a.b', 'a.*', '*', '*.a', 'a b', 'é', 'keepsend.a', '.a', `${'a.'.repeat(15)}a`, `${'a.'.repeat(16)}a`]
const TIMES = [
  '2026-11-23T12:00:00Z',
  '2026-11-23T12:00:00.123456+02:00',
  '2026-11-23T12:00Z',
  '2026-11-23',
  '2026-02-30T12:00:00Z',
]
const EVENT_ID = 'evt_01890000-0000-7000-8000-000000000000'

describe('the document and the code agree on each property of', () => {
  it.each(Object.keys(GOOD_BODIES))('%s', async (name) => {
    const limits = { endpointsPerWorkspace: 10_000 }
    const { call, addEndpoint, engine, exec, work } = await api({ limits, history: true, answer: () => 400 })
    const { id } = await addEndpoint()
    await engine.publish({ type: 'a', workspaceId: 'w1', data: {} })
    await work()
    const { document, validate } = await readDocument(engine.routes.fetch)
    const { method, path } = withBody(document).find((one) => `${one.method} ${one.path}` === name) ?? {}
    const schema =
      document.paths[path ?? '']?.[method?.toLowerCase() ?? '']?.requestBody?.content['application/json']?.schema ?? {}
    const named = ({ $ref = '' }: Schema) => document.components.schemas[$ref.split('/').at(-1) ?? '']
    const [form = schema] = (named(schema) ?? schema).oneOf ?? []
    const { properties = {} } = named(form) ?? {}
    const good = { ...(name === 'POST /events' && { object: 'event' }), ...(GOOD_BODIES[name] as object) }
    const apiKey = await engine.apiKeys.create({ workspaceId: 'w1' })
    const ids: Record<string, string> = { problems: `prb_${id}.http_4xx.400`, 'api-keys': apiKey.id }
    const idIn = (at = ''): string => ids[at.split('/')[1] ?? ''] ?? id
    const seen = { taken: 0, refused: 0 }
    for (const [property, of] of Object.entries(properties)) {
      for (const value of around(document, of)) {
        const body = { ...good, [property]: value }
        const at = `${property}: ${JSON.stringify(value)?.slice(0, 80)}`
        const answer = await call(method ?? '', (path ?? '').replace(/\{u?id\}/, idIn(path)), body)
        const isAllowed = validate(schema, body).length === 0
        // The rig also fails if the API accepts a request that the document does not allow.
        const expected = isAllowed && IN_WORDS.has(property) ? answer.ok : isAllowed
        expect([answer.ok, at], await answer.clone().text()).toEqual([expected, at])
        seen[answer.ok ? 'taken' : 'refused']++
        await exec('update keepsend_api_keys set expires_at = null where id = ?', apiKey.id)
        // At most ten are active.
        await exec(
          "delete from keepsend_secrets where endpoint_id = ? and scheme = 'v1' and expires_at is not null",
          id,
        )
        // One of several endpoints at a time.
        await exec('delete from keepsend_replays')
      }
    }
    expect(seen.taken).toBeGreaterThan(0)
    expect(seen.refused).toBeGreaterThan(5)
  })
})
