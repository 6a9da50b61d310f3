import { AsyncLocalStorage } from 'node:async_hooks'
import type { ClaimRef } from '@keepsend/outbox'
import type { Owner } from './virtual-time.ts'

/** What is known of whoever runs just now, through all that it waits for. */
export interface Context {
  process: Owner
  /** The claims that it settles. */
  settling?: readonly ClaimRef[] | undefined
  /** The claim under which it makes an attempt. */
  delivering?: ClaimRef | undefined
  publishing?: Publication | undefined
}

/** What a commit should come to: a row for each endpoint that is enabled when it takes place. */
export interface Publication {
  eventIds: readonly string[]
  owed: string[]
}

export const context = new AsyncLocalStorage<Context>()
