// Requests to a contender's process over IPC, by worker.ts, and their answers, from processes/worker.ts.
import type { Setup } from './contender.ts'

/**
 * Increases by one with each change of the requests that a worker understands, or of its setup. The change and the
 * number are one commit, because `--against` builds the worker of an older commit from the sources of that one.
 * Protocol 1, from before there was a number, does not know `endpoints`, 2 does not know `payloadBytes`, and 3 neither
 * `history` nor `writtenBytes`.
 */
export const PROTOCOL = 4

/** The requests to a worker, and their answers. */
export interface Asks {
  seed: { ask: { events: number }; answer: undefined }
  start: { ask: undefined; answer: undefined }
  /** ms of CPU, and bytes that the process has written to files, since `start`, measured before the stop. */
  stop: { ask: undefined; answer: { cpuMs: number; writtenBytes?: number } }
  left: { ask: undefined; answer: number }
  /** Like `enqueue`, for a time. */
  warmUp: { ask: { ms: number; callers: number }; answer: undefined }
  /** Publishes events by this many callers, which each await their own. */
  enqueue: { ask: { events: number; callers: number }; answer: { ms: number; cpuMs: number } }
  /** Publishes at this rate, whether events are sent or not; returns their ids and when `publish` was called. */
  publish: { ask: { perSecond: number; events: number }; answer: [id: string, atMs: number][] }
  /** Peak memory of the process so far, in MB. */
  memory: { ask: undefined; answer: number }
  close: { ask: undefined; answer: undefined }
}

export interface WorkerSetup extends Setup {
  /** The contender's file in contenders/, without its extension. */
  file: string
}
