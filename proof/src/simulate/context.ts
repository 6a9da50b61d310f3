import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClaimRef, TakenEvent } from '@keepsend/outbox'
import type { Workspace } from './template.ts'
import type { Owner } from './virtual-time.ts'

/** The current process and its operation, across its awaits. */
export interface Context {
  process: Owner
  /** The claims that it settles. */
  settling?: readonly (ClaimRef | TakenEvent)[] | undefined
  /** Whether the database has refused an operation of this settle, which may then go without its attempts. */
  isRefused?: boolean
  /** The claim under which it makes an attempt. */
  delivering?: TakenEvent | undefined
  publishing?: Publication | undefined
}

/** The expected effect of a commit: a row for each endpoint that exists when it takes place. */
export interface Publication {
  workspaceId: Workspace
  eventIds: readonly string[]
  owed: readonly string[]
  /** Lives of rows that its operation inserted, and the current lives of the owed rows after it. */
  inserted: string[]
  standing: ReadonlyMap<string, string>
}

export function newPublication(workspaceId: Workspace, eventIds: readonly string[]): Publication {
  return { workspaceId, eventIds, owed: [], inserted: [], standing: new Map() }
}

export const context = new AsyncLocalStorage<Context>()
