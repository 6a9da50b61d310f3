import {
  ERROR_CLASSES,
  EngineError,
  HTTP_EXPLANATIONS,
  type EndpointProblem,
  type ProblemState,
  allWorkspaces,
} from '@keepsend/engine'
import type { PlainKey } from '../../language/text.ts'
import { Icon } from '../../parts/icon.tsx'
import { Moment } from '../../parts/moment.tsx'
import { Pager } from '../../parts/pager.tsx'
import { ShownUrl } from '../../parts/split.tsx'
import { type Reader, showNumber } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { type Action, type Page, queryOf } from '../../site/visit.ts'
import { urlsOf } from '../../history/urls-of.ts'
import { unlessOff } from '../../history/unless-off.ts'

const PAGE_ROWS = 50

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
    const query = queryOf(visit, ['state', 'before'])
    const state = STATES.find(([one]) => one === query.state)?.[0] ?? 'open'
    const page = await unlessOff(() =>
      engine.problems.list(allWorkspaces, { state, before: query.before, limit: PAGE_ROWS }),
    )
    const urls = await urlsOf(engine, page?.rows ?? [])
    const title = text('nav.problems')
    const main = (
      <>
        <div class="head tabbed">
          <h1>{title}</h1>
        </div>
        <nav class="tabs" aria-label={text('column.state')}>
          {STATES.map(([one, name]) => (
            <a href={link('problems', { state: one })} aria-current={one === state ? 'page' : undefined}>
              {text(name)}
            </a>
          ))}
        </nav>
        {page === undefined ? (
          <p class="sec dim">{text('problems.no_history')}</p>
        ) : page.rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('problems.none')}</h2>
              <p class="dim">{text('problems.what')}</p>
            </div>
          </section>
        ) : (
          <table class="rows tall">
            <caption class="sr">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.problem')}</th>
                <th scope="col" class="n">
                  {text('column.attempts')}
                </th>
                <th scope="col" class="n lo">
                  {text('column.first')}
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
                <Row problem={problem} url={urls.get(problem.endpointId)} state={state} reader={reader} />
              ))}
            </tbody>
          </table>
        )}
        {page === undefined ? null : (
          <Pager path={['problems']} query={query} next={page.next} reader={reader}>
            {text('problems.what')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: query.before === undefined ? 5000 : undefined }
  },
}

function Row({
  problem,
  url,
  state,
  reader,
}: {
  problem: EndpointProblem
  url: string | undefined
  state: ProblemState
  reader: Reader
}) {
  const { text, link, canAct } = reader
  const { id, workspaceId, endpointId, errorClass, httpStatus, attempts, firstSeenAt, lastSeenAt, acknowledgedBy } =
    problem
  const { happened, fix } = HTTP_EXPLANATIONS[httpStatus ?? 0] ?? ERROR_CLASSES[errorClass]
  return (
    <tr>
      <td class="a fill tx">
        <span class="status failed">
          <Icon name="failed" />
          <a class="st" href={link('deliveries', { endpoint: endpointId, workspace: workspaceId, time: '7d' })}>
            {happened}
          </a>
        </span>
        <p class="sub in">{fix}</p>
        <span class="in row">
          {url === undefined ? (
            <span class="mono">{endpointId}</span>
          ) : (
            <ShownUrl url={url} href={link('endpoints', workspaceId, endpointId)} />
          )}
          <span class="sub">{workspaceId}</span>
          {state === 'acknowledged' && acknowledgedBy !== null ? <span class="tag">{acknowledgedBy}</span> : null}
        </span>
      </td>
      <td class="n c">{showNumber(reader, attempts)}</td>
      <td class="n lo dim">
        <Moment at={firstSeenAt} reader={reader} />
      </td>
      <td class="n d dim">
        <Moment at={lastSeenAt} reader={reader} />
      </td>
      <td class="n f">
        {canAct && state !== 'resolved' ? (
          <form class="row end" method="post" action={link('problems', workspaceId, id)}>
            <FormToken reader={reader} />
            {state === 'open' ? (
              <button class="btn sm" name="do" value="acknowledge">
                {text('problem.acknowledge')}
              </button>
            ) : null}
            <button class="btn sm" name="do" value="resolve">
              {text('problem.resolve')}
            </button>
          </form>
        ) : null}
      </td>
    </tr>
  )
}

export const PROBLEM_ACTIONS: readonly Action[] = [
  {
    path: '/problems/:workspace/:id',
    section: 'problems',
    async act({ engine, reader, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'acknowledge') await engine.problems.acknowledge(workspaceId, id, { by })
      else if (verb === 'resolve') await engine.problems.resolve(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a problem can be acknowledged or resolved; found ${verb ?? 'nothing'}`,
        )
      return reader.link('problems')
    },
  },
]
