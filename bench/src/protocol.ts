// What a contender's process is asked over IPC, by worker.ts, and answers, from processes/worker.ts.
import type { Setup } from './contender.ts'

/**
 * Goes up by one with each change of what a worker understands: a new ask, a new member of its setup. The change and the
 * number are one commit, because `--against` builds the worker of an older commit from the sources of that one. Protocol
 * 1, from before there was a number, does not know `endpoints`, and 2 does not know `payloadBytes`.
 */
export const PROTOCOL = 3

/** What a worker can be asked, and what it answers. */
export interface Asks {
  seed: { ask: { events: number }; answer: undefined }
  start: { ask: undefined; answer: undefined }
  /** ms of CPU since `start`, taken before the stop. */
  stop: { ask: undefined; answer: { cpuMs: number } }
  left: { ask: undefined; answer: number }
  /** As `enqueue`, for so long. */
  warmUp: { ask: { ms: number; callers: number }; answer: undefined }
  /** Publishes so many, by so many callers that each await their own. */
  enqueue: { ask: { events: number; callers: number }; answer: { ms: number; cpuMs: number } }
  /** Publishes so many a second, whether they are sent or not; ids and when `publish` was called. */
  publish: { ask: { perSecond: number; events: number }; answer: [id: string, atMs: number][] }
  /** Peak memory of the process so far, in MB. */
  memory: { ask: undefined; answer: number }
  close: { ask: undefined; answer: undefined }
}

export interface WorkerSetup extends Setup {
  /** The contender's file in contenders/, without its ending. */
  file: string
}
