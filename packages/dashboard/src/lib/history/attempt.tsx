import type { Attempt } from '@keepsend/engine'
import { Body } from '../parts/json-view.tsx'
import { sayPhases } from '../parts/waterfall.tsx'
import { type Reader, showDuration } from '../reader/reader.ts'

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

export function Response({ attempt, reader }: { attempt: Attempt; reader: Reader }) {
  const { text } = reader
  const headers = Object.entries(attempt.headers ?? {})
  return (
    <>
      <p class="line">
        <span class={attempt.outcome === 'delivered' ? '' : 'failed tone'}>
          {attempt.httpStatus === null ? (attempt.error ?? text('delivery.no_response')) : `HTTP ${attempt.httpStatus}`}
        </span>
      </p>
      {headers.length === 0 ? null : (
        <dl class="hdr">
          {headers.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
      )}
      {attempt.body === null ? (
        <p class="dim">{text('delivery.no_body')}</p>
      ) : (
        <Body text={attempt.body} reader={reader} />
      )}
    </>
  )
}
