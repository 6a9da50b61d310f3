// A contender in a process of its own.
import { type Asked, startAsked } from './ask.ts'
import { processFile } from './build.ts'
import { senderCommand } from './cores.ts'
import type { Asks, WorkerSetup } from './protocol.ts'

export type Worker = Asked<Asks>

export interface WorkerOptions {
  /** Senders that run side by side, this one included. @default 1 */
  senders?: number | undefined
  /** The built worker process. @default this tree's */
  file?: string | undefined
}

/** Starts a contender in a process of its own; resolves when it is open. */
export function startWorker(setup: WorkerSetup, options: WorkerOptions = {}): Promise<Worker> {
  const { senders = 1, file = processFile('worker') } = options
  return startAsked<Asks>(setup.file, senderCommand(file, [JSON.stringify(setup)], senders))
}
