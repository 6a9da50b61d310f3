import type { DeliveryState } from '@keepsend/engine'
import { listedAt } from './delivery-state.tsx'
import { errorName } from './errors.ts'
import { Moment } from '../parts/moment.tsx'
import { Rail } from '../parts/rail.tsx'
import { ShownUrl } from '../parts/split.tsx'
import { DeliveryStatus, holdOf } from '../parts/status.tsx'
import { type Reader, showUntil } from '../reader/reader.ts'

/** Rows of deliveries in a table. */
export function DeliveryRows({
  rows,
  urls,
  picks = true,
  reader,
}: {
  rows: readonly DeliveryState[]
  /** The URLs of their endpoints, as far as they exist. */
  urls: ReadonlyMap<string, string>
  /** Whether a row can be chosen. @default true */
  picks?: boolean
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <>
      {rows.map((delivery) => {
        const { id, type, endpointId, workspaceId } = delivery
        const hold = holdOf(delivery, reader)
        const url = endpointId === null ? undefined : urls.get(endpointId)
        return (
          <tr>
            {picks ? (
              <td class="pick">
                <input type="checkbox" name="id" value={id} aria-label={text('deliveries.select', { id })} />
              </td>
            ) : null}
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
            <td class="n c tx">
              <LastResponse delivery={delivery} reader={reader} />
            </td>
            <td>
              <Rail delivery={delivery} reader={reader} />
            </td>
            <td class="n lo nw">{nextAttempt(delivery, reader)}</td>
            <td class="n d dim">
              <Moment at={listedAt(delivery)} reader={reader} />
            </td>
          </tr>
        )
      })}
    </>
  )
}

/** The last status, or the name of the error where there was no answer. */
export function LastResponse({
  delivery: { lastStatus, lastError, status },
  reader: { text },
}: {
  delivery: DeliveryState
  reader: Reader
}) {
  const name = status === 'completed' ? undefined : errorName({ error: lastError, httpStatus: lastStatus }, text)
  const shown = lastStatus ?? name
  if (shown === undefined) return <span class="dim">–</span>
  return (
    <span class={name === undefined ? 'nw' : lastStatus === null ? 'failed tone' : 'failed tone nw'} title={name}>
      {shown}
    </span>
  )
}

/** When the next attempt of a delivery begins, in words; a dash if there is none. */
export function nextAttempt({ status, claimedAt, dueAt, holdReason }: DeliveryState, reader: Reader): string {
  const { text, now } = reader
  if (status === 'held') {
    if (holdReason === 'circuit_open') return text('next.after_probe')
    return text(holdReason === 'endpoint_disabled' ? 'next.when_enabled' : 'next.when_resumed')
  }
  if (status !== 'pending' || claimedAt !== null || dueAt === null) return '–'
  return dueAt <= now ? text('next.due') : text('time.in', { span: showUntil(reader, dueAt) })
}
