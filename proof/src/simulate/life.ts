import type { ClaimRef, PendingEvent, TakenEvent } from '@keepsend/outbox'

/** One life of a row, from its insert on: when it began, and the last `gen` that it has had. */
export interface Life {
  createdAt: number
  lastGen: number
  /** Its insert, or its last replay, on the monotonic clock. */
  since: number
}

/** Names a life of a row, by its key and the time of its insert. */
export function lifeOf({ id, createdAt }: TakenEvent): string {
  return `${id} of ${createdAt}`
}

export function isPaused(row: PendingEvent | undefined): boolean {
  return row?.holdReason === 'endpoint_paused'
}

export function isClaimOf(claim: ClaimRef | TakenEvent, row: PendingEvent): boolean {
  return claim.gen === row.gen && (!('createdAt' in claim) || claim.createdAt === row.createdAt)
}

const COUNTED = ['gen', 'attempts', 'deferrals', 'crashes', 'dueAt', 'ready', 'claimedAt'] as const
const SAID = ['status', 'holdReason', 'lastError'] as const

export function isSame(one: PendingEvent, other: PendingEvent): boolean {
  return [...COUNTED, ...SAID].every((column) => one[column] === other[column])
}
