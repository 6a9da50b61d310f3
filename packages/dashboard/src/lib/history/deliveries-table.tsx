import type { DeliveryState } from '@keepsend/engine'
import { listedAt } from './delivery-state.tsx'
import { LastResponse, nextAttempt } from './delivery-cells.tsx'
import { Moment } from '../parts/moment.tsx'
import { Rail } from '../parts/rail.tsx'
import { ShownUrl } from '../parts/split.tsx'
import { DeliveryStatus, holdOf } from '../parts/status.tsx'
import type { Reader } from '../reader/reader.ts'

interface DeliveriesParts {
  rows: readonly DeliveryState[]
  /** The URLs of their endpoints, as far as they exist. */
  urls: ReadonlyMap<string, string>
  caption: string
  /** Whether a row can be chosen. @default true */
  picks?: boolean
  reader: Reader
}

/** Deliveries to any endpoints. */
export function DeliveriesTable({ rows, urls, caption, picks = true, reader }: DeliveriesParts) {
  const { text } = reader
  return (
    <table class="rows">
      <caption class="sr">{caption}</caption>
      <thead>
        <tr>
          {picks ? (
            <th scope="col" class="pick">
              <input class="js" type="checkbox" data-all aria-label={text('deliveries.select_all')} />
            </th>
          ) : null}
          <th scope="col">{text('column.status')}</th>
          <th scope="col">{text('column.type')}</th>
          <th scope="col">{text('column.endpoint')}</th>
          <th scope="col" class="xl">
            {text('column.workspace')}
          </th>
          <th scope="col" class="n">
            {text('column.response')}
          </th>
          <th scope="col">{text('column.attempts')}</th>
          <th scope="col" class="n lo">
            {text('column.next')}
          </th>
          <th scope="col" class="n">
            {text('column.when')}
          </th>
        </tr>
      </thead>
      <tbody>
        {rows.map((delivery) => (
          <Row delivery={delivery} url={urls.get(delivery.endpointId ?? '')} picks={picks} reader={reader} />
        ))}
      </tbody>
    </table>
  )
}

interface RowParts extends Pick<DeliveriesParts, 'picks' | 'reader'> {
  delivery: DeliveryState
  url: string | undefined
}

function Row({ delivery, url, picks, reader }: RowParts) {
  const { text, link } = reader
  const { id, type, endpointId, workspaceId } = delivery
  const hold = holdOf(delivery, reader)
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
}
