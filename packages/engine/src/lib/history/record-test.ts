import type { ClaimRef, OutboxDatabase, TakenEvent } from '@keepsend/outbox'
import { type SqlText, joined, raw, sqlText } from '@keepsend/outbox/internal'
import type { AttemptRecord } from '../outcome.ts'
import type { AttemptEnd } from './attempt-end.ts'
import { nextAttemptId } from './attempt-id.ts'
import { ATTEMPT_VALUES, INSERT_ATTEMPTS } from './record-attempts.ts'

/** A test that a process sent itself: it has no row and no claim. */
export interface RecordedTest
  extends ClaimRef, AttemptRecord, AttemptEnd, Pick<TakenEvent, 'workspaceId' | 'endpointId' | 'type'> {}

/** Records the attempt of a test. */
export function recordTestStatement({ dialect }: Pick<OutboxDatabase, 'dialect'>, test: RecordedTest): SqlText {
  const values = Object.values(ATTEMPT_VALUES).map(
    ([kind, valueOf]) => sqlText`cast(${valueOf(test)} as ${kind === 'text' ? raw('text') : raw('bigint')})`,
  )
  return sqlText`
    ${INSERT_ATTEMPTS}
    select ${nextAttemptId(dialect.name, raw('0'))}, cast(${test.id} as text), ${raw(String(test.gen))}, cast(${test.workspaceId} as text),
      cast(${test.endpointId} as text), cast(${test.type} as text), 1, 'test', null, ${joined(values, ', ')}`
}
