import type { DeliveryState } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import { Moment } from '../parts/moment.tsx'
import { Rail } from '../parts/rail.tsx'
import { DeliveryStatus, holdOf } from '../parts/status.tsx'
import type { Reader, Reads } from '../reader/reader.ts'
import { LastResponse, nextAttempt } from './delivery-cells.tsx'
import { listedAt } from './delivery-state.tsx'

const RESPONSE: Readonly<Record<Reads, PlainKey>> = { operator: 'column.response', customer: 'portal.column_answer' }

/** The deliveries of one endpoint. */
export function EndpointDeliveries({
  rows,
  caption,
  reads,
  reader,
}: {
  rows: readonly DeliveryState[]
  caption: string
  reads: Reads
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <table class="rows">
      <caption class="sr">{caption}</caption>
      <thead>
        <tr>
          <th scope="col">{text('column.status')}</th>
          <th scope="col">{text('column.type')}</th>
          <th scope="col">{text('column.attempts')}</th>
          <th scope="col" class="n">
            {text(RESPONSE[reads])}
          </th>
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
          <tr>
            <td class="a nw">
              <a href={link('deliveries', delivery.id)}>
                <DeliveryStatus delivery={delivery} reads={reads} reader={reader} />
              </a>
              {reads === 'operator' ? <span class="dim"> {holdOf(delivery, reader) ?? ''}</span> : null}
            </td>
            <td class="b mono nw">{delivery.type}</td>
            <td>
              <Rail delivery={delivery} reader={reader} />
            </td>
            <td class="n c tx">
              <LastResponse delivery={delivery} reader={reader} />
            </td>
            <td class="n lo nw">{nextAttempt(delivery, reader)}</td>
            <td class="n d dim">
              <Moment at={listedAt(delivery)} reader={reader} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  )
}
