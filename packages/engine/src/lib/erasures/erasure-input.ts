import { type OptionNames, isEventId } from '@keepsend/outbox/internal'
import { EngineError, checkNames } from '../errors.ts'
import { TIME_RANGE, checkRange } from '../time-range.ts'
import { checkWorkspaceId } from '../workspace-id.ts'

/**
 * The rows of a workspace to erase. Their kind is named, so that an id that is undefined by mistake never erases a workspace. Times are
 * milliseconds since the epoch.
 */
export type ErasureInput = EraseEvent | EraseEndpoint | EraseRange | EraseWorkspace

/** One event with its deliveries. */
export interface EraseEvent {
  workspaceId: string
  what: 'event'
  eventId: string
}

/** An endpoint with its secrets, and its deliveries of all events. The events stay. */
export interface EraseEndpoint {
  workspaceId: string
  what: 'endpoint'
  endpointId: string
}

/** The events of a range of times, with their deliveries. The time of an event is that in its id. */
export interface EraseRange {
  workspaceId: string
  what: 'range'
  /** At or after this time. @default the oldest too */
  since?: number | undefined
  /** Before this time, and before now. */
  until: number
}

/** A workspace with everything in it: endpoints, secrets, API keys, events, and all that was recorded. */
export interface EraseWorkspace {
  workspaceId: string
  what: 'workspace'
}

/** The option of a dry run, which counts and writes nothing. */
export interface ErasureDryRun {
  /** @default false */
  dryRun?: boolean | undefined
}

const COMMON = { workspaceId: 'text', what: 'text', dryRun: 'boolean' } as const

/** The options of each kind of erasure. */
export const ERASURE_INPUTS = {
  event: { ...COMMON, eventId: 'text' } satisfies OptionNames<EraseEvent & ErasureDryRun>,
  endpoint: { ...COMMON, endpointId: 'text' } satisfies OptionNames<EraseEndpoint & ErasureDryRun>,
  range: { ...COMMON, ...TIME_RANGE } satisfies OptionNames<EraseRange & ErasureDryRun>,
  workspace: COMMON satisfies OptionNames<EraseWorkspace & ErasureDryRun>,
} as const

export const ERASURE_WHATS = Object.keys(ERASURE_INPUTS) as ErasureInput['what'][]

/** The form of the id of every endpoint. */
export const ENDPOINT_ID = /^[\w-]{1,69}$/

/** @throws {EngineError} `invalid_option` or `invalid_request`, naming what was found */
export function checkErasure(input: ErasureInput & ErasureDryRun): void {
  if (!ERASURE_WHATS.includes(input.what))
    throw new EngineError(
      'invalid_option',
      `what must be one of ${ERASURE_WHATS.join(', ')}; found ${JSON.stringify(input.what)}`,
    )
  checkNames(`an erasure of ${input.what}`, ERASURE_INPUTS[input.what], input)
  checkWorkspaceId(input.workspaceId)
  if (input.what === 'event' && !isEventId(input.eventId))
    throw new EngineError('invalid_request', `eventId must be the id of an event; found ${shown(input.eventId)}`)
  if (input.what === 'endpoint' && !ENDPOINT_ID.test(input.endpointId ?? ''))
    throw new EngineError(
      'invalid_request',
      `endpointId must be the id of an endpoint; found ${shown(input.endpointId)}`,
    )
  if (input.what !== 'range') return
  checkRange(input)
  if ((input.until as number | undefined) === undefined)
    throw new EngineError('invalid_request', 'an erasure of a range needs until, the time that it ends before')
}

function shown(value: unknown): string {
  return (JSON.stringify(value) ?? typeof value).slice(0, 100)
}
