import type { DeliveryState } from '@keepsend/engine'
import type { Reader } from '../../reader/reader.ts'
import { timeForForm } from '../replays/replay-form.ts'
import { type Filters, rangeMs } from '../../history/delivery-choices.ts'
import { eventIdIn } from '../../history/find-delivery.ts'

/**
 * The address of the page that counts all deliveries of a list, however many, and asks before it sends them again. A replay is of one
 * workspace: that of the filter, or else the only one of the rows that are shown.
 */
export function replayOf(filters: Filters, rows: readonly DeliveryState[], { link, now }: Reader): string {
  const { status, type, endpoint, http, error, code, time } = filters
  const workspaces = new Set(rows.map(({ workspaceId }) => workspaceId))
  const [only] = workspaces.size === 1 ? workspaces : []
  return link('replays', 'new', {
    what: status === 'failed' ? 'failed' : status === 'completed' ? 'delivered' : 'matching',
    workspace: filters.workspace ?? only,
    endpoint,
    type,
    http,
    error,
    code,
    event: filters.event ?? eventIdIn(filters.q),
    from: timeForForm(now - rangeMs(time)),
  })
}
