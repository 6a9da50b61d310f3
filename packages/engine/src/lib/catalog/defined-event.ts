import type { StandardSchemaV1 } from '@standard-schema/spec'
import type { EventDefinition, EventSchema, OlderVersion } from './event-definition.ts'

/** Data as it is sent: JSON calls `toJSON`. */
export type AsSent<Data> = Data extends { toJSON(): infer Json }
  ? Json
  : Data extends object
    ? { [Name in keyof Data]: AsSent<Data[Name]> }
    : Data

/**
 * A definition made by {@link event}, to which older versions can be added.
 *
 * @typeParam Oldest the data of its oldest version so far, as it is sent
 */
export class DefinedEvent<Schema extends EventSchema, Oldest> implements EventDefinition<Schema> {
  declare readonly schema: Schema
  declare readonly description: EventDefinition['description']
  declare readonly example: EventDefinition<Schema>['example']
  declare readonly deprecated: EventDefinition['deprecated']
  declare readonly jsonSchema: EventDefinition['jsonSchema']
  declare readonly older: readonly OlderVersion[] | undefined

  constructor(definition: EventDefinition<Schema>) {
    Object.assign(this, definition)
  }

  /**
   * Adds an older version, from the newest down: its label, and how its data is made from that of the version before. Labels
   * between the two have the newer one's data. `schema` validates the result.
   *
   * @example
   * event({ schema: z.object({ id: z.string(), author: z.object({ id: z.string() }) }) }).olderVersion('2026-01', {
   *   schema: z.object({ id: z.string(), authorId: z.string() }),
   *   convert: ({ author, ...message }) => ({ ...message, authorId: author.id }),
   * })
   */
  olderVersion<Older extends object>(
    label: string,
    older: { schema?: undefined; jsonSchema?: object | undefined; convert: (newer: Oldest) => Older },
  ): DefinedEvent<Schema, AsSent<Older>>
  olderVersion<Older extends EventSchema>(
    label: string,
    older: {
      schema: Older
      jsonSchema?: object | undefined
      convert: (newer: Oldest) => StandardSchemaV1.InferInput<Older>
    },
  ): DefinedEvent<Schema, AsSent<StandardSchemaV1.InferOutput<Older>>>
  olderVersion(
    label: string,
    older: { schema?: EventSchema | undefined; jsonSchema?: object | undefined; convert: (newer: never) => object },
  ): object {
    // Whatever the definition has, so that `defineEvents` can refuse a property that it does not know.
    const definition: EventDefinition<Schema> = Object.assign({}, this)
    return new DefinedEvent({ ...definition, older: [...(this.older ?? []), { label, ...older }] })
  }
}
