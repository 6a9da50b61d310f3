import { type Engine, EngineError, problemResponse } from '@keepsend/engine'
import { Hono } from 'hono'
import { type AppEnv, OPERATOR } from './context.ts'
import { isSame } from './same-text.ts'

export interface SetupOptions {
  engine: Engine
  /** Allows its owner to create the operator's first key; undefined allows nobody. */
  secret: string | undefined
}

/** Adds `POST /setup` to the app, for hosts without a console: returns the operator's first API key, once, for the secret as Bearer token. */
export function withSetup(app: Hono<AppEnv>, { engine, secret }: SetupOptions): Hono {
  const outer = new Hono()
  outer.post('/setup', async (c) => {
    if (!secret || !(await isSame(c.req.header('authorization') ?? '', `Bearer ${secret}`))) {
      return problemResponse(
        new EngineError('unauthenticated', 'this needs the secret SETUP_SECRET: Authorization: Bearer …'),
      )
    }
    if ((await engine.apiKeys.list(OPERATOR)).length > 0) {
      return problemResponse(new EngineError('conflict', 'the operator has an API key already, and it was shown once'))
    }
    return c.json(await engine.apiKeys.create({ workspaceId: OPERATOR, name: 'first' }), 201)
  })
  outer.all('*', (c) => app.fetch(c.req.raw, c.env as object, c.executionCtx))
  return outer
}
