import type { DeliveryFilter, DeliveryLists, Page } from '../src/index.ts'

/** Options of an engine with a push queue. */
export const dispatching = { queue: { rowsStart: 'dispatched' as const, send: () => Promise.resolve() } }

/** Reads every page of a list, following its `next`. */
export async function pages<R extends { id: string }>(
  page: (before: string | undefined) => Promise<Page<R>>,
): Promise<Page<R>[]> {
  const all: Page<R>[] = []
  do all.push(await page(all.at(-1)?.next))
  while (all.at(-1)?.next !== undefined && all.length < 100)
  return all
}

export const list = ({ deliveries }: { deliveries: DeliveryLists }, filter: DeliveryFilter) =>
  pages((before) => deliveries.list('w1', { ...filter, before }))
export const idsOf = <R extends { id: string }>(found: Page<R>[]): string[] =>
  found.flatMap(({ rows }) => rows.map(({ id }) => id))
