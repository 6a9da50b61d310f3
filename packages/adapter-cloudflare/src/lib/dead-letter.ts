import type { DeliveryOutcome } from '@keepsend/engine'
import { attemptNumber, errorFields } from '@keepsend/engine/internal'
import { type TakenEvent, beginEvents } from '@keepsend/outbox'
import type { QueueBatch } from './bindings.ts'
import { insertEvent, retryLater } from './consumer.ts'
import { sortMessages } from './message.ts'
import type { QueuePolicy } from './queue-policy.ts'

/** The sweep sends another message after this: the cause of a hundred failures may be over by then. */
const RETRY_MS = 300_000

const REASON = 'dead_letter: the queue gave up on the message'

/**
 * Consumes a batch of the dead-letter queue: messages that were delivered a hundred times and never acknowledged. Each row
 * counts an attempt, with the reason: it fails, or the sweep dispatches it again. Sends nothing itself. Never rejects.
 */
export async function consumeDeadLetters(policy: QueuePolicy, batch: QueueBatch): Promise<void> {
  const { engine } = policy
  const { named, events } = sortMessages(batch.messages, engine.logger)
  for (const { message, event } of events) await insertEvent(policy, message, event)
  try {
    // Rows that have moved on have another message or a due time; their old messages are acknowledged.
    const { current } = await beginEvents(
      engine.db,
      named.map(({ ref }) => ref),
    )
    const notWritten = new Set<string>()
    const ended = current.map((row) => ({ claim: row, outcome: outcomeOf(row) }))
    const { results, storageError } = await engine.worker.settleEach(ended)
    if (storageError !== undefined) {
      const outcomes = results.filter(({ settle }) => settle === 'unsettled').length
      engine.logger.error(
        { ...errorFields(storageError), outcomes },
        'failed to record dead letters; their messages will come back',
      )
    }
    for (const { finished, settle } of results) {
      const { claim, outcome } = finished
      if (settle === 'settled') engine.logger.error({ deliveryId: claim.id, outcome: outcome.kind }, REASON)
      if (settle === 'refused' || settle === 'unsettled') notWritten.add(claim.id)
    }
    for (const { message, ref } of named) {
      if (notWritten.has(ref.id)) retryLater(message)
      else message.ack()
    }
  } catch (error) {
    engine.logger.error(
      { ...errorFields(error), messages: named.length },
      'failed to settle dead letters; their messages will come back',
    )
    for (const { message } of named) retryLater(message)
  }
}

function outcomeOf(row: TakenEvent): DeliveryOutcome {
  return attemptNumber(row) >= row.maxAttempts
    ? { kind: 'fail', error: REASON }
    : { kind: 'reschedule', delayMs: RETRY_MS, deferral: false, error: REASON }
}
