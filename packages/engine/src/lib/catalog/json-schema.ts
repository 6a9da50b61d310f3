import type { StandardJSONSchemaV1 } from '@standard-schema/spec'
import type { EventSchema, OlderVersion } from './event-definition.ts'

/** A JSON Schema, as an object of JSON. */
export interface JsonSchema {
  readonly [keyword: string]: unknown
}

/**
 * The JSON Schema of the data of a definition as it is sent: the given one, or that of the vendor. Undefined if the vendor has
 * none, or cannot express the schema.
 */
export function jsonSchemaOf(
  { schema, jsonSchema }: Pick<OlderVersion, 'schema' | 'jsonSchema'>,
  target: 'draft-2020-12' | 'draft-07' = 'draft-2020-12',
): JsonSchema | undefined {
  if (jsonSchema !== undefined) return copyOf(jsonSchema)
  if (!schema) return undefined
  try {
    const standard: EventSchema['~standard'] & Partial<StandardJSONSchemaV1.Props> = schema['~standard']
    // zod then leaves out what JSON Schema cannot express, a Date for example, instead of throwing.
    const options = standard.vendor === 'zod' ? { libraryOptions: { unrepresentable: 'any' } } : {}
    const found: unknown = standard.jsonSchema?.output({ target, ...options })
    return typeof found === 'object' && found !== null ? copyOf(found) : undefined
  } catch {
    // It has no JSON Schema: the engine logs that.
    return undefined
  }
}

function copyOf(value: object): JsonSchema {
  return JSON.parse(JSON.stringify(value)) as JsonSchema
}

/** The schema as a part of a larger document: its references begin at its place there, a JSON pointer with `#`. */
export function placedAt(pointer: string, schema: JsonSchema): JsonSchema {
  // The document says for all which version of JSON Schema it uses.
  const { $schema: _version, ...rest } = schema
  const moved = JSON.stringify(rest, (key, value: unknown) =>
    key === '$ref' && typeof value === 'string' && value.startsWith('#') ? pointer + value.slice(1) : value,
  )
  return JSON.parse(moved) as JsonSchema
}
