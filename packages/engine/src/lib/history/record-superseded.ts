import type { ClaimRef, OutboxDatabase, TakenEvent } from '@keepsend/outbox'
import { type RowSource, eventIdIn, joined, raw, sqlText } from '@keepsend/outbox/internal'
import { type Logger, errorFields } from '../logger.ts'
import type { FinishedDelivery } from '../outcome.ts'
import { TEST_TYPE, attemptEnd } from './attempt-end.ts'
import { nextAttemptId } from './attempt-id.ts'
import { BRIEFLY } from './attempt-partitions.ts'
import type { HistoryOptions } from './history-options.ts'
import { ATTEMPT_VALUES, type RecordedAttempt } from './record-attempts.ts'
import { isErased } from './tombstones.ts'

interface Superseded extends RecordedAttempt {
  claim: TakenEvent
}

/**
 * Records attempts whose settle was lost: the receiver saw them, and another worker owns their deliveries. After the settle, in a
 * statement of its own, and never beside another attempt of the same claim: the settle may have been committed without an
 * answer. Never rejects, and waits for a lock only briefly: the leases of the settle's next claim run.
 */
export async function recordSuperseded(
  { db, history, logger }: { db: OutboxDatabase; history: HistoryOptions | undefined; logger: Logger },
  finished: readonly FinishedDelivery[],
  lost: readonly ClaimRef[],
): Promise<void> {
  if (history?.attempts !== 'all') return
  const gone = new Set(lost)
  const attempts: Superseded[] = []
  for (const { claim, outcome } of finished) {
    const end = attemptEnd(outcome)
    // A claim without its columns is of a caller that has no delivery.
    if (gone.has(claim) && end && outcome.record && 'workspaceId' in claim)
      attempts.push({ id: claim.id, gen: claim.gen, claim, ...outcome.record, ...end })
  }
  if (attempts.length === 0) return
  try {
    await db.atomic([...(db.dialect.name === 'postgres' ? [BRIEFLY] : []), insertStatement(db, attempts)])
  } catch (error) {
    logger.error(
      { deliveryIds: attempts.slice(0, 10).map(({ id }) => id), ...errorFields(error) },
      'failed to record attempts that other workers superseded',
    )
  }
}

const attemptsBefore = ({ attempts, claimedAt }: TakenEvent): number => attempts - (claimedAt === null ? 0 : 1)

// As a settle records them from the row: see record-attempts.ts.
const COLUMNS = {
  delivery_id: ['text', ({ id }) => id],
  gen: ['integer', ({ gen }) => gen],
  workspace_id: ['text', ({ claim }) => claim.workspaceId],
  endpoint_id: ['text', ({ claim }) => claim.endpointId],
  event_type: ['text', ({ claim }) => claim.type],
  number: ['integer', ({ claim }) => attemptsBefore(claim) + 1],
  reason: ['text', ({ claim }) => reasonOf(claim)],
  ...ATTEMPT_VALUES,
  outcome: ['text', () => 'superseded'],
} satisfies RowSource<Superseded>

function reasonOf(claim: TakenEvent): string {
  if (claim.type === TEST_TYPE) return 'test'
  if (claim.replayedAt !== null) return 'replay'
  return attemptsBefore(claim) === 0 ? 'publish' : 'retry'
}

function insertStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, attempts: readonly Superseded[]) {
  const placed = attempts.map((attempt, place) => ({ ...attempt, place }))
  const names = Object.keys(COLUMNS)
  const source: RowSource<(typeof placed)[number]> = { place: ['integer', ({ place }) => place], ...COLUMNS }
  return sqlText`
    insert into keepsend_attempts (id, ${raw(names.join(', '))})
    select ${nextAttemptId(dialect.name, raw('item.place'))}, ${joined(
      names.map((name) => raw(`item.${name}`)),
      ', ',
    )}
    from ${dialect.rows('item', placed, source)}
    where not exists (
      select 1 from keepsend_attempts as other where other.delivery_id = item.delivery_id and other.gen = item.gen)
      and not ${OF_ERASED}`
}

/** A delivery that was erased while it was in flight: nothing of it comes back. */
const OF_ERASED = isErased({
  workspaceId: raw('item.workspace_id'),
  eventId: eventIdIn(raw('item.delivery_id')),
  endpointId: raw('item.endpoint_id'),
})
