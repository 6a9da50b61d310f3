import { type ReplayJob, allWorkspaces } from '@keepsend/engine'
import { urlsOf } from '../../history/urls-of.ts'
import { FormToken } from '../../parts/form-token.tsx'
import { Figure } from '../../parts/figure.tsx'
import { planned, skippedOf } from '../../history/replay-counts.ts'
import { Head } from '../../parts/head.tsx'
import { Icon } from '../../parts/icon.tsx'
import { CopiedIdent } from '../../parts/split.tsx'
import { showSpan } from '../../reader/durations.ts'
import { type Reader, showNumber, showPercent } from '../../reader/reader.ts'
import type { Page } from '../../site/visit.ts'
import { JobFacts } from './job-facts.tsx'
import { JobStatus, LIVE_MS } from './replay-state.tsx'

const REFRESH_S = 5

export const replayPage: Page = {
  path: '/replays/:id',
  section: 'replays',
  async show({ engine, reader, param }) {
    const { text, link } = reader
    const job = await engine.replays.get(allWorkspaces, param('id'))
    const url = (await urlsOf(engine, [job])).get(job.endpointId ?? '')
    const title = text(`what.${job.what}`)
    const isOver = job.endedAt !== null
    const main = (
      <>
        <Head
          title={
            url === undefined
              ? title
              : text.rich('replay.to_endpoint', {
                  what: title,
                  url: <span class="mono">{new URL(url).host}</span>,
                })
          }
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
          actions={<Actions job={job} reader={reader} />}
          reader={reader}
        />
        <form id="act" method="post" action={link('replays', job.workspaceId, job.id)}>
          <FormToken reader={reader} />
        </form>
        <Progress job={job} reader={reader} />
        <dl class="figs five">
          <Figure name={text('column.sent')}>{showNumber(reader, job.sent)}</Figure>
          <Figure name={text('replay.waiting')}>{isOver ? '–' : showNumber(reader, waitingOf(job))}</Figure>
          <Figure name={text('skipped.on_its_way')}>{showNumber(reader, job.skipped.onItsWay)}</Figure>
          <Figure name={text('skipped.gone')}>{showNumber(reader, job.skipped.noLongerStored)}</Figure>
          <Figure name={text('skipped.changed')}>{showNumber(reader, job.skipped.changed)}</Figure>
        </dl>
        <p class="sec dim">
          {text('replay.outcomes')}{' '}
          <a
            class="link"
            href={link('deliveries', {
              workspace: job.workspaceId,
              endpoint: job.endpointId ?? undefined,
              status: 'failed',
              time: '7d',
            })}
          >
            {text('replay.failed_ones')}
          </a>
        </p>
        <div class="sec">
          <JobFacts job={job} url={url} reader={reader} />
        </div>
      </>
    )
    return { title, main, liveMs: isOver ? undefined : LIVE_MS, refreshS: isOver ? undefined : REFRESH_S }
  },
}

function waitingOf(job: ReplayJob): number {
  return Math.max(0, job.planned - job.sent - skippedOf(job))
}

function Actions({ job, reader }: { job: ReplayJob; reader: Reader }) {
  const { text, link, canAct } = reader
  if (!canAct || job.endedAt !== null) return null
  const isPaused = job.state === 'paused'
  return (
    <>
      <a class="btn danger" href={link('replays', job.id, 'cancel')}>
        {text('replay.cancel')}…
      </a>
      <button class="btn primary" form="act" name="do" value={isPaused ? 'resume' : 'pause'} data-key="r">
        <Icon name={isPaused ? 'play' : 'pause'} />
        {text(isPaused ? 'endpoint.resume' : 'endpoint.pause')}
      </button>
    </>
  )
}

/** How far a job is, and as far as its pace tells, how long it takes. */
function Progress({ job, reader }: { job: ReplayJob; reader: Reader }) {
  const { text, now, times } = reader
  const done = job.sent + skippedOf(job)
  const most = Math.max(1, job.planned)
  const took = now - job.createdAt
  const leftMs = job.state === 'running' && done > 0 && took > 0 ? (waitingOf(job) / done) * took : undefined
  const said = text('replay.of', { sent: job.sent, planned: planned(job, reader) })
  return (
    <section class="sec stack" aria-labelledby="h-prog">
      <h2 class="sr" id="h-prog">
        {text('replay.progress')}
      </h2>
      <p class="row between">
        <span>
          <span class="huge">{job.planned === 0 ? '–' : showPercent(reader, Math.min(done, most), most)}</span>{' '}
          <span class="dim" data-said>
            {said}
          </span>
        </span>
        {leftMs === undefined || leftMs < 1000 ? null : (
          <span class="dim">
            {text('replay.left', { span: showSpan(leftMs, text, 2), time: times.clock(now + leftMs) })}
          </span>
        )}
      </p>
      <progress max={most} value={Math.min(most, done)} aria-label={text('replay.progress')} />
    </section>
  )
}
