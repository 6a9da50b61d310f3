import type { OptionNames } from '@keepsend/outbox/internal'
import type { Logger } from '../logger.ts'
import { shapesOf } from './catalog-versions.ts'
import { versionsOfData } from './convert.ts'
import { type EventCatalog, exampleOf } from './event-catalog.ts'
import type { EventDefinition } from './event-definition.ts'
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
  /** By the data that endpoints get, the newest first; without versions empty. `example` and `jsonSchema` are those of the newest. */
  readonly versions: EventTypeVersion[]
}

/** The data of a type in some versions of the catalog. */
export interface EventTypeVersion extends Pick<EventType, 'example' | 'jsonSchema'> {
  /** The labels with this data, the newest first. */
  readonly labels: string[]
}

/** Which types {@link Engine.eventTypes} lists. */
export interface EventTypeFilter {
  /** Only deprecated types, or only others. @default both */
  deprecated?: boolean | undefined
}

export const EVENT_TYPE_FILTER = { deprecated: 'boolean' } satisfies OptionNames<EventTypeFilter>

/** Every type of a catalog, in the order of their names. */
export function eventTypesOf({ events, versions: labels }: EventCatalog, logger: Pick<Logger, 'warn'>): EventType[] {
  const newestFirst = labels.toReversed()
  const types = Object.entries(events).sort(([one], [other]) => (one < other ? -1 : 1))
  return types.map(([type, definition]) => {
    const { description = null, deprecated = false } = definition
    const jsonSchema = jsonSchemaOf(definition) ?? null
    if (!jsonSchema)
      logger.warn({ type }, 'the schema of an event has no JSON Schema: give its definition a jsonSchema')
    const example = (exampleOf(type, definition) ?? null) as EventType['example']
    const versions = newestFirst.length === 0 ? [] : versionsOf(type, definition, { newestFirst, example, jsonSchema })
    return { type, description, deprecated, example, jsonSchema, versions }
  })
}

function versionsOf(
  type: string,
  definition: EventDefinition,
  { newestFirst, ...newest }: Pick<EventType, 'example' | 'jsonSchema'> & { newestFirst: readonly string[] },
): EventTypeVersion[] {
  const examples = newest.example ? versionsOfData(type, definition, newest.example) : []
  const shapes = shapesOf(newestFirst, definition.older ?? [])
  return shapes.map(({ labels, made }, place) => {
    if (!made) return { labels, ...newest }
    const example = (examples[place - 1] ?? null) as EventType['example']
    return { labels, example, jsonSchema: jsonSchemaOf(made) ?? null }
  })
}
