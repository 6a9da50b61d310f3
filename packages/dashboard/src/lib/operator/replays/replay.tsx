import { allWorkspaces } from '@keepsend/engine'
import { Figure } from '../../parts/figure.tsx'
import { Head } from '../../parts/head.tsx'
import { Moment } from '../../parts/moment.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { showNumber } from '../../reader/reader.ts'
import { FormToken } from '../../parts/form-token.tsx'
import type { Page } from '../../site/visit.ts'
import { JobStatus, LIVE_MS, planned } from './replay-state.tsx'

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
                  {times.clock(job.createdAt)}
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
