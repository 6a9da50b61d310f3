import { type ReplayInput, type ReplayJob, EngineError, allWorkspaces } from '@keepsend/engine'
import type { PlainKey } from '../language/text.ts'
import { Figure } from '../parts/figure.tsx'
import { Head } from '../parts/head.tsx'
import { Icon, type IconName } from '../parts/icon.tsx'
import { Moment } from '../parts/moment.tsx'
import { Pager } from '../parts/pager.tsx'
import { CopiedIdent, ShownUrl } from '../parts/split.tsx'
import { Status } from '../parts/status.tsx'
import { type Reader, showNumber } from '../reader/reader.ts'
import { FormToken } from '../shell/shell.tsx'
import { type Action, type Page, type Visit, queryOf } from '../visit.ts'
import { urlsOf } from './deliveries.tsx'

const PAGE_ROWS = 50
const LIVE_MS = 2000

const STATES: Readonly<Record<ReplayJob['state'], { tone: string; icon: IconName; word: PlainKey }>> = {
  running: { tone: 'pending', icon: 'sending', word: 'replay.running' },
  paused: { tone: 'held', icon: 'pause', word: 'replay.paused' },
  completed: { tone: 'delivered', icon: 'delivered', word: 'replay.completed' },
  cancelled: { tone: 'off', icon: 'stop', word: 'replay.cancelled' },
}

const WHATS = ['failed', 'missed', 'delivered'] as const

export const replaysPage: Page = {
  path: '/replays',
  section: 'replays',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const query = queryOf(visit, ['before'])
    const { rows, next } = await engine.replays.list(allWorkspaces, { limit: PAGE_ROWS, before: query.before })
    const urls = await urlsOf(engine, rows)
    const title = text('nav.replays')
    const main = (
      <>
        <Head
          title={title}
          reader={reader}
          actions={
            canAct ? (
              <a class="btn primary" href={link('replays', 'new')}>
                <Icon name="plus" />
                {text('replay.new')}
              </a>
            ) : undefined
          }
        />
        {rows.length === 0 ? (
          <section class="empty">
            <div class="stack">
              <h2>{text('replays.none')}</h2>
              <p class="dim">{text('replays.what')}</p>
            </div>
          </section>
        ) : (
          <table class="rows">
            <caption class="sr">{title}</caption>
            <thead>
              <tr>
                <th scope="col">{text('column.state')}</th>
                <th scope="col">{text('column.what')}</th>
                <th scope="col">{text('column.endpoint')}</th>
                <th scope="col" class="lo">
                  {text('column.workspace')}
                </th>
                <th scope="col" class="n">
                  {text('column.sent')}
                </th>
                <th scope="col" class="n">
                  {text('column.planned')}
                </th>
                <th scope="col" class="n">
                  {text('column.created')}
                </th>
              </tr>
            </thead>
            <tbody>
              {rows.map((job) => {
                const url = job.endpointId === null ? undefined : urls.get(job.endpointId)
                return (
                  <tr>
                    <td class="a nw">
                      <a href={link('replays', job.id)}>
                        <JobStatus job={job} reader={reader} />
                      </a>
                    </td>
                    <td class="b">{text(`what.${job.what}`)}</td>
                    <td class="fill e">
                      {url === undefined ? (
                        <span class="dim">{job.endpointId ?? text('replay.all_endpoints')}</span>
                      ) : (
                        <ShownUrl url={url} href={link('endpoints', job.workspaceId, job.endpointId ?? '')} />
                      )}
                    </td>
                    <td class="lo dim nw">{job.workspaceId}</td>
                    <td class="n c">{showNumber(reader, job.sent)}</td>
                    <td class="n">{planned(job, reader)}</td>
                    <td class="n d dim">
                      <Moment at={job.createdAt} reader={reader} />
                    </td>
                  </tr>
                )
              })}
            </tbody>
          </table>
        )}
        {rows.length === 0 ? null : (
          <Pager path={['replays']} query={query} next={next} reader={reader}>
            {text('replays.retained')}
          </Pager>
        )}
      </>
    )
    return { title, main, liveMs: rows.some(({ endedAt }) => endedAt === null) ? LIVE_MS : undefined }
  },
}

