import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { HoldReason } from '../outcome.ts'

/** The reason for which an endpoint holds a new row; null: it does not. A line for each reason. */
export function initialHoldReason(now: SqlText): SqlText {
  return sqlText`case
        when status <> 'enabled' then ${HELD_AS_DISABLED}
        when paused_until > ${now} then ${HELD_AS_PAUSED}
      end`
}

const HELD_AS_DISABLED = raw(`'${'endpoint_disabled' satisfies HoldReason}'`)
const HELD_AS_PAUSED = raw(`'${'endpoint_paused' satisfies HoldReason}'`)
