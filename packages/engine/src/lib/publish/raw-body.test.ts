import { Transaction } from '@keepsend/outbox'
import { describe, expect, it } from 'vitest'
import { type EndpointInput, type RawBody, type WebhookEvent, insertQueuedEvent, newEventId } from '../../index.ts'
import { type HttpReceiver, OVER_HTTP, httpReceiver } from '../../../test/http-receiver.ts'
import { rig, settled } from '../../../test/rig.ts'
import { api, documentOf, problem, read } from '../../../test/routes.ts'

const XML: RawBody = {
  body: '\ufeff<?xml version="1.0"?>\r\n<order id="1">é🙂 &amp; "?"</order>\r\n',
  contentType: 'application/xml; charset=utf-8',
}
const event = (raw: RawBody = XML) => ({ id: newEventId(), type: 'order.placed', workspaceId: 'w1', raw })

/** An engine with endpoints that are real servers and verify with the public library. */
async function withReceivers(count = 1, input: Partial<EndpointInput> = {}) {
  const made = await api(OVER_HTTP)
  const hooks: (HttpReceiver & { id: string })[] = []
  for (let n = 0; n < count; n++) {
    const receiver = await httpReceiver()
    const endpoint = await made.addEndpoint({ url: receiver.url, ...input })
    receiver.verifyWith(endpoint.secret)
    hooks.push({ ...receiver, id: endpoint.id })
  }
  const arrived = () =>
    hooks.flatMap(({ arrivals }) =>
      arrivals.map(({ body, headers }) => ({ body, contentType: headers['content-type'] })),
    )
  return { ...made, hooks, arrived }
}

const BODIES: [string, RawBody][] = [
  ['XML with a byte order mark and CRLF', XML],
  ['nothing', { body: '', contentType: 'text/plain' }],
  ['a form', { body: 'a=1&b=%20+', contentType: 'application/x-www-form-urlencoded' }],
  [
    'JSON as another sender writes it',
    { body: '{ "id" : 12345678901234567890, "x":1e400 }\n', contentType: 'application/json' },
  ],
  ['what SQL and drivers could mistake', { body: "'; -- ? $1 :name \\ % _ \u0001\t", contentType: 'text/plain' }],
  ['256 KiB', { body: 'é'.repeat(131_072), contentType: 'text/plain' }],
]

