/** The parts of the OpenAPI document that the tests read. */
export interface Document {
  openapi: string
  info: { title: string; version: string; license: unknown }
  servers: { url: string }[]
  tags: { name: string; description: string }[]
  paths: Record<string, Record<string, Operation>>
  /** Only of a server with a catalog. */
  webhooks?: Record<string, Record<string, Operation>>
  components: {
    schemas: Record<string, Schema>
    securitySchemes: Record<string, unknown>
    headers: Record<string, Header>
  }
  security: unknown[]
}

export interface Operation {
  operationId: string
  tags: string[]
  summary: string
  description?: string
  security?: Record<string, string[]>[]
  parameters?: Parameter[]
  requestBody?: { content: Record<string, Content> }
  responses: Record<string, AnswerOf>
}

export interface Parameter {
  in: 'query' | 'path' | 'header'
  name: string
  required?: boolean
  description?: string
  schema: Schema
}

interface Header {
  required?: boolean
  schema: Schema
}

interface Content {
  schema: Schema
  example?: unknown
  examples?: Record<string, { value: unknown }>
}

export interface AnswerOf {
  description?: string
  headers?: Record<string, Header | { $ref: string }>
  content?: Record<string, Content>
}

export interface Schema {
  $ref?: string
  type?: string | string[]
  enum?: unknown[]
  const?: unknown
  description?: string
  format?: string
  pattern?: string
  minimum?: number
  maximum?: number
  minLength?: number
  maxLength?: number
  minItems?: number
  maxItems?: number
  maxProperties?: number
  required?: string[]
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  unevaluatedProperties?: boolean
  items?: Schema
  anyOf?: Schema[]
  oneOf?: Schema[]
  allOf?: Schema[]
}

/**
 * The document with closed objects: no properties but the named ones. Clients should expect more from later versions,
 * but this version must not send any.
 */
export function closed(document: Document): Document {
  const { schemas } = document.components

  function close(schema: Schema): Schema {
    const isObject = schema.properties !== undefined || schema.allOf !== undefined
    const isOpen = isObject && schema.additionalProperties === undefined
    return { ...inside(schema), ...(isOpen && { unevaluatedProperties: false }) }
  }

  function inside(schema: Schema): Schema {
    const { properties, items, oneOf, anyOf, allOf } = schema
    return {
      ...schema,
      ...(properties && { properties: mapValues(properties, close) }),
      ...(items && { items: close(items) }),
      ...(oneOf && { oneOf: oneOf.map(close) }),
      ...(anyOf && { anyOf: anyOf.map(close) }),
      // The parts of a union stay open: the object around them is closed.
      ...(allOf && { allOf: allOf.map((part) => inside(resolve(part))) }),
    }
  }

  function resolve(schema: Schema): Schema {
    return schema.$ref === undefined ? schema : (schemas[schema.$ref.split('/').at(-1) ?? ''] ?? {})
  }

  return {
    ...document,
    components: { ...document.components, schemas: mapValues(schemas, close) },
    paths: mapValues(document.paths, (operations) =>
      mapValues(operations, (operation) => ({
        ...operation,
        responses: mapValues(operation.responses, (answer) => ({
          ...answer,
          ...(answer.content && {
            content: mapValues(answer.content, (content) => ({ ...content, schema: close(content.schema) })),
          }),
        })),
      })),
    ),
  }
}

function mapValues<V, W>(object: Record<string, V>, change: (value: V) => W): Record<string, W> {
  return Object.fromEntries(Object.entries(object).map(([name, value]) => [name, change(value)]))
}
