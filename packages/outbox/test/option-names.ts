import { CANCEL_OPTIONS } from '../src/lib/cancel.ts'
import { CLAIM_DUE_OPTIONS, CLAIM_OPTIONS, LEASE_OPTIONS } from '../src/lib/claim.ts'
import { CLEANUP_OPTIONS } from '../src/lib/cleanup.ts'
import { EVENT_OPTIONS } from '../src/lib/event.ts'
import { EXPIRE_OPTIONS } from '../src/lib/expire.ts'
import { FAIL_HELD_OPTIONS, RESUME_OPTIONS } from '../src/lib/hold.ts'
import { GIVE_UP_OPTIONS } from '../src/lib/give-up.ts'
import { LINE_UP_OPTIONS, LOOK_OPTIONS } from '../src/lib/lane.ts'
import { EXTEND_LEASE_OPTIONS } from '../src/lib/lease.ts'
import { PAYLOAD_CLEANUP_OPTIONS } from '../src/lib/payload.ts'
import { RELEASE_OPTIONS } from '../src/lib/release.ts'
import { REPLAY_FILTER, REPLAY_OPTIONS } from '../src/lib/replay.ts'
import { RETRY_NOW_OPTIONS } from '../src/lib/retry-now.ts'
import { FAIL_OPTIONS, RESCHEDULE_OPTIONS, SETTLE_OPTIONS } from '../src/lib/settle.ts'
import { SQLITE_OPTIONS } from '../src/lib/sqlite/database.ts'
import { STATS_OPTIONS } from '../src/lib/stats.ts'
import { SWEEP_OPTIONS } from '../src/lib/sweep.ts'

/** The options of each function, by the name in its errors. */
export const OPTION_NAMES = {
  'an event': EVENT_OPTIONS,
  fromBetterSqlite: SQLITE_OPTIONS,
  fromNodeSqlite: SQLITE_OPTIONS,
  cancelStatement: CANCEL_OPTIONS,
  claimDueEvents: CLAIM_DUE_OPTIONS,
  claimEvents: LEASE_OPTIONS,
  claimReadyEvents: CLAIM_OPTIONS,
  lineUpDueEvents: LINE_UP_OPTIONS,
  lookAtLanes: LOOK_OPTIONS,
  cleanupOldEvents: CLEANUP_OPTIONS,
  cleanupPayloads: PAYLOAD_CLEANUP_OPTIONS,
  expireEvents: EXPIRE_OPTIONS,
  failHeldStatement: FAIL_HELD_OPTIONS,
  failEvent: FAIL_OPTIONS,
  giveUpStatement: GIVE_UP_OPTIONS,
  rescheduleEvent: RESCHEDULE_OPTIONS,
  extendLease: EXTEND_LEASE_OPTIONS,
  outboxStats: STATS_OPTIONS,
  releaseEvents: RELEASE_OPTIONS,
  replayEvents: REPLAY_OPTIONS,
  'the filter of a replay': REPLAY_FILTER,
  retryNowStatement: RETRY_NOW_OPTIONS,
  resumeStatement: RESUME_OPTIONS,
  settleEvents: SETTLE_OPTIONS,
  sweepPendingEvents: SWEEP_OPTIONS,
}
