import type { Endpoint } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { Moment } from '../../parts/moment.tsx'
import { showSpan } from '../../reader/durations.ts'
import { type Reader, showDuration, showNumber } from '../../reader/reader.ts'

export function EndpointFacts({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, times } = reader
  const { workspaceId, description, eventTypes, channels, rateLimit, ratePeriod, headerNames, filter, uid } = endpoint
  const { concurrency, deadlineMs, retrySchedule, retryStatuses, eventVersion, createdAt, version } = endpoint
  const none = <span class="dim">{text('none')}</span>
  const list = (values: readonly (string | number)[]): Child =>
    values.length === 0 ? none : <span class="mono">{values.join(', ')}</span>
  return (
    <dl class="facts">
      <dt>{text('fact.workspace')}</dt>
      <dd>
        <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
      </dd>
      <dt>{text('fact.description')}</dt>
      <dd>{description === '' ? none : description}</dd>
      {uid === null ? null : (
        <>
          <dt>uid</dt>
          <dd class="mono">{uid}</dd>
        </>
      )}
      <dt>{text('fact.types')}</dt>
      <dd class="mono">{eventTypes.join(', ')}</dd>
      <dt>{text('fact.channels')}</dt>
      <dd>{channels.length === 0 ? text('form.all_channels') : list(channels)}</dd>
      <dt>{text('fact.filter')}</dt>
      <dd>{filter === null ? none : <span class="mono">{JSON.stringify(filter)}</span>}</dd>
      {eventVersion === null ? null : (
        <>
          <dt>{text('fact.event_version')}</dt>
          <dd class="mono">{eventVersion}</dd>
        </>
      )}
      <dt>{text('fact.rate')}</dt>
      <dd>{rateLimit === null ? none : text(`rate.${ratePeriod}`, { n: rateLimit })}</dd>
      <dt>{text('form.concurrency')}</dt>
      <dd>{concurrency === null ? text('default') : showNumber(reader, concurrency)}</dd>
      <dt>{text('fact.deadline')}</dt>
      <dd>{deadlineMs === null ? text('default') : showDuration(reader, deadlineMs)}</dd>
      <dt>{text('fact.retries')}</dt>
      <dd>
        {retrySchedule === null
          ? text('default')
          : text('fact.retries_in', {
              n: retrySchedule.length + 1,
              span: showSpan(1000 * retrySchedule.reduce((sum, wait) => sum + wait, 0), text, 2),
            })}
      </dd>
      <dt>{text('fact.also_retried')}</dt>
      <dd>{list(retryStatuses)}</dd>
      <dt>{text('fact.headers')}</dt>
      <dd>{list(headerNames)}</dd>
      <dt>{text('fact.created')}</dt>
      <dd>
        {text.rich('fact.created_version', {
          date: (
            <Moment at={createdAt} reader={reader}>
              {times.date(createdAt)}
            </Moment>
          ),
          version: String(version),
        })}
      </dd>
    </dl>
  )
}
