import { claimDueEvents } from '@keepsend/outbox'
import type { EndpointProblem, EngineOptions, FinishedDelivery, ProblemFilter } from '../src/index.ts'
import { type Answer, type Rig, rig } from './rig.ts'

export const EVENT = { type: 'message.created', workspaceId: 'w1', data: {} }
export const HOUR_MS = 3_600_000
export const TIMEOUT: Answer = { kind: 'error', reason: 'timeout', message: 'no answer within 15000 ms' }
export const REFUSED: Answer = { kind: 'error', reason: 'connect', message: 'connection refused' }

/** Circuits stay closed, however many attempts fail. */
export const CLOSED = { failuresInRow: 10_000, minAttempts: 10_000, timeoutsInRow: 10_000 }

/** An engine with history. Each receiver gives the answers of its host in turn, then 200. */
export async function world(answers: Record<string, Answer[]> = {}, options: Partial<EngineOptions> = {}) {
  let movedMs = 0
  const made = await rig({
    history: true,
    retrySchedule: [1, 1, 1],
    circuit: CLOSED,
    answer: ({ url }) => answers[new URL(url).hostname.split('.')[0] ?? '']?.shift() ?? 200,
    ...options,
  })
  const list = async (filter: Partial<ProblemFilter> = {}) =>
    (await made.engine.problems.list('w1', { limit: 100, ...filter })).rows
  /** Moves the database's clock forward. */
  const later = async (ms: number) => moveClock(made, (movedMs += ms))
  return {
    ...made,
    answers,
    list,
    later,
    addAt: async (host: string) => (await made.addEndpoint({ url: `https://${host}.example.com/` })).id,
    publish: async (events: number) => {
      for (let n = 0; n < events; n++) await made.engine.publish(EVENT)
    },
    /** Attempts all that is due in one settle, this many times, a minute apart. */
    attempt: async (settles = 1) => {
      for (let n = 0; n < settles; n++) {
        await later(60_000)
        await made.engine.worker.settle(await attempted(made))
      }
    },
    only: async (): Promise<EndpointProblem> => {
      const [problem, ...others] = await list()
      if (!problem || others.length > 0) throw new Error(`found ${others.length} problems beside ${problem?.id}`)
      return problem
    },
  }
}

async function moveClock({ db, exec }: Rig, ms: number): Promise<void> {
  await exec('drop view keepsend_clock')
  const now =
    db.dialect.name === 'postgres'
      ? 'cast(floor(extract(epoch from statement_timestamp()) * 1000) as bigint)'
      : `cast(round(unixepoch('subsec') * 1000) as integer)`
  await exec(`create view keepsend_clock as select ${now} + ${ms} as ms`)
}

/** Claims all rows that are due, and attempts them without settling them: one after the other, so that the answers are in order. */
export async function attempted({ db, engine }: Pick<Rig, 'db' | 'engine'>): Promise<FinishedDelivery[]> {
  const { claims } = await claimDueEvents(db, { limit: 100 })
  const finished: FinishedDelivery[] = []
  for (const claim of claims) finished.push({ claim, outcome: await engine.worker.deliver(claim, claim.claimedAt) })
  return finished
}

/** The counts of each problem, by its id. */
export function countsOf(problems: readonly EndpointProblem[]): Record<string, object> {
  return Object.fromEntries(
    problems.map(({ id, state, attempts, deliveries, opened }) => [id, { state, attempts, deliveries, opened }]),
  )
}
