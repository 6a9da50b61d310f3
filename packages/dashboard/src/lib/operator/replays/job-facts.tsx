import type { ReplayJob } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { ShownUrl } from '../../parts/split.tsx'
import { Moment } from '../../parts/moment.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'

/** The filter of a replay, its pace and its times. */
export function JobFacts({ job, url, reader }: { job: ReplayJob; url: string | undefined; reader: Reader }) {
  const { text, link, times } = reader
  const { workspaceId, endpointId, selection, rate, createdAt, endedAt, until, reachesBackTo } = job
  const time = (ms: number): Child => (
    <Moment at={ms} reader={reader}>
      {times.day(ms)}, {times.minute(ms)}
    </Moment>
  )
  return (
    <dl class="facts wide">
      <Fact name={text('fact.workspace')}>
        <a href={link('workspaces', workspaceId)}>{workspaceId}</a>
      </Fact>
      <Fact name={text('fact.endpoint')}>
        {endpointId === null ? (
          text('replay.all_endpoints')
        ) : url === undefined ? (
          <span class="mono">{endpointId}</span>
        ) : (
          <ShownUrl url={url} href={link('endpoints', workspaceId, endpointId)} />
        )}
      </Fact>
      <Fact name={text('fact.filter')}>
        <span class="mono">{filterOf(selection) || text('none')}</span>
      </Fact>
      {reachesBackTo === null ? null : <Fact name={text('replay.reaches')}>{time(reachesBackTo)}</Fact>}
      <Fact name={text('replay.counted')}>{time(until)}</Fact>
      <Fact name={text('replay.started')}>{time(createdAt)}</Fact>
      {endedAt === null ? null : <Fact name={text('replay.ended')}>{time(endedAt)}</Fact>}
      <Fact name={text('replay.rate')}>{rate === null ? '–' : showNumber(reader, rate)}</Fact>
      <Fact name={text('replay.interrupted')}>{text('replay.goes_on')}</Fact>
    </dl>
  )
}

/** The filter without the times and the endpoint, which stand beside it. */
function filterOf(selection: ReplayJob['selection']): string {
  return Object.entries(selection ?? {})
    .filter(([name, value]) => !['since', 'until', 'endpointId', 'what', 'ids'].includes(name) && value !== undefined)
    .map(([name, value]) => `${name}: ${String(value)}`)
    .join(', ')
}

function Fact({ name, children }: { name: string; children: Child }) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>{children}</dd>
    </div>
  )
}
