import { checkNames } from './errors.ts'
import type { OptionNames } from './options.ts'
import { isUnsettled } from './retry-now.ts'
import { type ClaimRef, GIVEN_UP } from './row.ts'
import { type SqlText, sqlText } from './statement.ts'
import { endSet } from './transitions.ts'

export interface GiveUpOptions {
  /** The current time, ms since the epoch. @default the database's clock */
  now?: number | undefined
}

export const GIVE_UP_OPTIONS = { now: 'number' } satisfies OptionNames<GiveUpOptions>

/**
 * Fails an unsettled row with {@link GIVEN_UP}, under a new `gen`: a worker that holds it loses its claim. Changes nothing if the
 * row has moved on since its `gen` was read. Returns id and `gen`.
 */
export function giveUpStatement(row: ClaimRef, options: GiveUpOptions = {}): SqlText {
  checkNames('giveUpStatement', GIVE_UP_OPTIONS, options)
  return sqlText`
    update pending_events set ${endSet(GIVEN_UP, options.now)}
    where ${isUnsettled(row)}
    returning id, gen`
}
