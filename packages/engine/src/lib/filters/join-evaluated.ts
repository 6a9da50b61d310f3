import type { OutboxDatabase } from '@keepsend/outbox'
import { type SqlText, raw, sqlText } from '@keepsend/outbox/internal'
import type { EvaluatedFilter } from './known-filters.ts'

/**
 * How the fan-out uses evaluated filters: by the version that the endpoint has now, so that a filter which was changed
 * meanwhile counts as unknown. The row of an endpoint with an unknown filter gets a copy, which its worker evaluates: the
 * receivers are those of the commit.
 */
export function joinEvaluated(
  { dialect }: OutboxDatabase,
  evaluated: readonly EvaluatedFilter[],
): { filter: SqlText; join: SqlText; isKnown: SqlText } {
  if (evaluated.length === 0) return { filter: raw('filter'), join: raw(''), isKnown: raw('') }
  const known = dialect.rows('known', evaluated, {
    known_id: ['text', ({ endpointId }) => endpointId],
    known_version: ['integer', ({ version }) => version],
    known_matches: ['integer', (one) => Number(one.matches)],
  })
  return {
    filter: raw('case when known_matches is null then filter end'),
    join: sqlText` left join ${known} on known_id = id and known_version = filter_version`,
    isKnown: raw(' and (filter is null or coalesce(known_matches, 1) = 1)'),
  }
}
