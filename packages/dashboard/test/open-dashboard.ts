import { createTestEngine } from '@keepsend/testing'
import { Hono } from 'hono'
import { type Operator, createDashboard } from '@keepsend/dashboard'
import { visitor } from './visitor.ts'

export const MOUNT = '/admin/hooks'

/** A dashboard on an engine in memory with history, mounted in an app, and what a browser does with it. */
export async function openDashboard(
  operator: Operator = { name: 'dana', role: 'act' },
  given?: Awaited<ReturnType<typeof createTestEngine>>,
) {
  const engine = given ?? (await createTestEngine({ history: true }))
  let reading = operator
  const app = new Hono().route(MOUNT, createDashboard({ engine, authorize: () => reading, environment: 'production' }))
  return {
    engine,
    app,
    /** Who sends requests from now on. */
    as: (next: Operator) => void (reading = next),
    ...visitor(app),
  }
}
