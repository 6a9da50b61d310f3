import type { EngineRoutes } from '../engine-routes.ts'
import type { EventType } from '../catalog/event-types.ts'
import { jsonSchemaOf, placedAt } from '../catalog/json-schema.ts'
import { utf8 } from '../formats/encoding.ts'
import { answerDocument } from './document.ts'
import type { RouteEngine } from './route.ts'
import { envelopeOf, exampleOf, inVersions } from './webhooks.ts'

/** Adds `GET /asyncapi.json`, which needs no key: the events of the catalog in AsyncAPI 3, made at the first request. */
export function addAsyncApi(app: EngineRoutes, engine: RouteEngine): void {
  let text: string | undefined
  app.get('/asyncapi.json', (c) => {
    text ??= JSON.stringify(documentOf(engine))
    return answerDocument(c, [utf8(text)], text)
  })
}

function documentOf({ catalog, eventTypes }: RouteEngine): object {
  const types = eventTypes()
  return {
    asyncapi: '3.0.0',
    info: {
      title: 'Keepsend',
      version: '1.0.0',
      description:
        'The webhooks that endpoints receive, as signed POST requests of Standard Webhooks. GET /event-types lists their types.',
    },
    defaultContentType: 'application/json',
    channels: {
      webhooks: {
        // Each endpoint has a URL of its own.
        address: null,
        messages: Object.fromEntries(types.map(({ type }) => [type, { $ref: `#/components/messages/${type}` }])),
      },
    },
    operations: { deliver: { action: 'send', channel: { $ref: '#/channels/webhooks' } } },
    components: { messages: Object.fromEntries(types.map((one) => [one.type, messageOf(one)])) },
  }

  function messageOf(one: EventType): object {
    const { type, description, deprecated } = one
    const definition = catalog?.events[type]
    // The schemas of AsyncAPI are those of draft 07.
    const schema = (definition && jsonSchemaOf(definition, 'draft-07')) ?? one.jsonSchema ?? {}
    const { example } = exampleOf(one)
    const at = `#/components/messages/${type}/payload/properties/data`
    const olderData = (definition?.older ?? []).map((older) => jsonSchemaOf(older, 'draft-07') ?? {})
    const data =
      olderData.length === 0
        ? placedAt(at, schema)
        : {
            anyOf: [schema, ...olderData].map((shape, place) => ({
              title: inVersions(one.versions[place]?.labels ?? []),
              ...placedAt(`${at}/anyOf/${place}`, shape),
            })),
          }
    return {
      name: type,
      title: type,
      ...(description !== null && { summary: description }),
      ...(deprecated && { tags: [{ name: 'deprecated' }] }),
      ...(one.versions.length > 0 && { headers: headersOf(one) }),
      payload: envelopeOf(type, data),
      ...(example && { examples: [{ payload: example }] }),
    }
  }
}

function headersOf({ versions }: EventType): object {
  const labels = versions.flatMap((one) => one.labels)
  return { type: 'object', properties: { 'webhook-version': { type: 'string', enum: labels } } }
}
