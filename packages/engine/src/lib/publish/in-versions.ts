import type { OutboxDatabase } from '@keepsend/outbox'
import type { CatalogVersions } from '../catalog/catalog-versions.ts'
import { createKnownLabels } from '../catalog/known-labels.ts'
import type { Logger } from '../logger.ts'
import type { PreparedEvent } from './event.ts'

/** Adds the versions of their payloads to events, in the labels that endpoints of their workspace have. */
export interface EventVersioning {
  /** @throws {EngineError} `invalid_option`: a converter throws, or its result does not fit */
  add(event: PreparedEvent): Promise<PreparedEvent>
  /** The same without waiting: as long as nothing is known of the workspace, in every label. */
  addNow(event: PreparedEvent): PreparedEvent
  /** A label of an endpoint of the workspace has changed. */
  forget(workspaceId: string): void
}

/** Without versions it does nothing. */
export function createEventVersioning(
  db: OutboxDatabase,
  versions: CatalogVersions | undefined,
  deps: { logger: Pick<Logger, 'error'>; monotonic: () => number },
): EventVersioning {
  if (!versions) return { add: (event) => Promise.resolve(event), addNow: (event) => event, forget() {} }
  const known = createKnownLabels(db, versions.oldest, deps)
  const every = new Set(versions.labels)
  const inLabels = (event: PreparedEvent, labels: ReadonlySet<string>): PreparedEvent => ({
    ...event,
    versions: versions.versionsOf(event, labels),
  })
  return {
    async add(event) {
      if (event.raw) return event
      // A read only for a type that is converted. What a failed one does not know is converted by the workers.
      return inLabels(event, (versions.isConverted(event.type) && (await known.look(event.workspaceId))) || NONE)
    },
    addNow(event) {
      if (event.raw) return event
      return inLabels(event, versions.isConverted(event.type) ? (known.now(event.workspaceId) ?? every) : NONE)
    },
    forget: (workspaceId) => known.forget(workspaceId),
  }
}

const NONE: ReadonlySet<string> = new Set()
