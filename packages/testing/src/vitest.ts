import { expect } from 'vitest'
import { check } from './lib/expectation.ts'

declare module 'vitest' {
  // The parameters are vitest's, and have to be repeated.
  interface Matchers<R extends void | Promise<void> = void | Promise<void>, T = unknown> {
    /**
     * Passes if the engine of `createTestEngine` has published an event of this type, whose data has these properties.
     * Asymmetric matchers (`expect.any(String)`) may stand anywhere in the data. Await it.
     *
     * @example
     * await expect(engine).toHavePublished('message.created', { channel: 'general', id: expect.any(String) })
     */
    toHavePublished(type: string, data?: unknown): Promise<void>
    /** Passes if it has published exactly so many of them. Await it. */
    toHavePublishedTimes(type: string, times: number, data?: unknown): Promise<void>
  }
}

expect.extend({
  async toHavePublished(engine: unknown, type: string, data?: unknown) {
    return resultOf(await check(engine, { type, data }))
  },
  async toHavePublishedTimes(engine: unknown, type: string, times: number, data?: unknown) {
    return resultOf(await check(engine, { type, data, times }))
  },
})

function resultOf({ pass, message, notMessage }: Awaited<ReturnType<typeof check>>) {
  return { pass, message: () => (pass ? notMessage : message) }
}
