import type { EngineOptions } from '@keepsend/engine'

type EngineTimes = Pick<
  EngineOptions,
  'circuit' | 'deadlineMs' | 'maxDeadlineMs' | 'retrySchedule' | 'maxAgeMs' | 'history'
>

interface Times {
  engine: EngineTimes
  leaseMs?: number | undefined
}

const HOUR_MS = 3_600_000

/** How long the app waits, and how long it stores. */
export const TIMES = {
  /** Of the stories that kill it. Short deadlines allow a short lease, so that another process takes over claims within seconds. */
  story: {
    // Finds a recovered receiver within a second; a minute is enough for real ones.
    engine: { circuit: { openMs: 1000 }, deadlineMs: 1000, maxDeadlineMs: 2000 },
    leaseMs: 4000,
  },
  /** Of `pnpm dev`: what is older than its day before is deleted, so that the database does not grow for ever. */
  dev: {
    engine: {
      deadlineMs: 5000,
      maxDeadlineMs: 5000,
      retrySchedule: [5, 60, 300, 1800, 7200],
      maxAgeMs: 26 * HOUR_MS,
      history: { retentionMs: 26 * HOUR_MS },
    },
  },
} as const satisfies Record<string, Times>

/** The times of DEMO_TIMES; without it Keepsend's own. @throws {TypeError} for a name without times */
export function timesOf(name: string | undefined): Times {
  if (name === undefined || name === '') return { engine: {} }
  if (name === 'story' || name === 'dev') return TIMES[name]
  throw new TypeError(`DEMO_TIMES must be ${Object.keys(TIMES).join(' or ')}, or be absent; found ${name}`)
}
