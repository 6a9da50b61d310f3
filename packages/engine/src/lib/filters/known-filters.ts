import type { OutboxDatabase } from '@keepsend/outbox'
import { type PayloadVersions, sqlText } from '@keepsend/outbox/internal'
import { type Logger, errorFields } from '../logger.ts'
import { type Condition, readFilter } from './content-filter.ts'
import { bodyOf, matches } from './evaluate.ts'

/** Whether an event matches the filter that an endpoint had in this version. */
export interface EvaluatedFilter {
  endpointId: string
  version: number
  matches: boolean
}

/**
 * The filters of endpoints that a publisher knows. It evaluates those before the fan-out, which uses a result only if the
 * endpoint still has that version of its filter when it commits.
 */
export interface KnownFilters {
  /** Evaluates the known filters of the event's workspace. */
  evaluate(event: EvaluatedEvent): readonly EvaluatedFilter[]
  /** Reads the filters of a workspace in the background, unless they were read less than `maxAgeMs` ago. */
  learn(workspaceId: string, maxAgeMs: number): void
}

interface EvaluatedEvent {
  workspaceId: string
  payload: string
  contentType: string | null
  /** `oldest`: the label of endpoints that were made without one. */
  versions?: (PayloadVersions & { oldest: string }) | undefined
}

interface Known {
  readAt: number
  filters: readonly KnownFilter[]
}

interface KnownFilter {
  endpointId: string
  version: number
  /** The version in which the endpoint gets events; null: it was made without one. */
  label: string | null
  /** Undefined: it was broken by hand. */
  condition: Condition | undefined
}

/** A fan-out found a filter that was not known, or has another version by now. */
export const CHANGED_MS = 1000
/** Nobody notices which filters are unknown where the host runs the fan-out, nor that a known one is gone. */
export const UNNOTICED_MS = 60_000

// A filter takes 4 kB at most, a workspace without filters a hundred bytes.
const MAX_FILTERS = 2000
const MAX_WORKSPACES = 10_000
const NONE: readonly EvaluatedFilter[] = []
const BROKEN = 'the filter of an endpoint was broken by hand; attempts of its events fail until it is set again'

export function createKnownFilters(
  db: OutboxDatabase,
  { logger, monotonic }: { logger: Pick<Logger, 'error'>; monotonic: () => number },
): KnownFilters {
  /** In the order of reading. */
  const known = new Map<string, Known>()
  /** The workspaces whose filters are being read. A second read could end before the first, which would then replace what it found. */
  const reading = new Set<string>()
  let filterCount = 0

  async function read(workspaceId: string, before: Known['filters']): Promise<Known['filters']> {
    const { rows } = await db.run<Omit<KnownFilter, 'condition'> & { filter: string }>(sqlText`
      select id as "endpointId", filter_version as "version", event_version as "label", filter as "filter"
      from keepsend_endpoints ${db.dialect.by('keepsend_endpoints_workspace')}
      where workspace_id = ${workspaceId} and filter is not null`)
    return rows.map(({ filter, ...endpoint }) => {
      const isSame = (one: KnownFilter): boolean =>
        one.endpointId === endpoint.endpointId && one.version === endpoint.version && !one.condition
      const condition = conditionOf(filter, before.some(isSame) ? undefined : { workspaceId, ...endpoint })
      return { ...endpoint, condition }
    })
  }

  /** @param unseen whose filter it is; undefined if it was broken before, which is logged already */
  function conditionOf(filter: string, unseen: object | undefined): Condition | undefined {
    try {
      return readFilter(JSON.parse(filter))
    } catch (error) {
      if (unseen) logger.error({ ...unseen, ...errorFields(error) }, BROKEN)
      return undefined
    }
  }

  function learn(workspaceId: string, maxAgeMs: number): void {
    const { readAt = -Infinity, filters = [] } = known.get(workspaceId) ?? {}
    if (monotonic() - readAt >= maxAgeMs && !reading.has(workspaceId)) void readAgain(workspaceId, filters)
  }

  async function readAgain(workspaceId: string, before: Known['filters']): Promise<void> {
    reading.add(workspaceId)
    try {
      put(workspaceId, await read(workspaceId, before))
    } catch (error) {
      put(workspaceId, before)
      logger.error(
        { workspaceId, ...errorFields(error) },
        'failed to read the filters of a workspace; its workers evaluate them',
      )
    } finally {
      reading.delete(workspaceId)
    }
  }

  function put(workspaceId: string, filters: Known['filters']): void {
    filterCount += filters.length - (known.get(workspaceId)?.filters.length ?? 0)
    known.delete(workspaceId)
    known.set(workspaceId, { readAt: monotonic(), filters })
    for (const [oldest, { filters: dropped }] of known) {
      if (filterCount <= MAX_FILTERS && known.size <= MAX_WORKSPACES) return
      filterCount -= dropped.length
      known.delete(oldest)
    }
  }

  return {
    evaluate(event) {
      const filters = known.get(event.workspaceId)?.filters ?? []
      if (filters.length === 0) return NONE
      // Nobody notices that the last filter is gone: the fan-out of a workspace with filters is not the plain one.
      learn(event.workspaceId, UNNOTICED_MS)
      const bodyIn = bodiesOf(event)
      return filters.flatMap(({ endpointId, version, label, condition }) => {
        const found = bodyIn(label)
        // In a version that the publisher did not convert, its worker evaluates it.
        return found && condition ? [{ endpointId, version, matches: matches(condition, found.body) }] : []
      })
    },

    learn,
  }
}

/** The bodies of an event by the label of an endpoint, each parsed once; undefined: it was not converted to that. */
function bodiesOf(event: EvaluatedEvent): (label: string | null) => { body: unknown } | undefined {
  const { versions, payload: own, contentType } = event
  const parsed = new Map<string, { body: unknown }>()
  return (given) => {
    const label = given ?? versions?.oldest
    const isOwn = !versions || versions.labels.some((one) => one === label)
    const payload = isOwn ? own : versions.copies.find(({ labels }) => labels.some((one) => one === label))?.payload
    if (payload === undefined) return undefined
    const found = parsed.get(payload) ?? { body: bodyOf({ payload, contentType }) }
    parsed.set(payload, found)
    return found
  }
}
