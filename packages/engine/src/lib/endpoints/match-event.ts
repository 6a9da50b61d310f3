import type { Endpoint } from './endpoint.ts'
import { type WebhookEvent, patternsOf, prepareEvent } from '../publish/event.ts'
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
 * Compares an event with the subscriptions and the filter of an endpoint, as a publish would.
 *
 * @throws {EngineError} the codes of an invalid event
 */
export function matchEvent(endpoint: Endpoint, event: UnplacedEvent): EventMatch {
  const prepared = prepareEvent({ ...event, workspaceId: endpoint.workspaceId })
  const types = patternsOf(prepared.type)
  if (!endpoint.eventTypes.some((pattern) => types.includes(pattern))) return no('type')
  const channels = channelsOf(prepared)
  const listened = endpoint.channels.length === 0 ? ['*'] : endpoint.channels
  if (!listened.some((pattern) => channels.includes(pattern))) return no('channel')
  const failed = endpoint.filter ? failedOf(readFilter(endpoint.filter), bodyOf(prepared)) : undefined
  return failed ? { ...no('filter'), failed: inWords(failed) } : { matches: true, reason: null, failed: null }
}

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
