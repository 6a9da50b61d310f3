import type { OutboxDatabase } from '@keepsend/outbox'
import { sqlText } from '@keepsend/outbox/internal'
import { type Logger, errorFields } from '../logger.ts'

/** The labels that endpoints of a workspace have, as a publisher knows them. */
export interface KnownLabels {
  /** Reads them, unless they were read less than a second ago. Undefined: the database did not answer, which is logged. */
  look(workspaceId: string): Promise<ReadonlySet<string> | undefined>
  /** As they are known; undefined: they are not. Reads them in the background, unless they were read less than a second ago. */
  now(workspaceId: string): ReadonlySet<string> | undefined
  /** A label of an endpoint has changed. */
  forget(workspaceId: string): void
}

const FRESH_MS = 1000
const MAX_WORKSPACES = 10_000

/** @param oldest the label of endpoints that were made without one */
export function createKnownLabels(
  db: OutboxDatabase,
  oldest: string,
  { logger, monotonic }: { logger: Pick<Logger, 'error'>; monotonic: () => number },
): KnownLabels {
  interface Known {
    readAt: number
    reading: Promise<ReadonlySet<string> | undefined>
    labels: ReadonlySet<string> | undefined
  }
  const known = new Map<string, Known>()

  async function read(workspaceId: string): Promise<ReadonlySet<string> | undefined> {
    try {
      const { rows } = await db.run<{ label: string }>(sqlText`
        select distinct coalesce(event_version, cast(${oldest} as text)) as "label"
        from keepsend_endpoints ${db.dialect.by('keepsend_endpoints_workspace')} where workspace_id = ${workspaceId}`)
      return new Set(rows.map(({ label }) => label))
    } catch (error) {
      const fields = { workspaceId, ...errorFields(error) }
      logger.error(fields, 'failed to read the versions of the endpoints of a workspace; its workers convert events')
      return undefined
    }
  }

  function fresh(workspaceId: string): Known {
    const found = known.get(workspaceId)
    if (found && monotonic() - found.readAt < FRESH_MS) return found
    if (known.size >= MAX_WORKSPACES) known.clear()
    const begun: Known = { readAt: monotonic(), reading: read(workspaceId), labels: found?.labels }
    known.set(workspaceId, begun)
    void begun.reading.then((labels) => {
      begun.labels = labels ?? begun.labels
      // A failed read is repeated.
      if (!labels) begun.readAt = -Infinity
    })
    return begun
  }

  return {
    look: (workspaceId) => fresh(workspaceId).reading,
    now: (workspaceId) => fresh(workspaceId).labels,
    forget: (workspaceId) => void known.delete(workspaceId),
  }
}
