import type { ReplayInput } from '../src/index.ts'
import { rig } from './rig.ts'

type Made = Awaited<ReturnType<typeof replayRig>>

/** A rig with history, whose receivers refuse every delivery until `accept` is called. */
export async function replayRig(options: Parameters<typeof rig>[0] = {}) {
  let answered = 400
  const made = await rig({ history: true, answer: () => answered, ...options })
  return {
    ...made,
    accept: () => void (answered = 200),
    refuse: () => void (answered = 400),
    /** What was settled becomes older, so that a job that is made now takes it. */
    age: async (ms = 1000) => {
      const idsPerMs = made.db.dialect.name === 'postgres' ? 1_048_576 : 4096
      await made.exec(`update pending_events set completed_at = completed_at - ${ms} where completed_at is not null`)
      await made.exec(`update keepsend_attempts set id = id - cast(${ms} as bigint) * ${idsPerMs}`)
    },
    /** Publishes events of w1 and delivers them. */
    async publish(count: number, type = 'a') {
      const ids: string[] = []
      for (let n = 0; n < count; n++)
        ids.push((await made.engine.publish({ type, workspaceId: 'w1', data: { n } })).eventId)
      await made.work({ limit: 1000 })
      return ids
    },
    /** Makes a job in w1. */
    create: (input: ReplayInput) => made.engine.replays.create('w1', input),
    /** Makes every step of a job now due, and resumes what it held. */
    step: async (engine = made.engine) => {
      await made.exec('update keepsend_replays set due_at = 0')
      return engine.worker.stepReplays()
    },
    /** The rows of each status and hold reason. */
    async states() {
      const counts: Record<string, number> = {}
      for (const { status, holdReason } of await made.rows()) {
        const name = holdReason ?? status
        counts[name] = (counts[name] ?? 0) + 1
      }
      return counts
    },
  }
}

let nth = 0

/** An event id of this long ago, after those that were asked for before it. */
export function idAgo(ms: number): string {
  const hex = (Date.now() - ms + nth).toString(16).padStart(12, '0')
  return `evt_${hex.slice(0, 8)}-${hex.slice(8)}-7000-8000-${String(nth++).padStart(12, '0')}`
}

/** Resumes and delivers until nothing is left to do. */
export async function drain(made: Made): Promise<void> {
  for (let rounds = 0; rounds < 50; rounds++) {
    await made.exec('update keepsend_endpoints set resume_at = 0 where resume_at is not null')
    const { resumed } = await made.engine.worker.resumeHeld({ batch: 1000 })
    const sent = await made.work({ limit: 1000 })
    if (resumed.length + sent.length === 0) return
  }
  throw new Error('the rows never ended')
}