describe('a raw body', () => {
  it.each(BODIES)(
    'of %s arrives byte for byte with its content type, signed, at one endpoint and at five',
    async (_, raw) => {
      const { hooks, arrived, engine, work, count } = await withReceivers(1)
      await engine.publish(event(raw))
      await work()
      expect(arrived()).toEqual([raw])
      const [first] = hooks
      expect(Buffer.compare(first?.arrivals[0]?.bytes ?? Buffer.of(0), Buffer.from(raw.body))).toBe(0)
      expect(await count('pending_events')).toBe(0)

      const five = await withReceivers(5)
      await five.engine.publish(event(raw))
      await five.work()
      expect(five.arrived()).toEqual(Array(5).fill(raw))
    },
  )

  it('can be published in every way, together with events that have data', async () => {
    const { arrived, engine, work, db, call } = await withReceivers(1)
    const data = { type: 'a', workspaceId: 'w1', data: { n: 1 } }
    await engine.commit({ writes: [], events: [data, event(), data, event(BODIES[2]?.[1])] })
    const transaction = new Transaction()
    for (const statement of engine.publishStatements(event())) transaction.add(statement)
    await transaction.commit(db)
    await engine.commit({ writes: engine.publishStatements(event(BODIES[3]?.[1])), events: [] })
    expect(
      (
        await read(
          call('POST', '/events', [
            { type: 'a', raw: XML },
            { type: 'a', data: { n: 1 } },
          ]),
        )
      ).status,
    ).toBe(202)
    await work()
    const types = arrived().map(({ contentType }) => contentType)
    const [xml, form] = [XML.contentType, 'application/x-www-form-urlencoded']
    const counts = [xml, form, 'application/json'].map((type) => types.filter((one) => one === type).length)
    expect(counts).toEqual([3, 1, 4])
    expect(arrived().filter(({ contentType }) => contentType === xml)).toEqual([XML, XML, XML])
    expect(arrived().map(({ body }) => body)).toContain(BODIES[3]?.[1].body)
  })

  it('is the same at each attempt and when replayed, under one webhook-id', async () => {
    const { hooks, arrived, engine, work, call, exec } = await withReceivers(1)
    const [hook] = hooks
    hook?.answers.push(500, 400)
    const one = event()
    await engine.publish(one)
    await work()
    await exec('update pending_events set due_at = due_at - 3600000')
    await work()
    const rows = await engine.deliveries.listByEvent('w1', one.id)
    expect(rows).toMatchObject({
      payload: XML.body,
      contentType: XML.contentType,
      deliveries: [{ status: 'failed', attempts: 2 }],
    })
    expect((await read(call('POST', `/deliveries/${rows.deliveries[0]?.id}/replay`))).status).toBe(202)
    await work()
    expect(arrived()).toEqual([XML, XML, XML])
    expect(new Set(hook?.arrivals.map(({ headers }) => headers['webhook-id']))).toEqual(new Set([one.id]))
  })

  it('is held for a disabled endpoint, and sent when that is enabled', async () => {
    const { hooks, arrived, engine, work } = await withReceivers(1)
    const id = hooks[0]?.id ?? ''
    await engine.endpoints.setStatus('w1', id, 'disabled')
    await engine.publish(event())
    await engine.endpoints.setStatus('w1', id, 'enabled')
    await work()
    expect(arrived()).toEqual([XML])
  })

  it('goes to the queue when the database does not accept its rows, and becomes rows from there', async () => {
    const { arrived, engine, work, readOnly, messages, db } = await withReceivers(1)
    await readOnly(true)
    const one = event()
    expect(await engine.publish(one)).toMatchObject({ accepted: false })
    await settled()
    expect(messages).toMatchObject([{ eventId: one.id, raw: XML }])
    await readOnly(false)
    const [message] = JSON.parse(JSON.stringify(messages)) as typeof messages
    if (message) await insertQueuedEvent({ db, rowsStart: 'now' }, message)
    await work()
    expect(arrived()).toEqual([XML])
  })

  it('is shown by GET /events/{id} as text, even if it is JSON', async () => {
    const { call, addEndpoint } = await api()
    await addEndpoint()
    for (const [, raw] of BODIES.slice(0, 5)) {
      const { body } = await read(call('POST', '/events', { type: 'a', raw }))
      const shown = await read(call('GET', `/events/${String(body['id'])}`))
      expect(shown).toMatchObject({ status: 200, body: { payload: raw.body, contentType: raw.contentType } })
    }
    const { body } = await read(call('POST', '/events', { type: 'a', data: { n: 1 } }))
    const shown = await read(call('GET', `/events/${String(body['id'])}`))
    expect(shown.body).toMatchObject({ payload: { data: { n: 1 } }, contentType: null })
  })

  it('is published once under an idempotency key, and another body under the key is refused', async () => {
    const { engine, keys, addEndpoint, count } = await api()
    await addEndpoint()
    const post = (body: string) =>
      read(
        engine.routes.request('/events', {
          method: 'POST',
          headers: { authorization: `Bearer ${keys.w1}`, 'content-type': 'application/json', 'idempotency-key': 'k' },
          body: JSON.stringify({ type: 'a', raw: { ...XML, body } }),
        }),
      )
    const [first, again, other] = [await post('<a/>'), await post('<a/>'), await post('<b/>')]
    expect(again).toEqual(first)
    expect(other).toMatchObject(problem(422, 'idempotency_mismatch'))
    expect(await count('pending_events')).toBe(1)
  })
})

