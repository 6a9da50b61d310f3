import type { FindOptions, OutboxDatabase } from '@keepsend/outbox'
import { hasIndex } from '../has-index.ts'
import type { EventQueue } from '../publish/event-queue.ts'

// Of `optional_list_indexes.sql`, which a host may have applied.
const OPTIONAL_INDEX = 'pending_events_workspace'

/**
 * How to find the rows of a workspace in any state.
 *
 * @param rowsStart rows that were dispatched to a queue are in no index of their workspace
 */
export function createAnyState(
  db: OutboxDatabase,
  rowsStart: EventQueue['rowsStart'],
): () => Promise<FindOptions['by']> {
  // The answer is cached, not its promise: on Workers a promise of a cancelled request never settles, and others would wait.
  let isIndexed: boolean | undefined
  return async () => {
    // An existing index is checked each time: it may be dropped, and the statement that uses it names it.
    if (isIndexed !== false) isIndexed = await hasIndex(db, OPTIONAL_INDEX)
    if (isIndexed) return 'workspace'
    return rowsStart === 'dispatched' ? 'keys' : 'parts'
  }
}
