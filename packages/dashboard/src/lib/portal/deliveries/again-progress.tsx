import type { ReplayJob } from '@keepsend/engine'
import type { Child } from 'hono/jsx'
import { planned, skippedOf } from '../../history/replay-counts.ts'
import { type Reader, showNumber, showUntil } from '../../reader/reader.ts'
import { sinceWhen } from './in-words.ts'

/** How far a job is that sends deliveries of this endpoint again. */
export function AgainProgress({ job, reader }: { job: ReplayJob; reader: Reader }) {
  const { text } = reader
  const { sent, reason, state } = job
  const most = Math.max(1, job.planned)
  const waits = state === 'paused' ? text('portal.again_paused') : reason === null ? '' : text(`portal.again_${reason}`)
  return (
    <Again title={text('portal.again_running')}>
      <p role="status">
        {text('portal.again_progress', { sent: showNumber(reader, sent), planned: planned(job, reader) })} {waits}
      </p>
      <progress max={most} value={Math.min(most, sent + skippedOf(job))} aria-label={text('replay.progress')} />
    </Again>
  )
}

/** The last job, while no other may begin. */
export function AgainDone({ job, nextAt, reader }: { job: ReplayJob; nextAt: number; reader: Reader }) {
  const { text, times } = reader
  const { sent, createdAt } = job
  const leftOut = skippedOf(job)
  return (
    <Again title={text('portal.again_done', { n: sent, time: sinceWhen(createdAt, reader) })}>
      <p class="dim">
        {leftOut === 0 ? '' : text('portal.again_skipped', { n: leftOut })}{' '}
        {text('portal.next_again', { time: times.clock(nextAt), span: showUntil(reader, nextAt) })}
      </p>
    </Again>
  )
}

function Again({ title, children }: { title: string; children: Child }) {
  return (
    <section class="panel" aria-labelledby="h-again">
      <div class="sec stack">
        <h2 id="h-again">{title}</h2>
        {children}
      </div>
    </section>
  )
}
