import type { DeliveryState } from '@keepsend/engine'
import { EndpointDeliveries } from '../../history/endpoint-deliveries.tsx'
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
  const { text } = reader
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
        <EndpointDeliveries rows={rows} caption={text('endpoint.latest')} reads="operator" reader={reader} />
      )}
    </section>
  )
}
