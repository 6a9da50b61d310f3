import type { Context, Env } from 'hono'

/** What every route finds in its context, besides the engine. */
export interface AppEnv extends Env {
  Variables: {
    /** Of the credential, never of the request. */
    workspaceId: string
  }
}

export type AppContext = Context<AppEnv>

/**
 * The workspace of whoever runs the installation: its keys may make workspaces, and its endpoints hear of them. It is
 * no workspace of the app's, so no other key can name it.
 */
export const OPERATOR = 'operator'
