// A client of every operation, against the types that test/release/openapi.test.ts has generated from the document of the server
// that it is given: the URL and an API key are the arguments. Says which operations it has used.
import assert from 'node:assert/strict'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import createClient from 'openapi-fetch'
import type { components, paths } from './generated/openapi.d.ts'

const [baseUrl = '', key = ''] = process.argv.slice(2)
const used = new Set<string>()

const client = createClient<paths>({ baseUrl, headers: { authorization: `Bearer ${key}` } })
client.use({ onRequest: ({ request, schemaPath }) => void used.add(`${request.method} ${schemaPath}`) })

/** The data of an answer; of a refusal its problem is thrown. */
async function taken<Data>(asked: Promise<{ data?: Data; error?: object; response: Response }>): Promise<Data> {
  const { data, error, response } = await asked
  assert.ok(response.ok, JSON.stringify(error))
  return data as Data
}

// It fails whatever is sent to it, and says when something came.
let came = () => {}
const first = new Promise<void>((resolve) => (came = resolve))
const receiver = createServer((request, response) => {
  request.resume().on('end', () => response.writeHead(400).end(came()))
}).listen(0, '127.0.0.1')
await new Promise((resolve) => receiver.once('listening', resolve))
const url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`

const health = await taken(client.GET('/health'))
const status: 'ok' = health.status
assert.equal(status, 'ok')

const created = await client.POST('/endpoints', {
  body: { url, eventTypes: ['message.*'], ratePeriod: 'minute', compatSignature: null },
  params: { header: { 'Idempotency-Key': 'create-1' } },
})
const endpoint = created.data
assert.ok(endpoint)
assert.match(endpoint.secret ?? '', /^whsec_/)
assert.equal(
  new URL(created.response.headers.get('location') ?? '', `${baseUrl}/endpoints`).pathname,
  `/webhooks/endpoints/${endpoint.id}`,
)
const path = { id: endpoint.id }

const types = await taken(client.GET('/event-types', { params: { query: { deprecated: 'false' } } }))
assert.deepEqual(types, { data: [] })

const listed = await taken(client.GET('/endpoints', { params: { query: { limit: 10 } } }))
assert.deepEqual(
  listed.data.map(({ id }) => id),
  [endpoint.id],
)
const shown: components['schemas']['Endpoint'] = await taken(client.GET('/endpoints/{id}', { params: { path } }))
assert.equal(shown.circuit, 'closed')

const byUid = { params: { path: { uid: 'crm-4711' } } }
const own = await taken(client.PUT('/endpoints-by-uid/{uid}', { ...byUid, body: { url, metadata: { plan: 'pro' } } }))
assert.ok('secret' in own && own.secret !== null)
const found = await taken(client.GET('/endpoints-by-uid/{uid}', byUid))
assert.deepEqual([found.id, found.metadata], [own.id, { plan: 'pro' }])
assert.equal((await client.DELETE('/endpoints/{id}', { params: { path: { id: own.id } } })).response.status, 204)

const etag = `"${shown.version}"`
const change = { params: { path, header: { 'If-Match': etag } }, body: { description: 'mine', deadlineMs: null } }
assert.equal((await taken(client.PATCH('/endpoints/{id}', change))).description, 'mine')
const { error: stale } = await client.PATCH('/endpoints/{id}', change)
assert.equal(stale?.status === 412 && stale.code, 'precondition_failed')

const traceId = '4bf92f3577b34da6a3ce929d0e0e4736'
const one = await taken(
  client.POST('/events', {
    body: { object: 'event', type: 'message.created', data: { id: 'm1' } },
    params: { header: { traceparent: `00-${traceId}-00f067aa0ba902b7-01` } },
  }),
)
assert.ok(one.object === 'event')
const read = { object: 'event', type: 'message.read', data: {}, channels: ['general'] } as const
const many = await taken(
  client.POST('/events', { body: { object: 'list', data: [{ ...read, channels: ['general'] }] } }),
)
assert.ok(many.object === 'list')
assert.equal(many.data[0]?.type, 'message.read')
await first

const since = '2026-01-01T00:00:00Z'
assert.equal((await taken(client.GET('/events', { params: { query: { since } } }))).data.length, 2)
assert.equal((await taken(client.GET('/events', { params: { query: { traceId } } }))).data.length, 1)
const search = { searchPath: 'data.id', searchValue: 'm1' }
assert.equal((await taken(client.GET('/events', { params: { query: search } }))).data[0]?.id, one.id)
const event = await taken(client.GET('/events/{id}', { params: { path: { id: one.id } } }))
assert.equal(event.traceId, traceId)
assert.deepEqual(
  event.deliveries.map(({ endpointId }) => endpointId),
  [endpoint.id],
)

/** Deliveries that have failed, once one has: its settle follows the answer of the receiver. */
async function failed(): Promise<components['schemas']['Delivery'][]> {
  for (;;) {
    const { data } = await taken(
      client.GET('/deliveries', { params: { query: { status: 'failed', endpointId: path.id, httpClass: '4xx' } } }),
    )
    if (data.length > 0) return data
  }
}
const [delivery] = await failed()
assert.ok(delivery)
const detail = await taken(client.GET('/deliveries/{id}', { params: { path: { id: delivery.id } } }))
assert.equal(detail.lastStatus, 400)
assert.equal(detail.latestAttempts?.data[0]?.httpStatus, 400)
const ofDelivery = await taken(
  client.GET('/deliveries/{id}/attempts', { params: { path: { id: delivery.id }, query: {} } }),
)
const [attempt] = ofDelivery.data
assert.deepEqual([attempt?.outcome, attempt?.httpStatus, attempt?.number], ['failed', 400, 1])
const unsuccessful = await taken(
  client.GET('/attempts', { params: { query: { outcome: 'unsuccessful', endpointId: path.id } } }),
)
assert.ok(unsuccessful.data.some(({ id }) => id === attempt?.id))
const [problem] = (await taken(client.GET('/problems', { params: { query: { endpointId: path.id } } }))).data
assert.deepEqual([problem?.errorClass, problem?.httpStatus, problem?.state], ['http_4xx', 400, 'open'])
const ofProblem = { params: { path: { id: problem?.id ?? '' } } }
const acknowledged = await taken(client.POST('/problems/{id}/acknowledge', { ...ofProblem, body: { by: 'dana' } }))
assert.equal(acknowledged.acknowledgedBy, 'dana')
assert.equal((await taken(client.POST('/problems/{id}/resolve', ofProblem))).state, 'resolved')
const recent = new Date(Date.now() - 3_600_000).toISOString()
const hours = await taken(
  client.GET('/statistics', { params: { query: { since: recent, by: 'hour', endpointId: path.id } } }),
)
assert.ok(hours.data.some((hour) => hour.failed > 0 && hour.p50Ms !== null))
const [ofEndpoint] = (
  await taken(client.GET('/statistics/endpoints', { params: { query: { since: recent, endpointIds: path.id } } }))
).data
assert.deepEqual([ofEndpoint?.endpointId, ofEndpoint?.lastError?.httpStatus], [path.id, 400])
assert.equal(
  (await taken(client.POST('/deliveries/{id}/replay', { params: { path: { id: delivery.id } } }))).attempts,
  0,
)

const matching = { object: 'event', type: 'message.created', data: {} } as const
assert.equal((await taken(client.POST('/endpoints/{id}/match', { params: { path }, body: matching }))).matches, true)
const test = await taken(
  client.POST('/endpoints/{id}/test/send', { params: { path }, body: { type: 'a.b', data: { n: 1 } } }),
)
assert.deepEqual([test.outcome, test.reason, test.httpStatus], ['failed', 'test', 400])
assert.match((await taken(client.POST('/endpoints/{id}/test', { params: { path } }))).eventId, /^evt_/)
assert.equal(
  (await taken(client.POST('/endpoints/{id}/replay', { params: { path }, body: { until: '2026-01-01T00:00:00Z' } })))
    .state,
  'completed',
)
assert.ok(
  (await taken(client.POST('/endpoints/{id}/pause', { params: { path }, body: { forMs: 60_000 } }))).pausedUntil,
)
assert.equal((await taken(client.POST('/endpoints/{id}/resume', { params: { path } }))).pausedUntil, null)
assert.equal((await taken(client.POST('/endpoints/{id}/disable', { params: { path } }))).disabledReason, 'manual')
// Held, so that no attempt moves it meanwhile.
const { eventId: heldEvent } = await taken(client.POST('/endpoints/{id}/test', { params: { path } }))
const ofHeld = { params: { path: { id: `${heldEvent}.${path.id}` } } }
assert.equal((await client.POST('/deliveries/{id}/retry-now', ofHeld)).error?.code, 'conflict')
assert.equal((await taken(client.POST('/deliveries/{id}/give-up', ofHeld))).errorClass, 'given_up')
// The endpoint is disabled, so the replay waits.
const replay = await taken(client.POST('/replays', { body: { what: 'ids', ids: [delivery.id], rate: 1 } }))
assert.ok('id' in replay)
const ofReplay = { params: { path: { id: replay.id } } }
assert.equal((await taken(client.POST('/replays/{id}/pause', ofReplay))).state, 'paused')
assert.equal((await taken(client.POST('/replays/{id}/resume', ofReplay))).state, 'running')
assert.equal((await taken(client.POST('/replays/{id}/cancel', ofReplay))).state, 'cancelled')
assert.equal((await taken(client.GET('/replays/{id}', ofReplay))).planned, 1)
// Each delivery that was replayed by itself is a replay too.
assert.equal((await taken(client.GET('/replays'))).data[0]?.id, replay.id)

const ofWorkspace = { params: { path: { id: 'w1' } }, parseAs: 'text' } as const
assert.match(String((await client.GET('/workspaces/{id}/export', ofWorkspace)).data), /"kind":"end"/)

const eventId = delivery.id.slice(0, 40)
const toErase = { what: 'event', eventId } as const
const counted = await taken(client.POST('/erasures', { body: { ...toErase, dryRun: true } }))
assert.ok(counted.planned > 0)
const erasure = await taken(client.POST('/erasures', { body: toErase }))
assert.ok('id' in erasure)
assert.equal(
  (await taken(client.GET('/erasures/{id}', { params: { path: { id: erasure.id } } }))).deliveries,
  counted.planned,
)
assert.equal((await taken(client.GET('/erasures'))).data.length, 1)
assert.equal((await taken(client.POST('/endpoints/{id}/enable', { params: { path } }))).status, 'enabled')

const { data: allWorkspaces } = await taken(client.GET('/workspaces', { params: { query: { limit: 10 } } }))
assert.deepEqual(allWorkspaces, [{ id: 'w1', endpoints: { enabled: 1, disabled: 0 } }])

const madeKey = await taken(client.POST('/api-keys', { body: { name: 'ci', scopes: ['events:write'] } }))
assert.match(madeKey.key ?? '', /^ks_/)
const ofKey = { params: { path: { id: madeKey.id } } }
const nextKey = await taken(client.POST('/api-keys/{id}/rotate', { ...ofKey, body: { overlapMs: 0 } }))
const keyNames = (await taken(client.GET('/api-keys', { params: { query: { limit: 100 } } }))).data
assert.ok(keyNames.some(({ id, name }) => id === nextKey.id && name === 'ci'))
assert.equal((await client.DELETE('/api-keys/{id}', ofKey)).response.status, 204)

const rotated = await taken(client.POST('/endpoints/{id}/rotate-secret', { params: { path }, body: { scheme: 'v1' } }))
const secrets = await taken(client.GET('/endpoints/{id}/secret', { params: { path } }))
assert.deepEqual(
  secrets.data.map(({ secret }) => secret),
  [rotated.secret, endpoint.secret],
)
assert.deepEqual((await taken(client.GET('/endpoints/{id}/public-key', { params: { path } }))).data, [])

const deliverAt = new Date(Date.now() + 3_600_000).toISOString()
const later = await taken(
  client.POST('/events', {
    body: { object: 'event', type: 'message.created', data: {}, deliverAt, expiresInMs: 60_000 },
  }),
)
assert.ok(later.object === 'event')
const cancelling = client.POST('/events/{id}/cancel', { params: { path: { id: later.id } } })
assert.deepEqual(await taken(cancelling), { cancelled: 1, tooLate: 0 })
const [action] = (await taken(client.GET('/audit', { params: { query: { verb: 'delivery.give_up' } } }))).data
assert.equal(action?.deliveryId, ofHeld.params.path.id)

assert.equal((await client.DELETE('/endpoints/{id}', { params: { path } })).response.status, 204)
const { error: gone } = await client.GET('/endpoints/{id}', { params: { path } })
// A problem is told by its status, and then its code is one of few.
const code: 'not_found' | 'not_retained' | undefined = gone?.status === 404 ? gone.code : undefined
assert.equal(code, 'not_found')

/** What the types refuse; never called. */
export async function refused(): Promise<void> {
  // @ts-expect-error -- an endpoint needs a URL
  await client.POST('/endpoints', { body: {} })
  // @ts-expect-error -- no such period
  await client.POST('/endpoints', { body: { url, ratePeriod: 'day' } })
  // @ts-expect-error -- no such status
  await client.GET('/deliveries', { params: { query: { status: 'lost' } } })
  // @ts-expect-error -- no such path
  await client.GET('/endpoint')
  // @ts-expect-error -- an event needs data
  await client.POST('/events', { body: [{ type: 'a' }] })
}

receiver.close()
receiver.closeAllConnections()
console.log(JSON.stringify([...used]))
