import type { KeepsendEnv } from '@keepsend/engine'
import type { Context, Env } from 'hono'
import type { Catalog } from './catalog.ts'

/** The context of every route: the engine of the catalog, so that the compiler checks each event, and the workspace. */
export interface AppEnv extends Env {
  Variables: KeepsendEnv<Catalog>['Variables'] & {
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
