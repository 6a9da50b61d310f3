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

const replayOptions = { limit: 'number', holdFor: 'text', now: 'number' } satisfies OptionNames<ReplayOptions>

const sqlite = { defer: 'function', busyTimeoutMs: 'number', check: 'function' } satisfies OptionNames<SqliteOptions>

/** What an event is made from. Refused as `invalid_event`, as whatever else is wrong with it. */
export const EVENT_NAMES = {
  eventId: 'text',
  endpointId: 'text',
  workspaceId: 'text',
  type: 'text',
  payload: 'text',
  contentType: 'text',
  maxAttempts: 'number',
  due: 'any',
} satisfies OptionNames<OutboxEvent>

/**
 * Every option of the verbs, by the verb. The compiler keeps each list whole, the verbs refuse what is not in it, and the
 * test "every option given as undefined is its default" goes through it.
 */
export const OPTION_NAMES = {
  'an event': EVENT_NAMES,
  fromBetterSqlite: sqlite,
  fromNodeSqlite: sqlite,
  claimDueEvents: { limit: 'number', leaseMs: 'number', now: 'number' } satisfies OptionNames<ClaimDueOptions>,
  claimEvents: { leaseMs: 'number', now: 'number' } satisfies OptionNames<LeaseOptions>,
  claimReadyEvents: {
    lanes: 'list',
    due: 'number',
    as: 'text',
    leaseMs: 'number',
    now: 'number',
  } satisfies OptionNames<ClaimOptions>,
  lineUpDueEvents: { limit: 'number', now: 'number' } satisfies OptionNames<LineUpOptions>,
  lookAtLanes: {
    after: 'text',
    only: 'texts',
    workspaces: 'number',
    endpoints: 'number',
    behind: 'any',
  } satisfies OptionNames<LookOptions>,
  cleanupOldEvents: {
    retentionMs: 'number',
    failedRetentionMs: 'number',
    batchSize: 'number',
    budgetMs: 'number',
    now: 'number',
    elapsed: 'function',
  } satisfies OptionNames<CleanupOptions>,
  cleanupPayloads: {
    batchSize: 'number',
    budgetMs: 'number',
    now: 'number',
    elapsed: 'function',
  } satisfies OptionNames<PayloadCleanupOptions>,
  expireEvents: {
    maxAgeMs: 'number',
    batchSize: 'number',
    alongside: 'function',
    now: 'number',
  } satisfies OptionNames<ExpireOptions>,
  failHeldStatement: { endpointId: 'text', error: 'text', limit: 'number' } satisfies OptionNames<FailHeldOptions>,
  failEvent: { error: 'text', httpStatus: 'number', now: 'number' } satisfies OptionNames<
    Parameters<typeof failEvent>[2]
  >,
  rescheduleEvent: {
    delayMs: 'number',
    dueAt: 'number',
    error: 'text',
    httpStatus: 'number',
    deferral: 'boolean',
    now: 'number',
  } satisfies OptionNames<Parameters<typeof rescheduleEvent>[2]>,
  extendLease: { now: 'number' } satisfies OptionNames<Parameters<typeof extendLease>[3]>,
  outboxStats: { countLimit: 'number', now: 'number' } satisfies OptionNames<StatsOptions>,
  releaseEvents: { dueAt: 'number', now: 'number' } satisfies OptionNames<ReleaseOptions>,
  replayEvents: replayOptions,
  'the filter of a replay': {
    ids: 'texts',
    workspaceId: 'text',
    endpointId: 'text',
    status: 'text',
    settledAfter: 'number',
    settledBefore: 'number',
  } satisfies OptionNames<ReplayFilter>,
  resumeStatement: {
    endpointId: 'text',
    limit: 'number',
    guard: 'any',
    afterMs: 'number',
    apartMs: 'number',
    now: 'number',
  } satisfies OptionNames<ResumeOptions>,
  settleEvents: {
    keepCompleted: 'boolean',
    claim: 'any',
    now: 'number',
  } satisfies OptionNames<SettleOptions>,
  sweepPendingEvents: {
    limit: 'number',
    leaseMs: 'number',
    firstSends: 'text',
    due: 'boolean',
    perWorkspace: 'number',
    now: 'number',
  } satisfies OptionNames<SweepOptions>,
}

/** @throws {OutboxError} `invalid_option` for an option that the verb does not have */
export function checkOptions(verb: keyof typeof OPTION_NAMES, options: object): void {
  checkNames(verb, OPTION_NAMES[verb], options)
}
