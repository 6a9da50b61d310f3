import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClaimRef, TakenEvent } from '@keepsend/outbox'
import type { Workspace } from './template.ts'
import type { Owner } from './virtual-time.ts'

/** What is known of whoever runs just now, through all that it waits for. */
export interface Context {
  process: Owner
  /** The claims that it settles. */
  settling?: readonly (ClaimRef | TakenEvent)[] | undefined
  /** The claim under which it makes an attempt. */
  delivering?: TakenEvent | undefined
  publishing?: Publication | undefined
}

/** What a commit should come to: a row for each endpoint that is there when it takes place. */
export interface Publication {
  workspaceId: Workspace
  eventIds: readonly string[]
  owed: readonly string[]
  /** Lives of rows that its operation inserted, and lives of owed rows that stood behind it. */
  inserted: string[]
  standing: ReadonlyMap<string, string>
}

export function newPublication(workspaceId: Workspace, eventIds: readonly string[]): Publication {
  return { workspaceId, eventIds, owed: [], inserted: [], standing: new Map() }
}

export const context = new AsyncLocalStorage<Context>()
