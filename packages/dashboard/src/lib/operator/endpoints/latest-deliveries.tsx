import type { DeliveryState } from '@keepsend/engine'
import { LastResponse, nextAttempt } from '../../history/delivery-rows.tsx'
import { Moment } from '../../parts/moment.tsx'
import { Rail } from '../../parts/rail.tsx'
import { DeliveryStatus, holdOf } from '../../parts/status.tsx'
import type { Reader } from '../../reader/reader.ts'

/** The latest deliveries of one endpoint. */
export function LatestDeliveries({
  rows,
  allHref,
  reader,
}: {
  rows: readonly DeliveryState[]
  allHref: string
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <section aria-labelledby="h-latest">
      <div class="sec-h">
        <h2 id="h-latest">{text('endpoint.latest')}</h2>
        <a class="sub link" href={allHref}>
          {text('endpoint.all')}
        </a>
      </div>
      {rows.length === 0 ? (
        <p class="sec dim">{text('endpoint.no_delivery')}</p>
      ) : (
        <table class="rows">
          <caption class="sr">{text('endpoint.latest')}</caption>
          <thead>
            <tr>
              <th scope="col">{text('column.status')}</th>
              <th scope="col">{text('column.type')}</th>
              <th scope="col" class="n">
                {text('column.response')}
              </th>
              <th scope="col">{text('column.attempts')}</th>
              <th scope="col" class="n lo">
                {text('column.next')}
              </th>
              <th scope="col" class="n">
                {text('column.created')}
              </th>
            </tr>
          </thead>
          <tbody>
            {rows.map((delivery) => (
              <tr>
                <td class="a nw">
                  <a href={link('deliveries', delivery.id)}>
                    <DeliveryStatus delivery={delivery} reader={reader} />
                  </a>{' '}
                  <span class="dim">{holdOf(delivery, reader) ?? ''}</span>
                </td>
                <td class="fill b mono nw">{delivery.type}</td>
                <td class="n c">
                  <LastResponse delivery={delivery} reader={reader} />
                </td>
                <td>
                  <Rail delivery={delivery} reader={reader} />
                </td>
                <td class="n lo nw">{nextAttempt(delivery, reader)}</td>
                <td class="n d dim">
                  <Moment at={delivery.createdAt} reader={reader} />
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
