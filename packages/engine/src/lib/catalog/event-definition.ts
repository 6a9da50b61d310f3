import type { OptionNames } from '@keepsend/outbox/internal'
import type { StandardSchemaV1 } from '@standard-schema/spec'

/** A schema for the `data` of an event, of any vendor that follows Standard Schema: zod, valibot, arktype, … */
export type EventSchema = StandardSchemaV1<unknown, object>

/** An older version of the data of an event. */
export interface OlderVersion {
  /** One of the `versions` of {@link defineEvents}. */
  label: string
  /** Validates the result of `convert`; its output is what is sent. It must be synchronous. @default nothing is validated */
  schema?: EventSchema | undefined
  /** Makes it from the data of the next newer version, as that is sent: a `Date` is a text by then. It must be synchronous. */
  convert(newer: object): object
  /** As that of {@link EventDefinition}. @default that of the schema */
  jsonSchema?: object | undefined
}

export const OLDER_VERSION_OPTIONS = {
  label: 'text',
  schema: 'any',
  convert: 'function',
  jsonSchema: 'object',
} satisfies OptionNames<OlderVersion>

/** The entry of a catalog for one type of event. */
export interface EventDefinition<Schema extends EventSchema = EventSchema> {
  /** Validates the `data` of each event; its output is what is stored and sent. */
  schema: Schema
  /** For people: at most 1,000 characters. */
  description?: string | undefined
  /** Data as the app publishes it, at most 10,000 characters of JSON. Receivers are shown the output of the schema for it. */
  example?: StandardSchemaV1.InferInput<Schema> | undefined
  /** Whether new receivers should use another type; it is still published. @default false */
  deprecated?: boolean | undefined
  /**
   * The JSON Schema (2020-12) of the data as it is sent. @default that of the schema, if its vendor follows Standard JSON
   * Schema: zod 4.2, arktype 2.1.28, valibot through `toStandardJsonSchema` of `@valibot/to-json-schema`
   */
  jsonSchema?: object | undefined
  /** Its older versions, the newest of them first: `olderVersion` of {@link event} adds them, and compares their types. @default none */
  older?: readonly OlderVersion[] | undefined
}

/** The definitions of a catalog, by type. */
export type EventDefinitions = Readonly<Record<string, EventDefinition>>

export const EVENT_DEFINITION_OPTIONS = {
  schema: 'any',
  description: 'text',
  example: 'any or null',
  deprecated: 'boolean',
  jsonSchema: 'object',
  older: 'list',
} satisfies OptionNames<EventDefinition>
