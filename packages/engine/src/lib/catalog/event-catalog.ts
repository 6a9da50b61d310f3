import { type OptionNames, createOptionChecks, messageOf, shareInstances } from '@keepsend/outbox/internal'
import type { StandardSchemaV1 } from '@standard-schema/spec'
import { EngineError } from '../errors.ts'
import { listProblems } from '../formats/listed-problems.ts'
import { MAX_NAME_LENGTH, OWN_TYPES, type WebhookEvent, isName } from '../publish/event.ts'
import { versionsOfData } from './convert.ts'
import { type AsSent, DefinedEvent } from './defined-event.ts'
import {
  EVENT_DEFINITION_OPTIONS,
  type EventDefinition,
  type EventDefinitions,
  type EventSchema,
  OLDER_VERSION_OPTIONS,
  type OlderVersion,
} from './event-definition.ts'
import { resultNow, runSchema } from './run-schema.ts'

const MAX_TYPES = 1000
const MAX_DESCRIPTION = 1000
const MAX_EXAMPLE = 10_000

/** The types of events that an app publishes: made by {@link defineEvents}, for the option `catalog` of `createEngine`. */
export class EventCatalog<Events extends EventDefinitions = EventDefinitions> {
  readonly events: Events
  /** The labels of its versions, the oldest first; without versions empty. */
  readonly versions: readonly string[]

  constructor(events: Events, versions: readonly string[] = []) {
    this.events = events
    this.versions = versions
  }

  static {
    shareInstances(this, '@keepsend/engine EventCatalog')
  }
}

/** The events that a catalog allows: `type` and `data` belong together. Of no certain catalog, every event. */
export type EventOf<Catalog extends EventCatalog> =
  Catalog extends EventCatalog<infer Events>
    ? string extends keyof Events
      ? WebhookEvent
      : {
          [Type in keyof Events & string]: WebhookEvent<Type, StandardSchemaV1.InferInput<Events[Type]['schema']>>
        }[keyof Events & string]
    : never

/**
 * One type of event, for {@link defineEvents}. The compiler compares `example` with the schema. Its `olderVersion` adds the
 * versions that endpoints with an older label get.
 */
export function event<Schema extends EventSchema>(
  definition: EventDefinition<Schema>,
): DefinedEvent<Schema, AsSent<StandardSchemaV1.InferOutput<Schema>>> {
  return new DefinedEvent(definition)
}

/** Options of {@link defineEvents}. */
export interface CatalogVersionsOption {
  /**
   * Labels of the versions of the catalog, the oldest first: at most 50, each 1–64 letters, digits, `.`, `_` and `-`. An endpoint
   * has one of them, the newest when it was made. @default no versions
   */
  versions?: readonly string[] | undefined
}

const DEFINE_EVENTS_OPTIONS = { versions: 'texts' } satisfies OptionNames<CatalogVersionsOption>

/**
 * Defines the types of events that an app publishes, at most 1,000.
 *
 * @throws {EngineError} `invalid_option` for a name that is no type or is reserved, an unknown property, a value out of bounds,
 *   and an example that does not fit its schema, or that a converter cannot convert. The example of an asynchronous schema is not
 *   validated
 *
 * @example
 * const catalog = defineEvents({
 *   'message.created': event({
 *     schema: z.object({ id: z.string(), text: z.string() }),
 *     description: 'A message was posted.',
 *     example: { id: 'm1', text: 'hello' },
 *   }),
 * })
 */
export function defineEvents<const Events extends EventDefinitions>(
  events: Events,
  options: CatalogVersionsOption = {},
): EventCatalog<Events> {
  if (typeof events !== 'object' || events === null || Array.isArray(events))
    throw invalid(
      `defineEvents takes an object of events by type; found ${Array.isArray(events) ? 'a list' : String(events)}`,
    )
  const entries = Object.entries(events)
  if (entries.length > MAX_TYPES)
    throw invalid(`defineEvents takes at most ${MAX_TYPES} types of events; found ${entries.length}`)
  checkNames('defineEvents', DEFINE_EVENTS_OPTIONS, options)
  const { versions = [] } = options
  checkLabels(versions)
  for (const [type, definition] of entries) {
    checkDefinition(type, definition)
    checkOlder(type, definition, versions)
  }
  return new EventCatalog(Object.freeze({ ...events }), Object.freeze([...versions]))
}

export const MAX_LABEL = 64
export const LABEL = /^[A-Za-z0-9][A-Za-z0-9._-]{0,63}$/
const MAX_VERSIONS = 50

