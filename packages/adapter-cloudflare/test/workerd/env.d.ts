import type { Env } from './worker.ts'

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {}
  }
}
type WorkerEnv = Env

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the receiver listens. */
    receiver: string
    /** Where the receiver listens that breaks every rule. */
    hostile: string
  }
}
