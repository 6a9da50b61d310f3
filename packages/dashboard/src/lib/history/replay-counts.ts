import type { ReplayJob, ReplayPlan } from '@keepsend/engine'
import { type Reader, showNumber } from '../reader/reader.ts'

/** Deliveries that a job did not send. */
export function skippedOf({ skipped }: ReplayJob): number {
  return skipped.onItsWay + skipped.noLongerStored + skipped.changed
}

/** How many deliveries a replay has, or that there are more than were counted. */
export function planned(
  { planned: count, plannedMore }: Pick<ReplayPlan, 'planned' | 'plannedMore'>,
  reader: Reader,
): string {
  return plannedMore ? reader.text('more_than', { n: count }) : showNumber(reader, count)
}
