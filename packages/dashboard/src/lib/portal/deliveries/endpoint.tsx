import type { Endpoint } from '@keepsend/engine'
import { Icon } from '../../parts/icon.tsx'
import { EndpointHead } from '../endpoints/endpoint-head.tsx'
import { isDisabledBySender } from '../endpoints/who-disabled.ts'
import type { PortalPage, PortalVisit } from '../portal-visit.ts'
import { type AgainJobs, againJobsOf } from './again-jobs.ts'
import { AgainDone, AgainProgress } from './again-progress.tsx'
import { DeliveryList, hasNone, listOf } from './delivery-list.tsx'
import { Disabled } from './endpoint-disabled.tsx'
import { EndpointNote } from './endpoint-note.tsx'
import { type EndpointState, stateOf } from './endpoint-state.ts'
import { FirstSteps } from './first-steps.tsx'
import { rotatedBefore } from './rotated-before.ts'

const LIVE_MS = 5000
const REFRESH_S = 5

/** An endpoint: what arrived, what did not, and the way to mend it. */
export const portalEndpointPage: PortalPage = {
  path: '/endpoints/:id',
  section: 'endpoints',
  async show(visit) {
    const { engine, workspaceId, reader, param } = visit
    const endpoint = await engine.endpoints.get(workspaceId, param('id'))
    const state = await stateOf(visit, endpoint)
    const jobs = await againJobsOf(visit, endpoint.id)
    const listed = await listOf(visit, endpoint.id)
    const isFirst = engine.recordsAttempts === 'all' && (await hasNone(visit, endpoint.id, listed))
    const isDisabled = endpoint.status === 'disabled'
    const isRateLimited = listed.page?.rows.some(({ holdReason }) => holdReason === 'rate_limited') === true
    const main = (
      <>
        <EndpointHead
          endpoint={endpoint}
          current="deliveries"
          visit={visit}
          actions={
            isDisabled || isFirst ? undefined : <Actions endpoint={endpoint} state={state} jobs={jobs} visit={visit} />
          }
        />
        <Again jobs={jobs} reader={reader} />
        {isDisabled ? (
          <Disabled
            endpoint={endpoint}
            state={state}
            isBySender={await isDisabledBySender(visit, endpoint)}
            visit={visit}
          />
        ) : (
          <EndpointNote
            endpoint={endpoint}
            state={state}
            rotatedAt={await rotatedBefore(visit, endpoint, state)}
            isRateLimited={isRateLimited}
            visit={visit}
          />
        )}
        {isFirst ? (
          isDisabled ? null : (
            <FirstSteps endpointId={endpoint.id} visit={visit} />
          )
        ) : (
          <DeliveryList listed={listed} endpointId={endpoint.id} visit={visit} />
        )}
      </>
    )
    return {
      title: endpoint.url,
      main,
      liveMs: listed.filters.before === undefined ? LIVE_MS : undefined,
      refreshS: jobs.unfinished ? REFRESH_S : undefined,
    }
  },
}

function Again({ jobs: { unfinished, recent, nextAt }, reader }: { jobs: AgainJobs; reader: PortalVisit['reader'] }) {
  if (unfinished) return <AgainProgress job={unfinished} reader={reader} />
  return recent && nextAt !== undefined ? <AgainDone job={recent} nextAt={nextAt} reader={reader} /> : null
}

/** Failing: send again, what failed since then. Otherwise a test. */
function Actions({
  endpoint,
  state: { failed, trouble },
  jobs,
  visit: { reader, may },
}: {
  endpoint: Endpoint
  state: EndpointState
  jobs: AgainJobs
  visit: PortalVisit
}) {
  const { text, link } = reader
  const mayAgain = may('replays:write') && !jobs.unfinished
  if (mayAgain && trouble && failed && failed.planned > 0)
    return (
      <a class="btn primary" href={link('endpoints', endpoint.id, 'resend', { since: trouble.since })}>
        <Icon name="replay" />
        {failed.plannedMore ? text('portal.send_all_again') : text('portal.send_again_n', { n: failed.planned })}
      </a>
    )
  return (
    <>
      {mayAgain ? (
        <a class="btn" href={link('endpoints', endpoint.id, 'resend')}>
          <Icon name="replay" />
          {text('portal.send_again')}…
        </a>
      ) : null}
      {may('tests:send') ? (
        <a class="btn primary" href={link('endpoints', endpoint.id, 'test')}>
          <Icon name="test" />
          {text('endpoint.test')}
        </a>
      ) : null}
    </>
  )
}