/** The form of a replay. With a workspace it counts what would be sent: a GET, so that the count can be repeated. */
export const replayNewPage: Page = {
  path: '/replays/new',
  section: 'replays',
  async show(visit) {
    const { engine, reader } = visit
    const { text, link, canAct } = reader
    const query = queryOf(visit, ['what', 'workspace', 'endpoint', 'from', 'to', 'rate'])
    let problem: string | undefined
    const plan =
      query.workspace === undefined
        ? undefined
        : await engine.replays
            .create(query.workspace, { ...inputOf(visit.query), dryRun: true })
            .catch((error: unknown) => {
              if (!(error instanceof EngineError) || error.code === 'not_accepted') throw error
              problem = error.message
              return undefined
            })
    const title = text('replay.new')
    const main = (
      <>
        <Head title={title} crumbs={<a href={link('replays')}>{text('nav.replays')}</a>} reader={reader} />
        {problem === undefined ? null : (
          <div class="note bad" role="alert">
            <Icon name="failed" />
            <div>
              <h2>{text('form.refused')}</h2>
              <p>{problem}</p>
            </div>
          </div>
        )}
        <div class="with-aside wide-aside">
          <form method="get" action={link('replays', 'new')} class="sec stack form">
            <fieldset class="stack">
              <legend>{text('replay.what')}</legend>
              {WHATS.map((what) => (
                <label class="check">
                  <input type="radio" name="what" value={what} checked={what === (query.what ?? 'failed')} />
                  <span>
                    {text(`what.${what}`)}
                    <br />
                    <span class="help">{text(`what_help.${what}`)}</span>
                  </span>
                </label>
              ))}
            </fieldset>
            <div class="cols">
              <div class="field">
                <label for="workspace">{text('fact.workspace')}</label>
                <input id="workspace" name="workspace" required value={query.workspace ?? ''} />
              </div>
              <div class="field">
                <label for="endpoint">
                  {text('replay.endpoint_id')} <span class="opt">{text('form.optional')}</span>
                </label>
                <input id="endpoint" name="endpoint" value={query.endpoint ?? ''} />
              </div>
            </div>
            <div class="cols">
              <div class="field">
                <label for="from">{text('replay.from')}</label>
                <input id="from" name="from" type="datetime-local" value={query.from ?? ''} />
              </div>
              <div class="field">
                <label for="to">
                  {text('replay.to')} <span class="opt">{text('replay.to_now')}</span>
                </label>
                <input id="to" name="to" type="datetime-local" value={query.to ?? ''} />
              </div>
            </div>
            <div class="field">
              <label for="rate">{text('replay.rate')}</label>
              <input id="rate" name="rate" type="number" min="1" max="10000" class="short" value={query.rate ?? ''} />
              <p class="help">{text('replay.rate_help')}</p>
            </div>
            <div>
              <button class="btn" type="submit">
                {text(plan ? 'replay.count_again' : 'replay.count')}
              </button>
            </div>
          </form>
          <aside aria-labelledby="h-count">
            <div class="sec stack">
              <h2 id="h-count">{text('replay.would')}</h2>
              {plan === undefined ? (
                <p class="dim">{text('replay.not_counted')}</p>
              ) : (
                <>
                  <p>
                    <span class="huge">{planned(plan, reader)}</span> {text('replay.deliveries')}
                  </p>
                  <p class="dim">{text('replay.until', { time: reader.times.whole(plan.until) })}</p>
                  {canAct && plan.planned > 0 ? (
                    <form method="post" action={link('replays')}>
                      <FormToken reader={reader} />
                      {Object.entries(query).map(([name, value]) =>
                        value === undefined ? null : <input type="hidden" name={name} value={value} />,
                      )}
                      <button class="btn primary" type="submit">
                        <Icon name="replay" />
                        {text('replay.start', { n: plan.planned })}
                      </button>
                    </form>
                  ) : null}
                  <p class="help">{text('replay.keeps')}</p>
                </>
              )}
            </div>
          </aside>
        </div>
      </>
    )
    return { title, main }
  },
}

