import type { DeliveryState } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Moment } from '../parts/moment.tsx'
import { holdOf, phaseOf } from '../parts/status.tsx'
import { type Reader, showUntil } from '../reader/reader.ts'

/** The next step of a delivery, beside its state. */
export function nextInWords(delivery: DeliveryState, reader: Reader): Child {
  const { text } = reader
  const phase = phaseOf(delivery)
  if (phase === 'held') return holdOf(delivery, reader) ?? ''
  if (phase === 'failed') return text('delivery.no_further')
  if (phase === 'pending' && delivery.dueAt !== null) {
    return delivery.dueAt <= reader.now
      ? text('next.due')
      : text.rich('delivery.next', {
          span: (
            <Moment at={delivery.dueAt} reader={reader}>
              {showUntil(reader, delivery.dueAt)}
            </Moment>
          ),
          time: reader.times.clock(delivery.dueAt),
        })
  }
  return ''
}

/** The time of a delivery in a list, which is in the order of these: when it was delivered, else when its event was published. */
export function listedAt({ status, completedAt, createdAt }: DeliveryState): number {
  return status === 'completed' ? (completedAt ?? createdAt) : createdAt
}
