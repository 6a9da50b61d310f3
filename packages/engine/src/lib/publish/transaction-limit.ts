import { type SqlText, clock, raw, refuseRowsStatement, sqlText } from '@keepsend/outbox/internal'
import { type PreparedEvent, patternsOf } from './event.ts'
import { type PublishTarget, channelsOf, collects } from './fan-out.ts'

/**
 * The statement that fails if the events of one transaction together have more receivers than one publish may have; each
 * fan-out checks only its own. It stands before them, so that no insert is wasted. None for a single event.
 *
 * Receivers are counted only if the workspaces have enough endpoints to exceed the limit.
 */
export function transactionLimitStatements(target: PublishTarget, events: readonly PreparedEvent[]): SqlText[] {
  const { deliveriesPerPublish: most } = target
  if (most === undefined || events.length < 2) return []
  const { dialect } = target.db
  const most1 = raw(String(most + 1))
  const ofWorkspaces = [...Map.groupBy(events, ({ workspaceId }) => workspaceId)]
  const published = dialect.rows('published', ofWorkspaces, {
    workspace_id: ['text', ([workspaceId]) => workspaceId],
    events: ['integer', ([, own]) => own.length],
  })
  const numbered = events.map((event, n) => ({ event, n }))
  const wanted = dialect.rows(
    'wanted',
    numbered.flatMap(({ event, n }) =>
      patternsOf(event.type).map((pattern) => ({ n, pattern, workspaceId: event.workspaceId })),
    ),
    {
      n: ['integer', ({ n }) => n],
      workspace_id: ['text', ({ workspaceId }) => workspaceId],
      pattern: ['text', ({ pattern }) => pattern],
    },
  )
  const listened = dialect.rows(
    'listened',
    numbered.flatMap(({ event, n }) => channelsOf(event).map((channel) => ({ n, channel }))),
    { n: ['integer', ({ n }) => n], channel: ['text', ({ channel }) => channel] },
  )
  // The endpoints of each workspace times its events: no more receivers are possible.
  const possible = sqlText`
    select coalesce(sum(published.events * (
      select count(*) from (
        select 1 from keepsend_endpoints as one where one.workspace_id = published.workspace_id limit ${most1}) as found)), 0)
    from ${published}`
  const actual = sqlText`
    select count(*) from (
      select distinct wanted.n, endpoint.id
      from ${wanted} join ${listened} on listened.n = wanted.n
        join keepsend_subscriptions as subscription on subscription.workspace_id = wanted.workspace_id
          and subscription.pattern = wanted.pattern and subscription.channel = listened.channel
        join keepsend_endpoints as endpoint on endpoint.id = subscription.endpoint_id
          and endpoint.workspace_id = subscription.workspace_id and ${collects(target, clock())}
      limit ${most1}) as receiver`
  const atMost = raw(String(most))
  return [refuseRowsStatement(sqlText`case when (${possible}) > ${atMost} then (${actual}) > ${atMost} else 1 = 0 end`)]
}
