import { type Endpoint, type EndpointProblem, type ProblemState, allWorkspaces } from '@keepsend/engine'
import { endpointsOf } from '../../history/endpoints-of.ts'
import { explainError } from '../../history/errors.ts'
import { unlessOff } from '../../history/unless-off.ts'
import type { PlainKey } from '../../language/text.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { Pager } from '../../parts/pager.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { type Reader, showNumber, showSince } from '../../reader/reader.ts'
import { type Page, queryOf } from '../../site/visit.ts'
import { problemName } from './problem-name.ts'

const PAGE_ROWS = 50
const LIVE_MS = 5000

const STATES: readonly (readonly [state: ProblemState, name: PlainKey])[] = [
  ['open', 'problem.open'],
  ['acknowledged', 'problem.acknowledged'],
  ['resolved', 'problem.resolved'],
]

/** The failures, once for each endpoint and kind of error. */
export const problemsPage: Page = {
  path: '/problems',
  section: 'problems',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link } = reader
    const query = queryOf(visit, ['state', 'workspace', 'endpoint', 'before'])
    const state = STATES.find(([one]) => one === query.state)?.[0] ?? 'open'
    const page = await unlessOff(() =>
      engine.problems.list(query.workspace ?? allWorkspaces, {
        state,
        endpointId: query.endpoint,
        before: query.before,
        limit: PAGE_ROWS,
      }),
    )
    const endpoints = await endpointsOf(engine, page?.rows ?? [])
    const title = text('nav.problems')
    const main = (
      <>
        <div class="head tabbed">
          <h1>{title}</h1>
        </div>
        <nav class="tabs" aria-label={text('column.state')}>
          {STATES.map(([one, name]) => (
            <a
              href={link('problems', { ...query, before: undefined, state: one })}
              aria-current={one === state ? 'page' : undefined}
            >
              {text(name)}
            </a>
          ))}
        </nav>
        {query.endpoint === undefined && query.workspace === undefined ? null : (
          <div class="chips">
            <span class="chip mono">{query.endpoint ?? query.workspace}</span>
            <a class="link" href={link('problems', { state })}>
              {text('problems.all')}
            </a>
          </div>
        )}
        {page === undefined ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('problems.off')}</h2>
              <p class="dim">{text('problems.no_history')}</p>
            </div>
          </section>
        ) : page.rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text(state === 'open' ? 'problems.none_open' : 'problems.none')}</h2>
              <p class="dim">{text(page.complete ? 'problems.what' : 'deliveries.none_yet')}</p>
            </div>
          </section>
        ) : (
          <table class="rows tall">
            <caption class="sr">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.problem')}</th>
                <th scope="col" class="n">
                  {text('nav.deliveries')}
                </th>
                <th scope="col" class="n">
                  {text('column.last')}
                </th>
                <th scope="col">
                  <span class="sr">{text('column.actions')}</span>
                </th>
              </tr>
            </thead>
            <tbody>
              {page.rows.map((problem) => (
                <Row problem={problem} endpoint={endpoints.get(problem.endpointId)} state={state} reader={reader} />
              ))}
            </tbody>
          </table>
        )}
        {page === undefined || page.rows.length === 0 ? null : (
          <Pager path={['problems']} query={query} next={page.next} reader={reader}>
            {text(page.complete ? 'problems.what' : 'deliveries.pager_incomplete')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: query.before === undefined && page ? LIVE_MS : undefined }
  },
}

function Row({
  problem,
  endpoint,
  state,
  reader,
}: {
  problem: EndpointProblem
  endpoint: Endpoint | undefined
  state: ProblemState
  reader: Reader
}) {
  const { text, link } = reader
  const { workspaceId, endpointId, errorClass, httpStatus, lastError, attempts, deliveries } = problem
  const explained = explainError({ error: lastError, httpStatus, errorClass }, text, 'operator')
  const [tone, icon] =
    state === 'resolved'
      ? (['delivered', 'delivered'] as const)
      : endpoint?.circuit === 'open'
        ? (['held', 'circuit-open'] as const)
        : (['failed', 'failed'] as const)
  const found = { endpoint: endpointId, workspace: workspaceId, time: '7d' }
  return (
    <tr>
      <td class="a fill tx">
        <span class={`status ${tone}`}>
          <Icon name={icon} />
          <a
            class="st"
            href={link(
              'deliveries',
              httpStatus === null ? { ...found, error: errorClass } : { ...found, code: httpStatus },
            )}
          >
            {problemName(problem, reader)}
          </a>
        </span>
        {explained ? (
          <p class="sub in">
            {explained.why} {explained.fix}{' '}
            <a class="link" href={explained.docs}>
              {text('note.docs')}
            </a>
          </p>
        ) : null}
        <span class="in row">
          {endpoint === undefined ? (
            <span class="mono">{endpointId}</span>
          ) : (
            <ShownUrl url={endpoint.url} href={link('endpoints', workspaceId, endpointId)} />
          )}
          <span class="sub">{workspaceId}</span>
          {endpoint?.circuit === 'open' ? <span class="tag warn">{text('hold.circuit_open')}</span> : null}
          {endpoint?.status === 'disabled' ? <span class="tag">{text('hold.endpoint_disabled')}</span> : null}
          {state === 'acknowledged' && problem.acknowledgedBy !== null ? (
            <span class="tag">{problem.acknowledgedBy}</span>
          ) : null}
        </span>
      </td>
      <td class="n c">
        <b>{showNumber(reader, deliveries)}</b>
        <br />
        <span class="sub">{text('problems.attempts', { n: attempts })}</span>
      </td>
      <td class="n d">
        <Moment at={problem.lastSeenAt} reader={reader} />
        <br />
        <span class="sub">
          {text.rich('problems.since', {
            time: (
              <Moment at={problem.firstSeenAt} reader={reader}>
                {showSince(reader, problem.firstSeenAt)}
              </Moment>
            ),
          })}
        </span>
      </td>
      <td class="n f">
        <Verbs problem={problem} state={state} reader={reader} />
      </td>
    </tr>
  )
}

function Verbs({ problem, state, reader }: { problem: EndpointProblem; state: ProblemState; reader: Reader }) {
  const { text, link, canAct } = reader
  const { id, workspaceId, endpointId, httpStatus, errorClass } = problem
  if (!canAct || state === 'resolved') return null
  return (
    <form class="row end" method="post" action={link('problems', workspaceId, id)}>
      <FormToken reader={reader} />
      {state === 'open' ? (
        <button class="btn sm" name="do" value="acknowledge" data-key="r">
          {text('problem.acknowledge')}
        </button>
      ) : null}
      <details class="menu">
        <summary class="btn sm icon" aria-label={text('more')}>
          <Icon name="more" />
        </summary>
        <ul>
          <li>
            <button name="do" value="resolve">
              <Icon name="check" />
              {text('problem.resolve')}
            </button>
          </li>
          <li>
            <a
              href={link('replays', 'new', {
                what: 'failed',
                workspace: workspaceId,
                endpoint: endpointId,
                error: httpStatus === null ? errorClass : undefined,
                code: httpStatus ?? undefined,
              })}
            >
              <Icon name="replay" />
              {text('note.all')}…
            </a>
          </li>
        </ul>
      </details>
    </form>
  )
}
