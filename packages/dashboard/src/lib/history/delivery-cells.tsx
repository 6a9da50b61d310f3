import type { DeliveryState } from '@keepsend/engine'
import { type Reader, showUntil } from '../reader/reader.ts'
import { errorName } from './errors.ts'

/** The last status, or the name of the error where there was no answer. */
export function LastResponse({
  delivery: { lastStatus, lastError, status },
  reader: { text },
}: {
  delivery: DeliveryState
  reader: Reader
}) {
  const name = status === 'completed' ? undefined : errorName({ error: lastError, httpStatus: lastStatus }, text)
  const shown = lastStatus ?? name
  if (shown === undefined) return <span class="dim">–</span>
  return (
    <span class={name === undefined ? 'nw' : lastStatus === null ? 'failed tone' : 'failed tone nw'} title={name}>
      {shown}
    </span>
  )
}

/** When the next attempt of a delivery begins, in words; a dash if there is none. */
export function nextAttempt({ status, claimedAt, dueAt, holdReason }: DeliveryState, reader: Reader): string {
  const { text, now } = reader
  if (status === 'held') {
    if (holdReason === 'circuit_open') return text('next.after_probe')
    return text(holdReason === 'endpoint_disabled' ? 'next.when_enabled' : 'next.when_resumed')
  }
  if (status !== 'pending' || claimedAt !== null || dueAt === null) return '–'
  return dueAt <= now ? text('next.due') : text('time.in', { span: showUntil(reader, dueAt) })
}
