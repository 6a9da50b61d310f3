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
      types.flatMap((one) =>
        namedShapesOf(one).map(({ name, jsonSchema }) => [name, placedAt(referenceTo(name), jsonSchema ?? {})]),
      ),
    ),
  }
}

/** The data of a type: under its name the newest, and others with their newest label behind it. */
function namedShapesOf({ type, jsonSchema, versions }: EventType): (EventTypeShape & { name: string })[] {
  const [newest, ...others] = versions
  return [
    { name: nameOf(type), jsonSchema, labels: newest?.labels ?? [] },
    ...others.map(({ labels, jsonSchema: older }) => ({
      name: `${nameOf(type)}.${labels[0]}`,
      jsonSchema: older,
      labels,
    })),
  ]
}

type EventTypeShape = Pick<EventType, 'jsonSchema'> & { labels: readonly string[] }

const referenceTo = (name: string): string => `#/components/schemas/${name}`

/** The data in each of its versions. */
function dataOf(one: EventType): object {
  const [newest, ...others] = namedShapesOf(one).map(({ name, labels }) => ({
    $ref: referenceTo(name),
    ...(labels.length > 0 && { description: inVersions(labels) }),
  }))
  return others.length > 0 ? { anyOf: [newest, ...others] } : { $ref: newest?.$ref }
}

/** The description of data that several versions may have. */
export function inVersions(labels: readonly string[]): string {
  return `In version ${labels.join(', ')}`
}

function versionHeader({ versions }: EventType): object {
  const labels = versions.flatMap((one) => one.labels)
  const description = 'The version of the `data`: the label of the endpoint'
  return { in: 'header', required: true, schema: { ...text, enum: labels }, name: 'webhook-version', description }
}

function receiving(one: EventType): object {
  const { type, description, deprecated } = one
  return {
    summary: type,
    ...(description !== null && { description }),
    ...(deprecated && { deprecated }),
    security: [],
    parameters: one.versions.length === 0 ? HEADERS : [...HEADERS, versionHeader(one)],
    requestBody: {
      required: true,
      content: {
        'application/json': {
          schema: envelopeOf(type, dataOf(one)),
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
