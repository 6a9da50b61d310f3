import { type PreparedEvent, type WebhookEvent, prepareEvent, prepareEvents } from '../publish/event.ts'
import type { EventValidator } from './event-validator.ts'
import type { EventVersioning } from './event-versioning.ts'

/**
 * Validates events by the catalog, builds their payloads, and converts these to the versions that endpoints get: before anything is
 * written.
 *
 * @throws {EngineError} the codes of an invalid event; `invalid_option`: a schema or a converter throws
 */
export interface EventPreparing extends Pick<EventVersioning, 'forget'> {
  prepare(event: WebhookEvent): Promise<PreparedEvent>
  /** An error names the index of its event. */
  prepareAll(events: readonly WebhookEvent[]): Promise<PreparedEvent[]>
  /** Without waiting. @throws {EngineError} `invalid_option` for an asynchronous schema too */
  prepareNow(event: WebhookEvent): PreparedEvent
}

/** @param validator undefined: nothing is validated, and a publish costs nothing more */
export function createEventPreparing(
  validator: EventValidator | undefined,
  { add, addAll, addNow, forget }: EventVersioning,
): EventPreparing {
  return {
    prepare: async (event) => add(prepareEvent(validator ? await validator.validate(event) : event)),
    prepareAll: async (events) => addAll(prepareEvents(validator ? await validator.validateAll(events) : events)),
    prepareNow: (event) => addNow(prepareEvent(validator ? validator.validateNow(event) : event)),
    forget,
  }
}
