import type { Attempt, DeliveryWithAttempts } from '@keepsend/engine'
import { errorName, statusName } from './errors.ts'
import { Moment } from '../parts/moment.tsx'
import { Status } from '../parts/status.tsx'
import { Waterfall, WaterfallLegend, scaleOf } from '../parts/waterfall.tsx'
import { type Reader, type Reads, showDuration, showUntil } from '../reader/reader.ts'

export function Attempts({
  delivery,
  attempts,
  chosen,
  reads,
  reader,
}: {
  delivery: DeliveryWithAttempts
  attempts: readonly Attempt[]
  chosen: Attempt | undefined
  reads: Reads
  reader: Reader
}) {
  const { text, times, link } = reader
  const scaleUs = scaleOf(attempts)
  const ticks = [0, 1, 2, 3].map((part) => showDuration(reader, (part * scaleUs) / 3000))
  return (
    <section aria-labelledby="h-att">
      <div class="sec-h">
        <h2 id="h-att">
          {text('delivery.attempts')}{' '}
          <span class="sub">{text('fact.attempts_of', { made: delivery.attempts, most: delivery.maxAttempts })}</span>
        </h2>
        {attempts.length === 0 ? null : <WaterfallLegend reader={reader} />}
      </div>
      {attempts.length === 0 ? (
        <p class="sec dim">{noAttempt(delivery, reads, reader)}</p>
      ) : (
        <table class="attempts rows">
          <caption class="sr">{text('delivery.attempts')}</caption>
          <thead>
            <tr>
              <th scope="col" class="n">
                <span class="sr">{text('column.number')}</span>
              </th>
              <th scope="col">{text(reads === 'operator' ? 'column.outcome' : 'portal.column_answer')}</th>
              <th scope="col">
                {text(reads === 'operator' ? 'column.began' : 'portal.column_sent', { zone: times.zone })}
              </th>
              <th scope="col">
                <span class="axis">
                  {ticks.map((tick) => (
                    <span>{tick}</span>
                  ))}
                </span>
              </th>
              <th scope="col" class="n">
                {text('column.took')}
              </th>
            </tr>
          </thead>
          <tbody>
            {attempts.toReversed().map((attempt) => (
              <tr class={attempt === chosen ? 'on' : undefined}>
                <td class="n dim">{attempt.number}</td>
                <td class="a nw">
                  <a
                    href={link('deliveries', delivery.id, { attempt: attempt.id })}
                    aria-current={attempt === chosen ? 'true' : undefined}
                  >
                    <AttemptStatus attempt={attempt} reader={reader} />
                  </a>
                </td>
                <td class="b nw dim">
                  <Moment at={attempt.startedAt} reader={reader}>
                    {times.fine(attempt.startedAt)}
                  </Moment>
                </td>
                <td class="fill e">
                  <Waterfall attempt={attempt} scaleUs={scaleUs} reader={reader} />
                </td>
                <td class="n c">{attempt.totalUs === null ? '–' : showDuration(reader, attempt.totalUs / 1000)}</td>
              </tr>
            ))}
            {delivery.status === 'pending' && delivery.claimedAt === null && delivery.dueAt !== null ? (
              <tr class="todo">
                <td class="n">{delivery.attempts + 1}</td>
                <td class="a nw">
                  <Status tone="pending" icon="pending">
                    {text('delivery.next_attempt')}
                  </Status>
                </td>
                <td class="b nw">
                  <Moment at={delivery.dueAt} reader={reader}>
                    {times.clock(delivery.dueAt)}
                  </Moment>
                </td>
                <td class="fill e" />
                <td class="n c">
                  {delivery.dueAt <= reader.now
                    ? text('next.due')
                    : text('time.in', { span: showUntil(reader, delivery.dueAt) })}
                </td>
              </tr>
            ) : null}
          </tbody>
        </table>
      )}
    </section>
  )
}

export function noAttempt({ latestAttempts }: DeliveryWithAttempts, reads: Reads, { text }: Reader): string {
  if (latestAttempts !== undefined) return text('delivery.no_attempt')
  return text(reads === 'operator' ? 'delivery.no_history' : 'portal.no_history')
}

function AttemptStatus({ attempt, reader: { text } }: { attempt: Attempt; reader: Reader }) {
  const { outcome, httpStatus } = attempt
  const shown = errorName(attempt, text) ?? (httpStatus === null ? text(`outcome.${outcome}`) : statusName(httpStatus))
  if (outcome === 'delivered')
    return (
      <Status tone="delivered" icon="delivered">
        {shown}
      </Status>
    )
  return (
    <Status
      tone={outcome === 'failed' || outcome === 'retry' ? 'failed' : 'held'}
      icon={outcome === 'deferred' ? 'held' : 'failed'}
    >
      {shown}
    </Status>
  )
}
