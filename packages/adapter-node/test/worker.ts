import { fork } from 'node:child_process'
import { once } from 'node:events'
import type { SendResult } from '@keepsend/engine'
import { onTestFinished } from 'vitest'
import type { DurableEventQueueOptions } from '../src/index.ts'
import { until } from './rig.ts'

/** The set-up of the other process: it opens the file or Postgres, and polls it if there are options for a queue. */
export interface WorkerSetup {
  file?: string
  postgres?: string
  queue?: Partial<Omit<DurableEventQueueOptions, 'db'>>
  /** The `user-agent` of its requests. */
  userAgent?: string
}

/** The functions of the other process. */
export type WorkerRequest =
  | { ask: 'publish'; count: number }
  | { ask: 'post'; url: string; deadlineMs: number }
  | { ask: 'peak' }
  | { ask: 'stop' }

export type WorkerMessage =
  | { ready: true }
  | { log: string; deliveryId: string }
  | { answer: number; result?: unknown; error?: string }

export interface Worker {
  /** Its log lines. */
  log: string[]
  publish(count: number): Promise<void>
  /** One POST through its own sender. `kind`, and `status` or `reason`. */
  post(url: string, deadlineMs: number): Promise<{ kind: SendResult['kind']; said: number | string }>
  /** Its peak memory since the first call, sampled every 5 ms. */
  peakMb(): Promise<number>
  /** Stops its queue and ends it. */
  stop(): Promise<void>
  kill(signal: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT'): void
  exited: Promise<unknown[]>
  logged(message: string): Promise<void>
}

/** A process on the same file; killed with the test at the latest. */
export async function startWorker(setup: WorkerSetup): Promise<Worker> {
  const child = fork(new URL('worker-process.ts', import.meta.url), [JSON.stringify(setup)], {
    execArgv: ['--conditions=@keepsend/source'],
  })
  const exited = once(child, 'exit')
  onTestFinished(() => void child.kill('SIGKILL'))
  const log: string[] = []
  const asked = new Map<number, { resolve(result: unknown): void; reject(error: Error): void }>()
  let last = 0
  const ready = new Promise<void>((resolve, reject) => {
    child.on('exit', () => reject(new Error('the worker ended before it was ready')))
    child.on('message', (message: WorkerMessage) => {
      if ('ready' in message) resolve()
      else if ('log' in message) log.push(message.log)
      else {
        const { answer, result, error } = message
        if (error === undefined) asked.get(answer)?.resolve(result)
        else asked.get(answer)?.reject(new Error(error))
      }
    })
  })
  const ask = <Result>(request: WorkerRequest): Promise<Result> =>
    new Promise((resolve, reject) => {
      const number = ++last
      asked.set(number, { resolve: (result) => resolve(result as Result), reject })
      child.send({ ...request, number })
    })
  await ready
  return {
    log,
    publish: (count) => ask({ ask: 'publish', count }),
    post: (url, deadlineMs) => ask({ ask: 'post', url, deadlineMs }),
    peakMb: () => ask({ ask: 'peak' }),
    async stop() {
      await ask({ ask: 'stop' })
      await exited
    },
    kill: (signal) => void child.kill(signal),
    exited,
    logged: (message) => until(() => log.some((line) => line.includes(message))),
  }
}
