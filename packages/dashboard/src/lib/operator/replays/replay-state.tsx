import type { ReplayJob } from '@keepsend/engine'
import type { PlainKey } from '../../language/text.ts'
import type { IconName } from '../../parts/icon.tsx'
import { Status } from '../../parts/status.tsx'
import type { Reader } from '../../reader/reader.ts'

const STATES: Readonly<Record<ReplayJob['state'], { tone: string; icon: IconName; word: PlainKey }>> = {
  running: { tone: 'pending', icon: 'sending', word: 'replay.running' },
  paused: { tone: 'held', icon: 'pause', word: 'replay.paused' },
  completed: { tone: 'delivered', icon: 'delivered', word: 'replay.completed' },
  cancelled: { tone: 'off', icon: 'stop', word: 'replay.cancelled' },
}

export function JobStatus({ job, reader: { text } }: { job: ReplayJob; reader: Reader }) {
  const { tone, icon, word } = STATES[job.state]
  return (
    <Status tone={tone} icon={icon}>
      {text(word)}
    </Status>
  )
}

/** How often the page of a replay that goes on looks again. */
export const LIVE_MS = 2000
