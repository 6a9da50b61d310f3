import type { Attempt } from '@keepsend/engine'
import { shownText, statusName } from './errors.ts'
import { Body } from '../parts/json-view.tsx'
import { sayPhases } from '../parts/waterfall.tsx'
import { type Reader, type Reads, showDuration } from '../reader/reader.ts'

export function AttemptHead({ attempt, reader }: { attempt: Attempt; reader: Reader }) {
  const { text, times } = reader
  return (
    <div class="sec-h">
      <h2>
        {text('delivery.attempt', { number: attempt.number ?? 0 })}{' '}
        <span class="sub">
          {attempt.totalUs === null
            ? times.fine(attempt.startedAt)
            : text('delivery.attempt_took', {
                time: times.fine(attempt.startedAt),
                span: showDuration(reader, attempt.totalUs / 1000),
              })}
        </span>
      </h2>
      <span class="sub">{sayPhases(attempt, reader)}</span>
    </div>
  )
}

/** The engine stores this in place of a credential. */
const REDACTED = '[redacted]'

/** The answer to an attempt, as far as it is stored. */
export function Response({ attempt, reads, reader }: { attempt: Attempt; reads: Reads; reader: Reader }) {
  const { text } = reader
  const headers = Object.entries(attempt.headers ?? {})
  return (
    <>
      <p class="line">
        <span class={attempt.outcome === 'delivered' ? '' : 'failed tone'}>
          {attempt.httpStatus === null
            ? (shownText(attempt, reads) ?? text('delivery.no_response'))
            : statusName(attempt.httpStatus)}
        </span>
      </p>
      {headers.length === 0 ? null : (
        <dl class="hdr">
          {headers.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value === REDACTED ? <span class="dim">{text('delivery.value_hidden')}</span> : value}</dd>
            </>
          ))}
        </dl>
      )}
      {attempt.body === null ? (
        <p class="dim">{text(reads === 'operator' ? 'delivery.no_body' : 'portal.no_body')}</p>
      ) : (
        <Body text={attempt.body} reader={reader} />
      )}
    </>
  )
}
