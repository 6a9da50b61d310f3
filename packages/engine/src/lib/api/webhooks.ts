import { placedAt } from '../catalog/json-schema.ts'
import type { EventType } from '../catalog/event-types.ts'
import * as examples from './examples.ts'

// Names of schemas of the API have no dot, so none is taken.
const nameOf = (type: string): string => `data.${type}`

const text = { type: 'string' }

const HEADERS = [
  { name: 'webhook-id', description: 'The id of the event, the same at each attempt: deduplicate by it' },
  { name: 'webhook-timestamp', description: 'When the attempt was signed, in seconds since 1970' },
  { name: 'webhook-signature', description: 'Signatures with spaces between them: see Standard Webhooks' },
].map((header) => ({ in: 'header', required: true, schema: text, ...header }))

/** The requests that receivers get, for the OpenAPI document: its `webhooks`, and the schemas of their data. */
export function webhooksOf(types: readonly EventType[]): { webhooks: object; schemas: object } {
  return {
    webhooks: Object.fromEntries(types.map((one) => [one.type, { post: receiving(one) }])),
    schemas: Object.fromEntries(
      types.map(({ type, jsonSchema }) => [
        nameOf(type),
        placedAt(`#/components/schemas/${nameOf(type)}`, jsonSchema ?? {}),
      ]),
    ),
  }
}

function receiving(one: EventType): object {
  const { type, description, deprecated } = one
  return {
    summary: type,
    ...(description !== null && { description }),
    ...(deprecated && { deprecated }),
    security: [],
    parameters: HEADERS,
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: envelopeOf(type, { $ref: `#/components/schemas/${nameOf(type)}` }),
          ...exampleOf(one),
        },
      },
    },
    responses: { '2XX': { description: 'The receiver has stored the event' } },
  }
}

/** The schema of the body of a request. */
export function envelopeOf(type: string, data: object): object {
  return {
    type: 'object',
    required: ['type', 'timestamp', 'data'],
    properties: { type: { const: type }, timestamp: { ...text, format: 'date-time' }, data },
  }
}

/** An example of the body, if the catalog has one of the data. */
export function exampleOf({ type, example }: EventType): { example?: object } {
  return example === null ? {} : { example: { type, timestamp: examples.delivery.createdAt, data: example } }
}
