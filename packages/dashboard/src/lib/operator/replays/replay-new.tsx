import type { ReplayJob, ReplayPlan } from '@keepsend/engine'
import { planned } from '../../history/replay-counts.ts'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { FormToken } from '../../parts/form-token.tsx'
import { Refusal } from '../../parts/refusal.tsx'
import { showSpan } from '../../reader/durations.ts'
import type { Reader } from '../../reader/reader.ts'
import { isRefusal } from '../../site/refusals.ts'
import { type Page, type Visit, queryOf } from '../../site/visit.ts'
import { FIELDS, inputOf } from './replay-form.ts'
import { ReplayFields, type ReplayQuery } from './replay-fields.tsx'

// Jobs that are looked at for one that has not ended: an older one seldom still runs, and the engine refuses a second one anyway.
const LATEST = 100

/** The form of a replay. With a workspace it counts the deliveries that would be sent: a GET, so that the count can be repeated. */
export const replayNewPage: Page = {
  path: '/replays/new',
  section: 'replays',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const query = queryOf(visit, FIELDS)
    const { plan, problem } = await countOf(visit, query)
    const other = plan && (await unfinishedOf(visit, query))
    const title = text('replay.new')
    const head = <Head title={title} crumbs={<a href={link('replays')}>{text('nav.replays')}</a>} reader={reader} />
    if (plan?.planned === 0) return { title, main: [head, <Nothing query={query} reader={reader} />] }
    const types = engine.eventTypes().map(({ type }) => type)
    const main = (
      <>
        {head}
        {problem === undefined ? null : <Refusal problem={problem} reader={reader} />}
        <div class="with-aside wide-aside">
          <ReplayFields query={query} types={types} isCounted={plan !== undefined} reader={reader} />
          <aside aria-labelledby="h-count">
            <div class="sec stack">
              <h2 id="h-count">{text('replay.would')}</h2>
              {plan === undefined ? (
                <p class="dim">{text('replay.not_counted')}</p>
              ) : (
                <Counted plan={plan} other={other} query={query} reader={reader} />
              )}
            </div>
          </aside>
        </div>
      </>
    )
    return { title, main }
  },
}

/** Counts in bounded reads, once the form names a workspace; a filter that is refused is said in words. */
async function countOf({ engine, query }: Visit, { workspace }: ReplayQuery) {
  if (workspace === undefined || query('edit') !== undefined) return {}
  try {
    return { plan: await engine.replays.create(workspace, { ...inputOf(query), dryRun: true }) }
  } catch (error) {
    if (!isRefusal(error)) throw error
    return { problem: error.message }
  }
}

/** The replay in the way of this one: the engine runs one of an endpoint at a time, and one of several endpoints. */
async function unfinishedOf(
  { engine }: Visit,
  { workspace = '', endpoint }: ReplayQuery,
): Promise<ReplayJob | undefined> {
  const { rows } = await engine.replays.list(workspace, { limit: LATEST })
  return rows.find(({ endedAt, endpointId }) => endedAt === null && endpointId === (endpoint ?? null))
}

interface CountedParts {
  plan: ReplayPlan
  other: ReplayJob | undefined
  query: ReplayQuery
  reader: Reader
}

function Counted({ plan, other, query, reader }: CountedParts) {
  const { text, link, canAct, times } = reader
  const rate = Number(query.rate ?? 0)
  return (
    <>
      <p>
        <span class="huge">{planned(plan, reader)}</span> {text('replay.deliveries')}
      </p>
      <dl class="facts">
        <dt>{text('fact.workspace')}</dt>
        <dd>{query.workspace}</dd>
        {rate > 0 ? (
          <>
            <dt>{text('replay.takes')}</dt>
            <dd>
              {text('replay.takes_about', {
                span: showSpan(Math.max(1000, (plan.planned / rate) * 1000), text, 2),
                n: rate,
              })}
            </dd>
          </>
        ) : null}
        <dt>{text('replay.left_out')}</dt>
        <dd>{text('replay.left_out_what')}</dd>
        {plan.reachesBackTo === null ? null : (
          <>
            <dt>{text('replay.reaches')}</dt>
            <dd>{times.whole(plan.reachesBackTo)}</dd>
          </>
        )}
        <dt>{text('replay.counted')}</dt>
        <dd>{text('replay.until', { time: times.whole(plan.until) })}</dd>
      </dl>
      {other ? <Unfinished job={other} reader={reader} /> : null}
      {canAct && !other ? (
        <form method="post" action={link('replays')}>
          <FormToken reader={reader} />
          {Object.entries(query).map(([name, value]) =>
            value === undefined ? null : <input type="hidden" name={name} value={value} />,
          )}
          <button class="btn primary" type="submit">
            <Icon name="replay" />
            {plan.plannedMore
              ? text('replay.start_more', { n: plan.planned })
              : text('replay.start', { n: plan.planned })}
          </button>
        </form>
      ) : null}
      <p class="help">{text('replay.keeps')}</p>
    </>
  )
}

/** Why this replay cannot start yet, and the way to the one in its way. */
function Unfinished({ job: { id, endpointId }, reader: { text, link } }: { job: ReplayJob; reader: Reader }) {
  return (
    <>
      <p>{text(endpointId === null ? 'replay.several_unfinished' : 'replay.endpoint_unfinished')}</p>
      <a class="btn primary" href={link('replays', id)}>
        {text('replay.see_unfinished')}
      </a>
    </>
  )
}

/** A count of nothing, and the ways on. */
function Nothing({ query, reader: { text, link } }: { query: ReplayQuery; reader: Reader }) {
  const canMiss = query.what !== 'missed' && query.endpoint !== undefined
  return (
    <section class="empty">
      <div class="stack">
        <h2>{text('replay.nothing')}</h2>
        <p class="dim">{text('replay.nothing_why')}</p>
      </div>
      <div class="row">
        {canMiss ? (
          <a
            class="btn primary"
            href={link('replays', 'new', {
              what: 'missed',
              workspace: query.workspace,
              endpoint: query.endpoint,
              from: query.from,
              to: query.to,
            })}
          >
            {text('replay.count_missed')}
          </a>
        ) : null}
        <a class={canMiss ? 'btn' : 'btn primary'} href={link('replays', 'new', { ...query, edit: 1 })}>
          {text('replay.change')}
        </a>
      </div>
    </section>
  )
}
