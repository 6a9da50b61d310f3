import type { DeliveryState } from '@keepsend/engine'
import { Moment } from '../parts/moment.tsx'
import { Rail } from '../parts/rail.tsx'
import { ShownUrl } from '../parts/split.tsx'
import { DeliveryStatus, holdOf } from '../parts/status.tsx'
import { type Reader, showUntil } from '../reader/reader.ts'

/** Rows of deliveries in a table. */
export function DeliveryRows({
  rows,
  urls,
  reader,
}: {
  rows: readonly DeliveryState[]
  /** The URLs of their endpoints, as far as they exist. */
  urls: ReadonlyMap<string, string>
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <>
      {rows.map((delivery) => {
        const { id, type, endpointId, workspaceId, lastStatus, createdAt } = delivery
        const hold = holdOf(delivery, reader)
        const url = endpointId === null ? undefined : urls.get(endpointId)
        return (
          <tr>
            <td class="pick">
              <input type="checkbox" name="id" value={id} aria-label={text('deliveries.select', { id })} />
            </td>
            <td class="a nw">
              <a href={link('deliveries', id)}>
                <DeliveryStatus delivery={delivery} reader={reader} />
              </a>
              {hold === undefined ? null : <span class="dim"> {hold}</span>}
            </td>
            <td class="b">
              <a class="mono nw" href={link('deliveries', { type })}>
                {type}
              </a>
            </td>
            <td class="fill e">
              {url === undefined ? (
                <span class="dim mono">{endpointId ?? '–'}</span>
              ) : (
                <ShownUrl url={url} href={link('endpoints', workspaceId, endpointId ?? '')} />
              )}
            </td>
            <td class="xl dim nw">{workspaceId}</td>
            <td class="n c">
              {lastStatus === null ? (
                <span class="dim">–</span>
              ) : (
                <span class={lastStatus >= 300 ? 'failed tone nw' : 'nw'}>{lastStatus}</span>
              )}
            </td>
            <td>
              <Rail delivery={delivery} reader={reader} />
            </td>
            <td class="n lo nw">{nextAttempt(delivery, reader)}</td>
            <td class="n d dim">
              <Moment at={createdAt} reader={reader} />
            </td>
          </tr>
        )
      })}
    </>
  )
}

/** When the next attempt of a delivery begins, in words; a dash if there is none. */
export function nextAttempt({ status, claimedAt, dueAt, holdReason }: DeliveryState, reader: Reader): string {
  const { text, now } = reader
  if (status === 'held') return holdReason === 'circuit_open' ? text('next.after_probe') : text('next.when_resumed')
  if (status !== 'pending' || claimedAt !== null || dueAt === null) return '–'
  return dueAt <= now ? text('next.due') : text('time.in', { span: showUntil(reader, dueAt) })
}
