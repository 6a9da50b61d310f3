import type { SqliteDatabase } from '@keepsend/adapter-node'
import type { EngineOptions } from '@keepsend/engine'
import { DATA, catalog } from './catalog.ts'
import { ENDPOINTS, type EndpointName, HOUR_MS, MINUTE_MS, type StoryEndpoint } from './endpoints.ts'
import { type Past, openPast } from './past.ts'

/** The options of the engine that both the past and the present of the story have. */
export const STORY_ENGINE = { catalog, history: { responses: 'all' } } satisfies Partial<EngineOptions>

const BEGINS_MS = 26 * HOUR_MS
const EVERY_MS = 20 * MINUTE_MS
const OPERATOR = { by: 'dana@plover.example' }
const TYPES = ['message.posted', 'message.posted', 'message.edited', 'file.shared', 'message.posted', 'member.joined']
const WORKSPACES = ['acme-freight', 'nimbus-labs', 'lumen-clinic'] as const

export type StoryIds = Readonly<Record<EndpointName, string>>

/**
 * Writes the day of an installation into a database: three customers, endpoints in every state, a history of attempts, problems,
 * replays and API keys. The same in each run, except for random ids and secrets.
 *
 * @param at when the story ends, ms since the epoch
 * @param urlOf where an endpoint of the story is
 */
export async function writeStory(
  db: SqliteDatabase,
  { at, secrets, urlOf = (_name, url) => url }: StoryOptions,
): Promise<StoryIds> {
  const byUrl = new Map<string, StoryEndpoint>()
  const past = await openPast(db, at - BEGINS_MS, {
    ...STORY_ENGINE,
    secrets,
    urlPolicy: LOOPBACK_TOO,
    answer: ({ url, at: now }) => byUrl.get(url)?.answer(at - now) ?? { status: 404, tookMs: 20 },
  })
  const ids: Partial<Record<EndpointName, string>> = {}
  for (const [name, story] of Object.entries(ENDPOINTS) as [EndpointName, StoryEndpoint][]) {
    const url = urlOf(name, story.url)
    byUrl.set(url, story)
    const { endpoint } = await past.engine.endpoints.create(story.workspaceId, { url, ...story.input }, OPERATOR)
    ids[name] = endpoint.id
  }
  await live(past, at, ids as StoryIds)
  await past.moveTo(at)
  await past.end()
  return ids as StoryIds
}

export interface StoryOptions {
  at: number
  secrets: EngineOptions['secrets']
  urlOf?: (name: EndpointName, url: string) => string
}

export const LOOPBACK_TOO = {
  allowHttp: true,
  allowPorts: 'any',
  allowCidrs: ['127.0.0.0/8'],
} satisfies EngineOptions['urlPolicy']

async function live(past: Past, at: number, ids: StoryIds): Promise<void> {
  const { engine } = past
  const people: [agoMs: number, act: () => Promise<unknown>][] = [
    [25 * HOUR_MS, () => addKeys(past)],
    [24 * HOUR_MS, () => addLinks(past)],
    [7 * HOUR_MS, () => engine.endpoints.setStatus('lumen-clinic', ids.disabled, 'disabled', OPERATOR)],
    [4 * HOUR_MS, () => engine.replays.create('lumen-clinic', { what: 'failed', endpointId: ids.recovered }, OPERATOR)],
    [100 * MINUTE_MS, () => acknowledge(past, 'nimbus-labs', ids.expired)],
    [95 * MINUTE_MS, () => resolve(past, 'lumen-clinic', ids.recovered)],
    [40 * MINUTE_MS, () => engine.endpoints.pause('acme-freight', ids.paused, OPERATOR)],
    [50 * MINUTE_MS, () => startAndStop(past, ids)],
    [
      8000,
      () =>
        engine.replays.create(
          'acme-freight',
          { what: 'delivered', endpointId: ids.orders, since: at - 9 * HOUR_MS, until: at - 7 * HOUR_MS, rate: 1 },
          OPERATOR,
        ),
    ],
  ]
  let count = 0
  for (let agoMs = BEGINS_MS - HOUR_MS / 2; agoMs > 0; agoMs -= EVERY_MS) {
    for (const [when, act] of people.filter(([one]) => one <= agoMs && one > agoMs - EVERY_MS)) {
      await past.moveTo(at - when)
      await act()
    }
    // More by day than by night, and most in the last hours.
    const events = 1 + (agoMs < 6 * HOUR_MS ? 2 : 0) + (count % 2)
    for (const [place, workspaceId] of WORKSPACES.entries()) {
      for (let n = 0; n < events; n++, count++) {
        const type = TYPES[(count + place) % TYPES.length] ?? 'message.posted'
        const ms = Math.max(past.now(), at - agoMs + place * 2 * MINUTE_MS + n * 17_000)
        if (ms < at) await past.publish(ms, { type, workspaceId, data: DATA[type]?.(count) ?? {} })
      }
    }
  }
}

async function addKeys({ engine }: Past): Promise<void> {
  await engine.apiKeys.create({ workspaceId: 'acme-freight', name: 'Deploy', scopes: ['endpoints:read'], ...OPERATOR })
  await engine.apiKeys.create({
    workspaceId: 'acme-freight',
    name: 'Reports',
    scopes: ['deliveries:read'],
    expiresInMs: 30 * 24 * HOUR_MS,
    ...OPERATOR,
  })
}

async function addLinks({ engine }: Past): Promise<void> {
  await engine.portalLinks.create('acme-freight', {
    capabilities: ['endpoints:write'],
    subject: 'Kim',
    uses: 'many',
    expiresInMs: 7 * 24 * HOUR_MS,
    ...OPERATOR,
  })
}

async function problemsOf({ engine }: Past, workspaceId: string, endpointId: string): Promise<string[]> {
  const { rows } = await engine.problems.list(workspaceId, { limit: 100 })
  return rows.filter((problem) => problem.endpointId === endpointId).map(({ id }) => id)
}

async function acknowledge(past: Past, workspaceId: string, endpointId: string): Promise<void> {
  for (const id of await problemsOf(past, workspaceId, endpointId))
    await past.engine.problems.acknowledge(workspaceId, id, OPERATOR)
}

async function resolve(past: Past, workspaceId: string, endpointId: string): Promise<void> {
  for (const id of await problemsOf(past, workspaceId, endpointId))
    await past.engine.problems.resolve(workspaceId, id, OPERATOR)
}

async function startAndStop({ engine }: Past, ids: StoryIds): Promise<void> {
  const refused = { what: 'failed', endpointId: ids.refusing, rate: 1 } as const
  const paused = await engine.replays.create('nimbus-labs', refused, OPERATOR)
  await engine.replays.pause('nimbus-labs', paused.id, OPERATOR)
  const delivered = { what: 'delivered', endpointId: ids.broken, rate: 1 } as const
  const cancelled = await engine.replays.create('lumen-clinic', delivered, OPERATOR)
  await engine.replays.cancel('lumen-clinic', cancelled.id, OPERATOR)
}
