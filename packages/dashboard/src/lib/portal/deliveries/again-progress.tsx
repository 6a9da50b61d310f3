import type { ReplayJob } from '@keepsend/engine'
import { planned, skippedOf } from '../../history/replay-counts.ts'
import { type Reader, showNumber, showUntil } from '../../reader/reader.ts'
import { Note } from './endpoint-note.tsx'
import { sinceWhen } from './in-words.ts'

/** How far a job is that sends deliveries of this endpoint again. */
export function AgainProgress({ job, reader }: { job: ReplayJob; reader: Reader }) {
  const { text } = reader
  const { sent, reason, state } = job
  const done = sent + skippedOf(job)
  const most = Math.max(1, job.planned)
  const waits = state === 'paused' ? text('portal.again_paused') : reason === null ? '' : text(`portal.again_${reason}`)
  return (
    <Note tone="info" icon="replay" title={text('portal.again_running')}>
      <p role="status">
        {text('portal.again_progress', { sent: showNumber(reader, sent), planned: planned(job, reader) })} {waits}
      </p>
      <progress max={most} value={Math.min(most, done)} aria-label={text('replay.progress')} />
    </Note>
  )
}

/** The last job, while no other may begin. */
export function AgainDone({ job, nextAt, reader }: DoneParts) {
  const { text, times } = reader
  const { sent, createdAt } = job
  const leftOut = skippedOf(job)
  return (
    <Note tone="info" icon="replay" title={text('portal.again_done', { n: sent, time: sinceWhen(createdAt, reader) })}>
      <p>
        {leftOut === 0 ? '' : text('portal.again_skipped', { n: leftOut })}{' '}
        {text('portal.next_again', { time: times.clock(nextAt), span: showUntil(reader, nextAt) })}
      </p>
    </Note>
  )
}

interface DoneParts {
  job: ReplayJob
  nextAt: number
  reader: Reader
}