export const replayPage: Page = {
  path: '/replays/:id',
  section: 'replays',
  async show({ engine, reader, param }) {
    const { text, link, canAct, times } = reader
    const job = await engine.replays.get(allWorkspaces, param('id'))
    const skipped = job.skipped.onItsWay + job.skipped.noLongerStored + job.skipped.changed
    const title = text(`what.${job.what}`)
    const most = Math.max(1, job.planned)
    const main = (
      <>
        <Head
          title={title}
          crumbs={
            <>
              <a href={link('replays')}>{text('nav.replays')}</a>
              <CopiedIdent id={job.id} label={text('copy.id')} />
            </>
          }
          beside={
            <>
              <JobStatus job={job} reader={reader} />
              <span class="sub">{job.reason === null ? '' : text(`reason.${job.reason}`)}</span>
            </>
          }
          actions={
            canAct && job.endedAt === null ? (
              <>
                <button class="btn danger" form="act" name="do" value="cancel">
                  {text('replay.cancel')}
                </button>
                <button class="btn primary" form="act" name="do" value={job.state === 'paused' ? 'resume' : 'pause'}>
                  {text(job.state === 'paused' ? 'endpoint.resume' : 'endpoint.pause')}
                </button>
              </>
            ) : undefined
          }
          reader={reader}
        />
        <form id="act" method="post" action={link('replays', job.workspaceId, job.id)}>
          <FormToken reader={reader} />
        </form>
        <section class="sec stack">
          <p>
            <span class="huge">{showNumber(reader, job.sent)}</span>{' '}
            <span class="dim">{text('replay.of', { planned: planned(job, reader) })}</span>
          </p>
          <progress max={most} value={Math.min(most, job.sent + skipped)} aria-label={text('replay.progress')} />
        </section>
        <dl class="figs five">
          <Figure name={text('column.sent')}>{showNumber(reader, job.sent)}</Figure>
          <Figure name={text('skipped.on_its_way')}>{showNumber(reader, job.skipped.onItsWay)}</Figure>
          <Figure name={text('skipped.gone')}>{showNumber(reader, job.skipped.noLongerStored)}</Figure>
          <Figure name={text('skipped.changed')}>{showNumber(reader, job.skipped.changed)}</Figure>
          <Figure name={text('replay.rate')}>{job.rate === null ? '–' : showNumber(reader, job.rate)}</Figure>
        </dl>
        <div class="sec">
          <dl class="facts wide">
            <div>
              <dt>{text('fact.workspace')}</dt>
              <dd>
                <a href={link('workspaces', job.workspaceId)}>{job.workspaceId}</a>
              </dd>
            </div>
            <div>
              <dt>{text('fact.endpoint')}</dt>
              <dd>
                {job.endpointId === null ? (
                  text('replay.all_endpoints')
                ) : (
                  <a class="mono" href={link('endpoints', job.workspaceId, job.endpointId)}>
                    {job.endpointId}
                  </a>
                )}
              </dd>
            </div>
            <div>
              <dt>{text('replay.started')}</dt>
              <dd>
                <Moment at={job.createdAt} reader={reader}>
                  {times.whole(job.createdAt)}
                </Moment>
              </dd>
            </div>
            <div>
              <dt>{text('replay.interrupted')}</dt>
              <dd>{text('replay.goes_on')}</dd>
            </div>
          </dl>
        </div>
      </>
    )
    return { title, main, liveMs: job.endedAt === null ? LIVE_MS : undefined }
  },
}

export const REPLAY_ACTIONS: readonly Action[] = [
  {
    path: '/replays',
    section: 'replays',
    async act({ engine, reader, field, by }) {
      const job = await engine.replays.create(field('workspace') ?? '', inputOf(field), { by })
      return reader.link('replays', job.id)
    },
  },
  {
    path: '/replays/:workspace/:id',
    section: 'replays',
    async act({ engine: { replays }, reader, param, field, by }) {
      const [workspaceId, id, verb] = [param('workspace'), param('id'), field('do')]
      if (verb === 'pause') await replays.pause(workspaceId, id, { by })
      else if (verb === 'resume') await replays.resume(workspaceId, id, { by })
      else if (verb === 'cancel') await replays.cancel(workspaceId, id, { by })
      else
        throw new EngineError(
          'invalid_request',
          `a replay can be paused, resumed or cancelled; found ${verb ?? 'nothing'}`,
        )
      return reader.link('replays', id)
    },
  },
]

function JobStatus({ job, reader: { text } }: { job: ReplayJob; reader: Reader }) {
  const { tone, icon, word } = STATES[job.state]
  return (
    <Status tone={tone} icon={icon}>
      {text(word)}
    </Status>
  )
}

function planned({ planned: count, plannedMore }: { planned: number; plannedMore: boolean }, reader: Reader): string {
  return plannedMore ? reader.text('more_than', { n: count }) : showNumber(reader, count)
}

/** The input of a replay, from a query or a form: the same names in both. */
function inputOf(value: Visit['query']): ReplayInput {
  const what = WHATS.find((one) => one === value('what')) ?? 'failed'
  const rate = value('rate')
  const shared = {
    since: timeIn('from', value('from')),
    until: timeIn('to', value('to')),
    rate: rate === undefined ? undefined : Number(rate),
  }
  const endpointId = value('endpoint')
  if (what !== 'missed') return { what, endpointId, ...shared }
  if (endpointId === undefined)
    throw new EngineError('invalid_request', 'a replay of missed events needs the endpoint that missed them')
  return { what, endpointId, ...shared }
}

/** A time of a form, which is in UTC. */
function timeIn(name: string, written: string | undefined): number | undefined {
  if (written === undefined) return undefined
  const time = Date.parse(`${written}Z`)
  if (Number.isNaN(time))
    throw new EngineError('invalid_request', `${name} must be a time such as 2026-10-06T11:00; found ${written}`)
  return time
}
