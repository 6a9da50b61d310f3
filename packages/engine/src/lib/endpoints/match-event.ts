import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import type { Endpoint } from './endpoint.ts'
import { versionFor } from './event-version.ts'
import { EngineError } from '../errors.ts'
import { type PreparedEvent, type WebhookEvent, patternsOf, prepareEvent } from '../publish/event.ts'
import { channelsOf } from '../publish/fan-out.ts'
import { type Condition, readFilter } from '../filters/content-filter.ts'
import { bodyOf, failedOf } from '../filters/evaluate.ts'

/** Whether an endpoint would get an event, and if not, why. */
export interface EventMatch {
  matches: boolean
  /** The part of the endpoint that the event does not match; null if it matches. */
  reason: 'type' | 'channel' | 'filter' | null
  /**
   * With `filter`: the first comparison that does not hold, such as `data.amount $gte 100`, or the `$or` or `$not` around it.
   * Null otherwise.
   */
  failed: string | null
}

/** An event without its workspace, which is that of the endpoint. */
export type UnplacedEvent = WithoutWorkspace<WebhookEvent>

// Of each member of the union.
type WithoutWorkspace<E> = E extends unknown ? Omit<E, 'workspaceId'> : never

/**
 * Compares an event with the subscriptions and the filter of an endpoint, as a publish would. The filter sees the body in the
 * version of the endpoint.
 *
 * @throws {EngineError} the codes of an invalid event, also if it cannot be converted
 */
export function matchEvent(
  endpoint: Endpoint,
  event: UnplacedEvent,
  versions: CatalogVersions | undefined,
): EventMatch {
  const prepared = prepareEvent({ ...event, workspaceId: endpoint.workspaceId })
  const types = patternsOf(prepared.type)
  if (!endpoint.eventTypes.some((pattern) => types.includes(pattern))) return no('type')
  const channels = channelsOf(prepared)
  const listened = endpoint.channels.length === 0 ? ['*'] : endpoint.channels
  if (!listened.some((pattern) => channels.includes(pattern))) return no('channel')
  if (!endpoint.filter) return YES
  const payload = versions && !prepared.raw ? payloadFor(endpoint, prepared, versions) : prepared.payload
  const failed = failedOf(readFilter(endpoint.filter), bodyOf({ ...prepared, payload }))
  return failed ? { ...no('filter'), failed: inWords(failed) } : YES
}

function payloadFor(endpoint: Endpoint, event: PreparedEvent, versions: CatalogVersions): string {
  const convertTo = versionFor(endpoint, versions)
  try {
    return versions.convert({ ...event, version: versions.newest, convertTo }).payload
  } catch (cause) {
    // Nothing has validated its data, so the fault may be there.
    throw new EngineError('invalid_event', cause instanceof EngineError ? cause.message : '', { cause })
  }
}

const YES: EventMatch = { matches: true, reason: null, failed: null }

function no(reason: 'type' | 'channel' | 'filter'): EventMatch {
  return { matches: false, reason, failed: null }
}

function inWords(condition: Condition): string {
  switch (condition.kind) {
    case 'all':
      return condition.of.map(inWords).join(' and ')
    case 'any':
      return `$or (${condition.of.map(inWords).join('; ')})`
    case 'not':
      return `$not (${inWords(condition.of)})`
    case 'compare':
      return `${condition.path.join('.')} ${condition.operator} ${JSON.stringify(condition.operand)}`
  }
}