function checkLabels(versions: readonly string[]): void {
  if (versions.length > MAX_VERSIONS)
    throw invalid(`versions must be at most ${MAX_VERSIONS} labels; found ${versions.length}`)
  const wrong = versions.find((label, index) => !LABEL.test(label) || versions.indexOf(label) < index)
  if (wrong !== undefined)
    throw invalid(
      `versions must be labels of 1 to 64 letters, digits, dots, dashes and underscores, once each; found ${JSON.stringify(wrong.slice(0, 100))}`,
    )
}

/** Each label is older than the one before, which is the newest of the catalog for the first. */
function checkOlder(type: string, definition: EventDefinition, versions: readonly string[]): void {
  let newer = versions.length - 1
  for (const version of definition.older ?? []) {
    checkOlderVersion(type, version)
    const { label } = version
    const place = versions.indexOf(label)
    if (place === -1)
      throw invalid(
        `${type}: version ${JSON.stringify(label)} is not one of the versions of the catalog; they are ${versions.join(', ') || 'none'}`,
      )
    if (place >= newer)
      throw invalid(`${type}: version ${label} must be older than ${versions[newer]}, from the newest down`)
    newer = place
  }
  const example = exampleOf(type, definition)
  if (example !== undefined) versionsOfData(type, definition, example as object)
}

function checkOlderVersion(type: string, version: OlderVersion): void {
  try {
    checkNames('olderVersion', OLDER_VERSION_OPTIONS, version)
  } catch (error) {
    throw invalid(`${type}: ${messageOf(error)}`)
  }
  const { label, schema, jsonSchema } = version
  if (typeof version.convert !== 'function') throw invalid(`${type}: version ${label} must have a function convert`)
  if (schema !== undefined && !isStandard(schema))
    throw invalid(
      `schema of ${type} in version ${label} must follow Standard Schema, as those of zod, valibot and arktype do`,
    )
  if (jsonSchema !== undefined) jsonOf(`jsonSchema of ${type} in version ${label}`, jsonSchema)
}

function checkDefinition(type: string, definition: EventDefinition): void {
  const shown = JSON.stringify(type.slice(0, MAX_NAME_LENGTH))
  if (!isName(type))
    throw invalid(
      `a type must be at most 16 identifiers of A-Za-z0-9_ joined by dots, ${MAX_NAME_LENGTH} characters; found ${shown}`,
    )
  if (type.startsWith(OWN_TYPES)) throw invalid(`types that begin with ${OWN_TYPES} are Keepsend's own; found ${shown}`)
  try {
    checkNames('event', EVENT_DEFINITION_OPTIONS, definition)
  } catch (error) {
    throw invalid(`${type}: ${messageOf(error)}`)
  }
  const { schema, description = '', jsonSchema } = definition
  if (!isStandard(schema))
    throw invalid(`schema of ${type} must follow Standard Schema, as those of zod, valibot and arktype do`)
  if (description.length > MAX_DESCRIPTION)
    throw invalid(`description of ${type} has ${description.length} characters; at most ${MAX_DESCRIPTION} are allowed`)
  if (jsonSchema !== undefined) jsonOf(`jsonSchema of ${type}`, jsonSchema)
  exampleOf(type, definition)
}

/**
 * The example as receivers get it, as plain JSON; undefined: there is none. That of an asynchronous schema is the given one.
 *
 * @throws {EngineError} `invalid_option`: it does not fit its schema, or has more than 10,000 characters
 */
export function exampleOf(type: string, { schema, example }: EventDefinition): unknown {
  if (example === undefined) return undefined
  const name = `example of ${type}`
  const result = resultNow(runSchema(type, schema, example)) ?? { output: example }
  if (result.problems) throw invalid(`${name} does not fit its schema: ${listProblems(result.problems, result.count)}`)
  const json = jsonOf(name, result.output)
  if (json.length > MAX_EXAMPLE)
    throw invalid(`${name} has ${json.length} characters as JSON; at most ${MAX_EXAMPLE} are allowed`)
  return JSON.parse(json)
}

function isStandard(schema: unknown): boolean {
  // arktype's are functions.
  if ((typeof schema !== 'object' || schema === null) && typeof schema !== 'function') return false
  const { validate } = (schema as Partial<EventSchema>)['~standard'] ?? {}
  return typeof validate === 'function'
}

function jsonOf(name: string, value: unknown): string {
  try {
    const json = JSON.stringify(value)
    if (json.startsWith('{')) return json
  } catch {
    // A circle, a BigInt, a `toJSON` that throws; or nothing that JSON writes: refused below.
  }
  throw invalid(`${name} must be an object that JSON can write`)
}

const { checkNames } = createOptionChecks(invalid)

function invalid(message: string): EngineError {
  return new EngineError('invalid_option', message)
}
