import type { DeliveryWithAttempts } from '@keepsend/engine'
import { byteLength } from '../../history/request.tsx'
import { breakable } from '../../parts/breakable.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'

export function DeliveryFacts({
  delivery,
  eventId,
  url,
  payload,
  reader,
}: {
  delivery: DeliveryWithAttempts
  eventId: string
  url: string | undefined
  payload: string | null
  reader: Reader
}) {
  const { text, link, times } = reader
  const { workspaceId, endpointId, createdAt, attempts, maxAttempts, traceId, deferrals, crashes } = delivery
  return (
    <dl class="facts">
      <dt>{text('fact.event')}</dt>
      <dd>
        <CopiedIdent id={eventId} label={text('copy.event_id')} href={link('published', workspaceId, eventId)} />
      </dd>
      <dt>{text('fact.endpoint')}</dt>
      <dd>
        {url === undefined ? (
          <span class="dim mono">{endpointId ?? '–'}</span>
        ) : (
          <a class="mono" href={link('endpoints', workspaceId, endpointId ?? '')}>
            {breakable(url)}
          </a>
        )}
      </dd>
      <dt>{text('fact.workspace')}</dt>
      <dd>
        <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
      </dd>
      <dt>{text('fact.published')}</dt>
      <dd>
        <Moment at={createdAt} reader={reader}>
          {times.exact(createdAt)}
        </Moment>
      </dd>
      {payload === null ? null : (
        <>
          <dt>{text('fact.payload')}</dt>
          <dd>{text('bytes', { n: byteLength(payload) })}</dd>
        </>
      )}
      <dt>{text('fact.attempts')}</dt>
      <dd>{text('fact.attempts_of', { made: attempts, most: maxAttempts })}</dd>
      {traceId === null ? null : (
        <>
          <dt>{text('fact.trace')}</dt>
          <dd>
            <CopiedIdent id={traceId} label={text('copy.id')} />
          </dd>
        </>
      )}
      <dt>{text('fact.waits')}</dt>
      <dd>{showNumber(reader, deferrals)}</dd>
      <dt>{text('fact.crashes')}</dt>
      <dd>{showNumber(reader, crashes)}</dd>
    </dl>
  )
}
