import type { ClaimDueOptions, ClaimOptions, LeaseOptions } from './claim.ts'
import type { CleanupOptions } from './cleanup.ts'
import { checkNames } from './errors.ts'
import type { OutboxEvent } from './event.ts'
import type { ExpireOptions } from './expire.ts'
import type { FailHeldOptions, ResumeOptions } from './hold.ts'
import type { LineUpOptions, LookOptions } from './lane.ts'
import type { extendLease } from './lease.ts'
import type { OptionNames } from './options.ts'
import type { PayloadCleanupOptions } from './payload.ts'
import type { ReleaseOptions } from './release.ts'
import type { ReplayFilter, ReplayOptions } from './replay.ts'
import type { SettleOptions, failEvent, rescheduleEvent } from './settle.ts'
import type { SqliteOptions } from './sqlite/database.ts'
import type { StatsOptions } from './stats.ts'
import type { SweepOptions } from './sweep.ts'

const replayOptions = { limit: true, holdFor: true, now: true } satisfies OptionNames<ReplayOptions>

const sqlite = { defer: true, busyTimeoutMs: true, check: true } satisfies OptionNames<SqliteOptions>

/** What an event is made from. Refused as `invalid_event`, as whatever else is wrong with it. */
export const EVENT_NAMES = {
  eventId: true,
  endpointId: true,
  workspaceId: true,
  type: true,
  payload: true,
  contentType: true,
  maxAttempts: true,
  due: true,
} satisfies OptionNames<OutboxEvent>

/**
 * Every option of the verbs, by the verb. The compiler keeps each list whole, the verbs refuse what is not in it, and the
 * test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  'an event': EVENT_NAMES,
  fromBetterSqlite: sqlite,
  fromNodeSqlite: sqlite,
  claimDueEvents: { limit: true, leaseMs: true, now: true } satisfies OptionNames<ClaimDueOptions>,
  claimEvents: { leaseMs: true, now: true } satisfies OptionNames<LeaseOptions>,
  claimReadyEvents: { lanes: true, due: true, as: true, leaseMs: true, now: true } satisfies OptionNames<ClaimOptions>,
  lineUpDueEvents: { limit: true, now: true } satisfies OptionNames<LineUpOptions>,
  lookAtLanes: {
    after: true,
    only: true,
    workspaces: true,
    endpoints: true,
    behind: true,
  } satisfies OptionNames<LookOptions>,
  cleanupOldEvents: {
    retentionMs: true,
    failedRetentionMs: true,
    batchSize: true,
    budgetMs: true,
    now: true,
    elapsed: true,
  } satisfies OptionNames<CleanupOptions>,
  cleanupPayloads: {
    batchSize: true,
    budgetMs: true,
    now: true,
    elapsed: true,
  } satisfies OptionNames<PayloadCleanupOptions>,
  expireEvents: { maxAgeMs: true, batchSize: true, alongside: true, now: true } satisfies OptionNames<ExpireOptions>,
  failHeldStatement: { endpointId: true, error: true, limit: true } satisfies OptionNames<FailHeldOptions>,
  failEvent: { error: true, httpStatus: true, now: true } satisfies OptionNames<Parameters<typeof failEvent>[2]>,
  rescheduleEvent: {
    delayMs: true,
    dueAt: true,
    error: true,
    httpStatus: true,
    deferral: true,
    now: true,
  } satisfies OptionNames<Parameters<typeof rescheduleEvent>[2]>,
  extendLease: { now: true } satisfies OptionNames<Parameters<typeof extendLease>[3]>,
  outboxStats: { countLimit: true, now: true } satisfies OptionNames<StatsOptions>,
  releaseEvents: { dueAt: true, now: true } satisfies OptionNames<ReleaseOptions>,
  replayEvents: replayOptions,
  'the filter of a replay': {
    ids: true,
    workspaceId: true,
    endpointId: true,
    status: true,
    settledAfter: true,
    settledBefore: true,
  } satisfies OptionNames<ReplayFilter>,
  resumeStatement: {
    endpointId: true,
    limit: true,
    guard: true,
    afterMs: true,
    apartMs: true,
    now: true,
  } satisfies OptionNames<ResumeOptions>,
  settleEvents: {
    keepCompleted: true,
    claim: true,
    now: true,
  } satisfies OptionNames<SettleOptions>,
  sweepPendingEvents: {
    limit: true,
    leaseMs: true,
    firstSends: true,
    due: true,
    perWorkspace: true,
    now: true,
  } satisfies OptionNames<SweepOptions>,
}

/** @throws {OutboxError} `invalid_option` for an option that the verb does not have */
export function checkOptions(verb: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(verb, OPTION_NAMES[verb], options)
}
