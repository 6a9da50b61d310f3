import type { Endpoint } from '@keepsend/engine'
import { Moment } from '../../parts/moment.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { showSpan } from '../../reader/durations.ts'
import { type Reader, showSince } from '../../reader/reader.ts'

/** The endpoints with problems whose circuit is open; nothing while there is none. */
export function OpenCircuits({
  endpoints,
  openMs,
  reader,
}: {
  endpoints: Iterable<Endpoint>
  /** The time between two probes. */
  openMs: number
  reader: Reader
}) {
  const { text, link } = reader
  const open = [...endpoints].filter(({ status, circuit }) => status === 'enabled' && circuit === 'open')
  if (open.length === 0) return null
  return (
    <section>
      <div class="row between">
        <h2>{text('overview.circuits')}</h2>
        <span class="sub">{text('overview.probes', { span: showSpan(openMs, text) })}</span>
      </div>
      <ul class="list">
        {open.map(({ id, workspaceId, url, failingSince }) => (
          <li>
            <ShownUrl url={url} href={link('endpoints', workspaceId, id)} />
            <span class="sub nw">
              {failingSince === null
                ? ''
                : text.rich('problems.since', {
                    time: (
                      <Moment at={failingSince} reader={reader}>
                        {showSince(reader, failingSince)}
                      </Moment>
                    ),
                  })}
            </span>
          </li>
        ))}
      </ul>
    </section>
  )
}