describe('an event is refused, before anything is written,', () => {
  const { raw: _raw, ...without } = event()
  it.each<[string, object, string]>([
    ['with data and a raw body', { data: {}, raw: XML }, 'either data or raw; found both'],
    ['with neither', {}, 'either data or raw; found neither'],
    ['with a raw body of null', { raw: null }, 'raw must be an object with body and contentType; found null'],
    ['with a raw body that is a text', { raw: '<a/>' }, 'found string'],
    ['with bytes', { raw: { ...XML, body: new Uint8Array(1) } }, 'raw.body must be a text; found object'],
    ['without a content type', { raw: { body: '' } }, 'raw.contentType must be a media type'],
    [
      'with a second header in it',
      { raw: { body: '', contentType: 'a/b\r\nx: y' } },
      'raw.contentType must be a media type',
    ],
    ['with another charset', { raw: { body: '', contentType: 'a/b;charset=latin1' } }, 'no charset but utf-8'],
    ['with more in it', { raw: { ...XML, encoding: 'base64' } }, 'body and contentType only; found "encoding"'],
    ['with a NUL', { raw: { ...XML, body: 'a\0b' } }, 'well-formed Unicode without a NUL'],
    ['with half a character', { raw: { ...XML, body: 'a\ud800' } }, 'well-formed Unicode without a NUL'],
    ['that is too large', { raw: { ...XML, body: `${'é'.repeat(131_072)}x` } }, '262145 bytes'],
  ])('%s', async (_, parts, message) => {
    const { engine, addEndpoint, count, call } = await api()
    await addEndpoint()
    const wrong = { ...without, ...parts } as WebhookEvent
    const code = message.includes('bytes') ? 'payload_too_large' : 'invalid_event'
    const refusal = { code, message: expect.stringContaining(message) }
    await expect(engine.publish(wrong)).rejects.toMatchObject(refusal)
    await expect(engine.commit({ writes: [], events: [event(), wrong] })).rejects.toMatchObject(refusal)
    expect(() => engine.publishStatements({ ...wrong, id: newEventId() })).toThrow(expect.objectContaining(refusal))
    const { status } = await read(
      call('POST', '/events', [
        { type: 'a', data: {} },
        { type: 'a', ...parts },
      ]),
    )
    expect([400, 413, 422]).toContain(status)
    expect(await count('pending_events')).toBe(0)
  })

  it('over HTTP too, by its index in the list', async () => {
    const { call } = await api()
    for (const wrong of [{ type: 'a' }, { type: 'a', data: {}, raw: XML }]) {
      expect(await read(call('POST', '/events', [{ type: 'a', data: {} }, wrong]))).toMatchObject({
        status: 400,
        body: { detail: '[1].data: an event has either data or raw' },
      })
    }
  })
})

it('an event with data and raw, or with neither, does not compile', () => {
  const common = { type: 'a', workspaceId: 'w1' }
  const forms: WebhookEvent[] = [
    { ...common, data: {} },
    { ...common, raw: XML },
    // @ts-expect-error both
    { ...common, data: {}, raw: XML },
    // @ts-expect-error neither
    common,
    // @ts-expect-error no content type
    { ...common, raw: { body: '' } },
  ]
  expect(forms).toHaveLength(5)
})

describe('events without a raw body', () => {
  it('use statements that name no content type', async () => {
    const { engine } = await rig()
    const { raw, ...common } = event()
    const text = (one: WebhookEvent & { id: string }) => JSON.stringify(engine.publishStatements(one))
    expect(text({ ...common, data: {} })).not.toContain('content_type')
    expect(text({ ...common, raw })).toContain('content_type')
  })

  it('are one of two forms in the OpenAPI document', async () => {
    const { components } = await documentOf(await api())
    expect(components.schemas['EventInput']).toMatchObject({
      required: ['object', 'type'],
      properties: { data: { type: 'object' }, raw: { required: ['body', 'contentType'], additionalProperties: false } },
    })
  })
})
