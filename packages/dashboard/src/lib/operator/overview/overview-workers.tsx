import type { Worker } from '@keepsend/engine'
import { Moment } from '../../parts/moment.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'

export function Workers({ workers, reader }: { workers: readonly Worker[] | undefined; reader: Reader }) {
  const { text } = reader
  if (workers === undefined) return null
  return (
    <section>
      <div class="row between">
        <h2>{text('overview.workers')}</h2>
        <span class="sub">{text('overview.workers_seen')}</span>
      </div>
      {workers.length === 0 ? (
        <p class="failed tone">{text('overview.no_worker')}</p>
      ) : (
        <ul class="list">
          {workers.slice(0, 10).map(({ id, kind, seenAt, claimsPerSecond }) => (
            <li>
              <span class="mono">{id}</span>
              <span class="sub nw">
                {text.rich('overview.worker', {
                  kind: text(kind === 'poller' ? 'worker.poller' : 'worker.cron'),
                  rate: claimsPerSecond === null ? '–' : showNumber(reader, Math.round(claimsPerSecond * 10) / 10),
                  seen: <Moment at={seenAt} reader={reader} />,
                })}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  )
}
