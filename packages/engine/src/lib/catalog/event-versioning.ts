import type { OutboxDatabase } from '@keepsend/outbox'
import type { Logger } from '../logger.ts'
import { type PreparedEvent, errorAt } from '../publish/event.ts'
import type { CatalogVersions } from './catalog-versions.ts'
import { createKnownLabels } from './known-labels.ts'

/** Adds the versions of their payloads to events, in the labels that endpoints of their workspace have. */
export interface EventVersioning {
  /** @throws {EngineError} `invalid_option`: a converter throws, or its result does not fit */
  add: (event: PreparedEvent) => Promise<PreparedEvent>
  /** An error names the index of its event. */
  addAll: (events: readonly PreparedEvent[]) => Promise<PreparedEvent[]>
  /** The same without waiting: as long as nothing is known of the workspace, in every label. */
  addNow: (event: PreparedEvent) => PreparedEvent
  /** A label of an endpoint of the workspace has changed. */
  forget: (workspaceId: string) => void
}

/** Without versions it does nothing. */
export function createEventVersioning(
  db: OutboxDatabase,
  versions: CatalogVersions | undefined,
  deps: { logger: Pick<Logger, 'error'>; monotonic: () => number },
): EventVersioning {
  if (!versions) return UNVERSIONED
  const known = createKnownLabels(db, versions.oldest, deps)
  const every = new Set(versions.labels)
  const inLabels = (event: PreparedEvent, labels: ReadonlySet<string>): PreparedEvent => ({
    ...event,
    versions: versions.versionsOf(event, labels),
  })
  async function add(event: PreparedEvent): Promise<PreparedEvent> {
    if (event.raw) return event
    // A read only for a type that is converted. Workers convert what a failed one does not know.
    return inLabels(event, (versions?.isConverted(event.type) && (await known.look(event.workspaceId))) || NONE)
  }
  return {
    add,
    async addAll(events) {
      const added: PreparedEvent[] = []
      for (const [index, event] of events.entries()) {
        added.push(
          await add(event).catch((error: unknown) => {
            throw errorAt(events, index, error)
          }),
        )
      }
      return added
    },
    addNow(event) {
      if (event.raw) return event
      return inLabels(event, versions.isConverted(event.type) ? (known.now(event.workspaceId) ?? every) : NONE)
    },
    forget: (workspaceId) => known.forget(workspaceId),
  }
}

const UNVERSIONED: EventVersioning = {
  add: (event) => Promise.resolve(event),
  addAll: (events) => Promise.resolve([...events]),
  addNow: (event) => event,
  forget() {},
}

const NONE: ReadonlySet<string> = new Set()
