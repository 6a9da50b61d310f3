import type { Context, Env } from 'hono'

/** The context of every route, in addition to the engine. */
export interface AppEnv extends Env {
  Variables: {
    /** From the API key, never from the request. */
    workspaceId: string
  }
}

export type AppContext = Context<AppEnv>

/**
 * The operator's workspace: its keys may create workspaces, and its endpoints get the events about them. It is not a workspace
 * of the app, so no other key can use it.
 */
export const OPERATOR = 'operator'
