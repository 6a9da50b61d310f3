import { type Engine } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { CHART_RANGES, totalOf } from '../../history/attempt-charts.tsx'
import { unlessOff } from '../../history/unless-off.ts'
import { Head } from '../../parts/head.tsx'
import type { Reader } from '../../reader/reader.ts'

const DAY = CHART_RANGES['24h']

export type WorkspaceTab = 'links' | 'keys'

/** The last 24 hours of a workspace; undefined without statistics. */
export async function dayOfWorkspace(engine: Engine, workspaceId: string, now: number): Promise<DayTotal | undefined> {
  const series = await unlessOff(() => engine.statistics.series(workspaceId, { by: DAY.by, since: now - DAY.ms }))
  return series && totalOf(series.buckets)
}

export type DayTotal = ReturnType<typeof totalOf>

/** The head of the pages of one workspace, and its tabs. */
export function WorkspaceHead({
  id,
  tab,
  day,
  actions,
  reader,
}: {
  id: string
  tab: WorkspaceTab
  day: DayTotal | undefined
  actions?: Child
  reader: Reader
}) {
  const { text, link } = reader
  return (
    <>
      <Head
        title={id}
        kind="tabbed"
        crumbs={<a href={link('workspaces')}>{text('nav.workspaces')}</a>}
        beside={
          day ? (
            <span class="sub">{text('workspace.day', { delivered: day.delivered, failed: day.failed })}</span>
          ) : undefined
        }
        actions={actions}
        reader={reader}
      />
      <nav class="tabs" aria-label={text('column.workspace')}>
        <a href={link('workspaces', id)} aria-current={tab === 'links' ? 'page' : undefined}>
          {text('links.title')}
        </a>
        <a href={link('workspaces', id, 'keys')} aria-current={tab === 'keys' ? 'page' : undefined}>
          {text('keys.title')}
        </a>
        <a href={link('endpoints', { workspace: id })}>{text('nav.endpoints')}</a>
        <a href={link('deliveries', { workspace: id })}>{text('nav.deliveries')}</a>
      </nav>
    </>
  )
}
