import type { DeliveryFilter, Engine } from '@keepsend/engine'
import type { Reader } from '../reader/reader.ts'
import { showNumber } from '../reader/reader.ts'

/** The rows of one look, and the most looks. A look may find few rows and still leave more to look at. */
const LOOK_ROWS = 1000
const MAX_LOOKS = 10

/** A number of deliveries; `isMore`: there are more than that. */
export interface DeliveryCount {
  n: number
  isMore: boolean
}

/** Counts deliveries as far as a page can wait for it. */
export async function countDeliveries(
  engine: Engine,
  workspaceId: string,
  filter: Pick<DeliveryFilter, 'endpointId' | 'status'>,
): Promise<DeliveryCount> {
  let n = 0
  let before: string | undefined
  for (let look = 0; look < MAX_LOOKS; look++) {
    const { rows, next } = await engine.deliveries.list(workspaceId, { ...filter, limit: LOOK_ROWS, before })
    n += rows.length
    if (next === undefined) return { n, isMore: false }
    before = next
  }
  return { n, isMore: true }
}

/** `214`, or `more than 10,000`. */
export function showCount({ n, isMore }: DeliveryCount, reader: Reader): string {
  return isMore ? reader.text('more_than', { n }) : showNumber(reader, n)
}
