import type { OptionNames } from '@keepsend/outbox/internal'
import type { Logger } from '../logger.ts'
import { type EventCatalog, exampleOf } from './event-catalog.ts'
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts'

/** A type of event, as the catalog shows it to receivers. */
export interface EventType {
  readonly type: string
  /** Null: it has none. */
  readonly description: string | null
  readonly deprecated: boolean
  /** The data of an event as it is sent; null: there is none. */
  readonly example: Readonly<Record<string, unknown>> | null
  /** Of the data as it is sent, 2020-12; null: the vendor of the schema offers none, and no `jsonSchema` was given. */
  readonly jsonSchema: JsonSchema | null
}

/** Which types {@link Engine.eventTypes} lists. */
export interface EventTypeFilter {
  /** Only deprecated types, or only others. @default both */
  deprecated?: boolean | undefined
}

export const EVENT_TYPE_FILTER = { deprecated: 'boolean' } satisfies OptionNames<EventTypeFilter>

/** Every type of a catalog, in the order of their names. */
export function eventTypesOf({ events }: EventCatalog, logger: Pick<Logger, 'warn'>): EventType[] {
  const types = Object.entries(events).sort(([one], [other]) => (one < other ? -1 : 1))
  return types.map(([type, definition]) => {
    const { description = null, deprecated = false } = definition
    const jsonSchema = jsonSchemaOf(definition) ?? null
    if (!jsonSchema)
      logger.warn({ type }, 'the schema of an event has no JSON Schema: give its definition a jsonSchema')
    const example = (exampleOf(type, definition) ?? null) as EventType['example']
    return { type, description, deprecated, example, jsonSchema }
  })
}
