// Compares the changes that the app acknowledged with the webhooks that the receiver verified, one by one.
import { type Call, ask } from './http.ts'
import type { Hook, Installation } from './installation.ts'
import type { Acknowledged } from './load.ts'

export interface Row {
  hook: string
  /** Acknowledged changes whose event the endpoint is subscribed to. */
  committed: number
  /** Of these, deliveries that the app settled as delivered. */
  delivered: number
  /** Of these, webhooks that the receiver verified. */
  verified: number
  /** Copies beyond the first. */
  duplicated: number
  unverified: number
  /** Committed and never arrived. */
  lost: number
  /** Arrived, but in no response to a client: a change that was committed twice. */
  unexplained: number
}

/** The number of deliveries of the changes. */
export function deliveriesOf(hooks: readonly Hook[], changes: readonly Acknowledged[]): number {
  return hooks.reduce((sum, hook) => sum + eventsFor(hook, changes).size, 0)
}

/** One row for each endpoint. */
export function compare(
  { app, receiver, keys, hooks }: Installation,
  changes: readonly Acknowledged[],
): Promise<Row[]> {
  return Promise.all(
    hooks.map(async (endpoint) => {
      const { hook, by } = endpoint
      const expected = eventsFor(endpoint, changes)
      const arrived = await ask<Record<string, { type: string; count: number }>>(
        `${receiver.ready.url}/arrivals/${hook}`,
      )
      const summary = await ask<Record<string, { duplicated: number; unverified: number }>>(
        `${receiver.ready.url}/arrivals`,
      )
      const delivered = await deliveredEvents(app.url, keys[by], hook)
      const verified = [...expected].filter((id) => Object.hasOwn(arrived, id))
      // Creating an API key has no idempotency record, so a repeated request creates another.
      const unexplained = Object.entries(arrived).filter(
        ([id, { type }]) => !expected.has(id) && type !== 'api_key.created',
      )
      return {
        hook,
        committed: expected.size,
        delivered: [...expected].filter((id) => delivered.has(id)).length,
        verified: verified.length,
        duplicated: summary[hook]?.duplicated ?? 0,
        unverified: summary[hook]?.unverified ?? 0,
        lost: expected.size - verified.length,
        unexplained: unexplained.length,
      }
    }),
  )
}

/** The sums of the columns. */
export function total(rows: readonly Row[]): Row {
  const sum: Row = {
    hook: 'all of them',
    committed: 0,
    delivered: 0,
    verified: 0,
    duplicated: 0,
    unverified: 0,
    lost: 0,
    unexplained: 0,
  }
  for (const row of rows) {
    for (const column of [
      'committed',
      'delivered',
      'verified',
      'duplicated',
      'unverified',
      'lost',
      'unexplained',
    ] as const) {
      sum[column] += row[column]
    }
  }
  return sum
}

/** Rows as aligned text. */
export function table(rows: readonly Row[]): string {
  const columns = ['hook', 'committed', 'delivered', 'verified', 'duplicated', 'unverified', 'lost'] as const
  const lines = [
    columns.map((column) => (column === 'hook' ? 'endpoint' : column)),
    ...rows.map((row) => columns.map((column) => row[column].toLocaleString('en'))),
  ]
  return lines
    .map((cells) => cells.map((cell, at) => (at === 0 ? cell.padEnd(14) : cell.padStart(12))).join(''))
    .join('\n')
}

/** The ids of the events that the endpoint gets. */
function eventsFor({ by, eventTypes }: Hook, changes: readonly Acknowledged[]): Set<string> {
  const events = changes.filter(({ step }) => (step.by ?? 'workspace') === by && fits(eventTypes, step.type))
  return new Set(events.map(({ eventId }) => eventId))
}

function fits(eventTypes: readonly string[], type: string): boolean {
  return eventTypes.some(
    (pattern) =>
      pattern === '*' || pattern === type || (pattern.endsWith('.*') && type.startsWith(pattern.slice(0, -1))),
  )
}

interface Page {
  data: { eventId: string; status: string }[]
  cursor?: string
  omitted?: 'completed'
}

/** Whether the app reports an event as delivered to the endpoint. On D1 it lists those alone that are not, unless it records every attempt. */
async function deliveredEvents(url: string, key: string, hook: string): Promise<{ has(eventId: string): boolean }> {
  const call: Call = { key }
  const { data } = await ask<{ data: { id: string; description: string }[] }>(`${url}/webhooks/endpoints`, call)
  const endpointId = data.find(({ description }) => description === hook)?.id ?? ''
  const states = new Map<string, string>()
  const query = new URLSearchParams({ endpointId, limit: '250' })
  for (;;) {
    const page = await ask<Page>(`${url}/webhooks/deliveries?${query}`, call)
    for (const { eventId, status } of page.data) states.set(eventId, status)
    if (page.cursor === undefined) {
      const unlisted = page.omitted
      return { has: (eventId) => (states.get(eventId) ?? unlisted) === 'completed' }
    }
    query.set('cursor', page.cursor)
  }
}
