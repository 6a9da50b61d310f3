import { EngineError } from '../errors.ts'
import { plainOf, withDigitsOf } from '../formats/exact-json.ts'
import { fieldOf, listProblems } from '../formats/listed-problems.ts'
import type { Logger } from '../logger.ts'
import { OWN_TYPES, type WebhookEvent, errorAt, isName } from '../publish/event.ts'
import type { EventCatalog } from './event-catalog.ts'
import { type SchemaResult, resultNow, runSchema } from './run-schema.ts'

/** The effect of a catalog on an event that does not fit it. */
export type Validation = (typeof VALIDATIONS)[number]

export const VALIDATIONS = ['refuse', 'warn', 'off'] as const

/**
 * Validates events by the catalog, before anything is written. Each method returns the events with the outputs of their schemas.
 * An event that `prepareEvent` refuses anyway passes.
 *
 * @throws {EngineError} `invalid_event` for an unknown type and for data that does not fit; `invalid_option` for a schema that
 *   throws
 */
export interface EventValidator {
  validate(event: WebhookEvent): Promise<WebhookEvent>
  /** An error names the index of its event. */
  validateAll(events: readonly WebhookEvent[]): Promise<WebhookEvent[]>
  /** @throws {EngineError} `invalid_option` for an asynchronous schema too */
  validateNow<Event extends WebhookEvent>(event: Event): Event
}

// Types that were warned of: a caller of the API could send any number.
const MAX_WARNED = 1000

export function createEventValidator(
  { events: definitions }: EventCatalog,
  validation: Exclude<Validation, 'off'>,
  logger: Logger,
): EventValidator {
  const warned = new Set<string>()

  /** Undefined: nothing is to be validated. */
  function run(event: WebhookEvent): SchemaResult | Promise<SchemaResult> | undefined {
    // A caller without types may pass anything.
    const { type, data } = (event ?? {}) as Partial<WebhookEvent>
    if (!isName(type) || type.startsWith(OWN_TYPES)) return undefined
    const definition = Object.hasOwn(definitions, type) ? definitions[type] : undefined
    if (!definition) return refuseType(type)
    return isObject(data) ? runSchema(type, definition.schema, plainOf(data)) : undefined
  }

  function refuseType(type: string): undefined {
    const message = `the catalog has no type ${type}: correct it, or add it to defineEvents`
    if (validation === 'refuse') throw new EngineError('invalid_event', message)
    if (warned.has(type) || warned.size >= MAX_WARNED) return
    warned.add(type)
    logger.warn({ type }, 'published an event of a type that is not in the catalog; later ones of it are not logged')
  }

  function apply<Event extends WebhookEvent>(event: Event, result: SchemaResult | undefined): Event {
    if (!result) return event
    const { type, data } = event
    if (!result.problems) {
      const plain = data && plainOf(data)
      return { ...event, data: plain === data ? result.output : withDigitsOf(data, plain, result.output) }
    }
    const { problems, count } = result
    if (validation === 'refuse')
      throw new EngineError(
        'invalid_event',
        `data of ${type} does not fit its schema: ${listProblems(problems, count)}`,
      )
    // Only the names of fields: messages of schemas quote values.
    const fields = problems.map(({ path }) => fieldOf(path)).join(', ')
    logger.warn({ type, problems: count, fields }, 'published data that does not fit its schema, as it was given')
    return event
  }

  const validate = async (event: WebhookEvent): Promise<WebhookEvent> => apply(event, await run(event))
  return {
    validate,
    async validateAll(events) {
      const valid: WebhookEvent[] = []
      for (const [index, event] of events.entries()) {
        // One after the other, so that the first error is that of the first bad event.
        valid.push(
          await validate(event).catch((error: unknown) => {
            throw errorAt(events, index, error)
          }),
        )
      }
      return valid
    },
    validateNow(event) {
      const running = run(event)
      const result = running && resultNow(running)
      if (running && !result)
        throw new EngineError(
          'invalid_option',
          `the schema of ${event.type} is asynchronous, and engine.publishStatements cannot wait for it: use engine.commit or engine.publish`,
        )
      return apply(event, result)
    },
  }
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null
}
