import type { ClaimRef } from './row.ts'

/**
 * How a claim ends. `complete` deletes the row, every other outcome leaves it. Texts are cut to 1,000 characters, and
 * characters that no database stores are removed.
 */
export type Outcome = { claim: ClaimRef } & (
  | { settle: 'complete' }
  | { settle: 'fail'; error: string; httpStatus?: number | undefined }
  | ({ settle: 'reschedule' } & RescheduleReason & When)
  /** Held until it is resumed; the attempt does not count. */
  | { settle: 'hold'; reason: string; error?: string | undefined; httpStatus?: number | undefined }
  /** Released without an attempt; the attempt does not count. */
  | ({ settle: 'release' } & (When | { delayMs?: undefined; dueAt?: undefined }))
)

/** A delay from the database's clock, or a time. Give one. */
export type When = { delayMs: number; dueAt?: undefined } | { dueAt: number; delayMs?: undefined }

export interface RescheduleReason {
  error?: string | undefined
  httpStatus?: number | undefined
  deferral?: boolean | undefined
}
