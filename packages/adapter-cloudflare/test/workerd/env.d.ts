import type * as worker from './worker.ts'

declare global {
  namespace Cloudflare {
    interface Env extends WorkerEnv {}
    interface GlobalProps {
      mainModule: typeof worker
    }
  }
}
type WorkerEnv = worker.Env

declare module 'vitest' {
  interface ProvidedContext {
    /** Where the receiver listens. */
    receiver: string
    /** Where the receiver listens that breaks every rule. */
    hostile: string
  }
}
