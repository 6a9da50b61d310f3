import type { TestAttempt } from '@keepsend/engine'
import { explainError, statusName } from '../history/errors.ts'
import { Body } from '../parts/json-view.tsx'
import { Moment } from '../parts/moment.tsx'
import { Status } from '../parts/status.tsx'
import { Waterfall, WaterfallPhases, scaleOf } from '../parts/waterfall.tsx'
import { type Reader, showDuration } from '../reader/reader.ts'

/** The answer to a test event, as its customer reads it. @param href of the request as it was sent */
export function TestAnswer({
  attempt,
  href,
  reader,
}: {
  attempt: TestAttempt
  href?: string | undefined
  reader: Reader
}) {
  const { text } = reader
  const { outcome, httpStatus, error, errorClass, totalUs, startedAt, headers, body } = attempt
  const explained = explainError({ error, httpStatus, errorClass }, text, 'customer')
  const isDelivered = outcome === 'delivered'
  const shown = Object.entries(headers ?? {})
  return (
    <section class="panel http" aria-labelledby="h-result">
      <header>
        <h2 id="h-result">{text('test.result')}</h2>
        <span class="sub">
          <Moment at={startedAt} reader={reader} />
        </span>
      </header>
      <div class="line-in row between">
        <Status tone={isDelivered ? 'delivered' : 'failed'} icon={isDelivered ? 'delivered' : 'failed'}>
          {explained?.name ?? (httpStatus === null ? text('delivery.no_response') : statusName(httpStatus))}
        </Status>
        {totalUs === null ? null : (
          <span class="dim">{text('test.took', { span: showDuration(reader, totalUs / 1000) })}</span>
        )}
      </div>
      {explained === undefined ? null : (
        <p>
          {explained.why} <b>{text('note.fix')}</b> {explained.fix}{' '}
          <a class="link" href={explained.docs}>
            {text('note.docs')}
          </a>
        </p>
      )}
      {totalUs === null ? null : (
        <div class="line-in">
          <Waterfall attempt={attempt} scaleUs={scaleOf([attempt])} reader={reader} />
          <WaterfallPhases attempt={attempt} reader={reader} />
        </div>
      )}
      {shown.length === 0 ? null : (
        <dl class="hdr">
          {shown.map(([name, value]) => (
            <>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </>
          ))}
        </dl>
      )}
      {body === null || body === '' ? null : <Body text={body} reader={reader} />}
      {href === undefined ? null : (
        <p>
          <a href={href}>{text('test.request')}</a>
        </p>
      )}
    </section>
  )
}
