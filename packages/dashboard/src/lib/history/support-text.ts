import type { DeliveryWithAttempts } from '@keepsend/engine'
import { holdOf, phaseOf } from '../parts/status.tsx'
import { type Reader, showDuration } from '../reader/reader.ts'
import { errorName } from './errors.ts'

const MAX_ATTEMPTS = 20

/**
 * A delivery as lines of text, to send to somebody who helps: ids, times, states and the names of errors. It has no payload, no
 * answer of the receiver and no query of the URL, so no secret either.
 */
export function supportText(
  delivery: DeliveryWithAttempts,
  { eventId, url }: { eventId: string; url: string | undefined },
  reader: Reader,
): string {
  const { text } = reader
  const { id, workspaceId, type, endpointId, attempts, maxAttempts, createdAt, lastError, lastStatus, traceId } =
    delivery
  const phase = phaseOf(delivery)
  const error = phase === 'delivered' ? undefined : errorName({ error: lastError, httpStatus: lastStatus }, text)
  const facts: [name: string, value: string | null | undefined][] = [
    [text('fact.delivery'), id],
    [text('fact.event'), `${type}, ${eventId}`],
    [text('fact.endpoint'), [endpointId, url && withoutQuery(url)].filter(Boolean).join(', ')],
    [text('fact.workspace'), workspaceId],
    [text('column.status'), [text(`state.${phase}`), holdOf(delivery, reader)].filter(Boolean).join(', ')],
    [text('fact.published'), new Date(createdAt).toISOString()],
    [text('fact.attempts'), text('fact.attempts_of', { made: attempts, most: maxAttempts })],
    [text('column.last_error'), error],
    [text('fact.trace'), traceId],
  ]
  const made = (delivery.latestAttempts?.rows ?? []).slice(0, MAX_ATTEMPTS).map((attempt) => {
    const { number, startedAt, totalUs, httpStatus } = attempt
    const result = errorName(attempt, text) ?? httpStatus ?? text(`outcome.${attempt.outcome}`)
    const took = totalUs === null ? [] : [showDuration(reader, totalUs / 1000)]
    return [text('delivery.attempt', { number: number ?? 0 }), new Date(startedAt).toISOString(), result, ...took]
  })
  return [
    ...facts.flatMap(([name, value]) => (value ? [`${name}: ${value}`] : [])),
    ...made.map(([name, ...rest]) => `${name}: ${rest.join(', ')}`),
  ].join('\n')
}

function withoutQuery(url: string): string {
  const { origin, pathname } = new URL(url)
  return origin + pathname
}
