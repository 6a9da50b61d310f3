import type { Endpoint } from '@keepsend/engine'
import { Moment } from '../../parts/moment.tsx'
import { type Reader, showDuration } from '../../reader/reader.ts'

export function EndpointFacts({ endpoint, reader }: { endpoint: Endpoint; reader: Reader }) {
  const { text, link, times } = reader
  const {
    workspaceId,
    description,
    eventTypes,
    channels,
    rateLimit,
    ratePeriod,
    headerNames,
    signatures,
    auth,
    deadlineMs,
    filter,
    createdAt,
    uid,
  } = endpoint
  const none = <span class="dim">{text('none')}</span>
  return (
    <div class="sec">
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
        <dd>{channels.length === 0 ? none : <span class="mono">{channels.join(', ')}</span>}</dd>
        <dt>{text('fact.filter')}</dt>
        <dd>{filter === null ? none : <span class="mono">{JSON.stringify(filter)}</span>}</dd>
        <dt>{text('fact.rate')}</dt>
        <dd>{rateLimit === null ? none : text(`rate.${ratePeriod}`, { n: rateLimit })}</dd>
        <dt>{text('fact.deadline')}</dt>
        <dd>{deadlineMs === null ? text('default') : showDuration(reader, deadlineMs)}</dd>
        <dt>{text('fact.headers')}</dt>
        <dd>{headerNames.length === 0 ? none : <span class="mono">{headerNames.join(', ')}</span>}</dd>
        <dt>{text('fact.signed')}</dt>
        <dd class="mono">{signatures.join(', ')}</dd>
        <dt>{text('fact.auth')}</dt>
        <dd>{auth === null ? none : <span class="mono">{auth.type}</span>}</dd>
        <dt>{text('fact.created')}</dt>
        <dd>
          <Moment at={createdAt} reader={reader}>
            {times.date(createdAt)}
          </Moment>
        </dd>
      </dl>
    </div>
  )
}
