import type { Endpoint, EndpointProblem } from '@keepsend/engine'
import { problemName } from '../problems/problem-name.ts'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'

export function ProblemList({
  problems,
  endpoints,
  reader,
}: {
  problems: readonly EndpointProblem[] | undefined
  /** As far as they exist. */
  endpoints: ReadonlyMap<string, Endpoint>
  reader: Reader
}) {
  const { text, link } = reader
  // Warnings are absent while nothing is wrong.
  if (problems === undefined || problems.length === 0) return null
  return (
    <section aria-labelledby="h-problems">
      <div class="sec-h">
        <h2 id="h-problems">{text('overview.attention')}</h2>
        <a class="sub link" href={link('problems')}>
          {text('overview.all_problems')}
        </a>
      </div>
      <table class="rows">
        <caption class="sr">{text('overview.attention')}</caption>
        <thead>
          <tr>
            <th scope="col">{text('column.problem')}</th>
            <th scope="col">{text('column.endpoint')}</th>
            <th scope="col" class="lo">
              {text('column.workspace')}
            </th>
            <th scope="col" class="n">
              {text('nav.deliveries')}
            </th>
            <th scope="col" class="n lo">
              {text('column.first')}
            </th>
            <th scope="col" class="n">
              {text('column.last')}
            </th>
            <th scope="col" class="n lo">
              <span class="sr">{text('column.state')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {problems.map((problem) => {
            const { workspaceId, endpointId, deliveries, firstSeenAt, lastSeenAt } = problem
            const endpoint = endpoints.get(endpointId)
            const isOpen = endpoint?.circuit === 'open'
            return (
              <tr>
                <td class="a">
                  <a
                    class={isOpen ? 'status held' : 'status failed'}
                    href={link('problems', { endpoint: endpointId, workspace: workspaceId })}
                  >
                    <Icon name={isOpen ? 'circuit-open' : 'failed'} />
                    <span class="st">{problemName(problem, reader)}</span>
                  </a>
                </td>
                <td class="fill b">
                  {endpoint === undefined ? (
                    <span class="mono dim">{endpointId}</span>
                  ) : (
                    <ShownUrl url={endpoint.url} href={link('endpoints', workspaceId, endpointId)} />
                  )}
                </td>
                <td class="lo dim nw">{workspaceId}</td>
                <td class="n c">{showNumber(reader, deliveries)}</td>
                <td class="n lo dim">
                  <Moment at={firstSeenAt} reader={reader} />
                </td>
                <td class="n d dim">
                  <Moment at={lastSeenAt} reader={reader} />
                </td>
                <td class="n lo">
                  {isOpen ? <span class="tag warn">{text('hold.circuit_open')}</span> : null}
                  {endpoint?.status === 'disabled' ? <span class="tag">{text('hold.endpoint_disabled')}</span> : null}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
    </section>
  )
}
