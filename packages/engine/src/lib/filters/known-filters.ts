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
  /** `label`: the version in which the endpoint gets events; null: it was made without one. */
  filters: readonly { endpointId: string; version: number; label: string | null; condition: Condition }[]
}

/** A fan-out found a filter that was not known, or has another version by now. */
export const CHANGED_MS = 1000
/** The host runs the fan-out, so nobody notices there which filters are unknown. */
export const UNNOTICED_MS = 60_000

// A filter takes 4 kB at most, a workspace without filters a hundred bytes.
const MAX_FILTERS = 2000
const MAX_WORKSPACES = 10_000
const NONE: readonly EvaluatedFilter[] = []

export function createKnownFilters(
  db: OutboxDatabase,
  { logger, monotonic }: { logger: Pick<Logger, 'error'>; monotonic: () => number },
): KnownFilters {
  /** In the order of reading. */
  const known = new Map<string, Known>()
  let filterCount = 0

  async function read(workspaceId: string): Promise<Known['filters']> {
    const { rows } = await db.run<{
      endpointId: string
      version: number
      label: string | null
      filter: string
    }>(sqlText`
      select id as "endpointId", filter_version as "version", event_version as "label", filter as "filter"
      from keepsend_endpoints ${db.dialect.by('keepsend_endpoints_workspace')}
      where workspace_id = ${workspaceId} and filter is not null`)
    return rows.flatMap(({ filter, ...endpoint }) => {
      // One that was broken by hand stays unknown: its deliveries say so.
      const condition = conditionOf(filter)
      return condition ? [{ ...endpoint, condition }] : []
    })
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
      const bodyIn = bodiesOf(event)
      return filters.flatMap(({ endpointId, version, label, condition }) => {
        const found = bodyIn(label)
        // In a version that the publisher did not convert, its worker evaluates it.
        return found ? [{ endpointId, version, matches: matches(condition, found.body) }] : []
      })
    },

    learn(workspaceId, maxAgeMs) {
      const { readAt = -Infinity, filters = [] } = known.get(workspaceId) ?? {}
      if (monotonic() - readAt < maxAgeMs) return
      // Counts as read from now on, so that concurrent publishes read once.
      put(workspaceId, filters)
      read(workspaceId).then(
        (found) => put(workspaceId, found),
        (error: unknown) =>
          logger.error(
            { workspaceId, ...errorFields(error) },
            'failed to read the filters of a workspace; its workers evaluate them',
          ),
      )
    },
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

function conditionOf(filter: string): Condition | undefined {
  try {
    return readFilter(JSON.parse(filter))
  } catch {
    return undefined
  }
}
