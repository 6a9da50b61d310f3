// Tests of every mutating route, on any database. The routes come from the app's own route table, so a new route that publishes
// nothing fails.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { v7 as uuidv7 } from 'uuid'
import { type Ids, type Step, type StepRequest, requestOf, tour } from '../src/tour.ts'
import { type TestApp, mutatingRoutes } from './app-on.ts'

/** The observations of one step of the tour. */
interface Seen {
  step: Step
  status: number
  eventId: string
  /** Statements that were unfinished when the response was ready. */
  unfinished: number
  /** Committed rows of the event, read as soon as the response was ready. */
  rows: { type: string }[]
  /** Whether each row was committed when the queue was notified of it. */
  told: boolean[]
  /** Responses to bad requests, and whether the database was unchanged by them. */
  refused: { status: number; untouched: boolean }[]
  repeat: { status: number; same: boolean; replayed: boolean; rows: number; told: number; eventId: string }
}

/**
 * Defines the tests.
 *
 * @param routes of the app, read at collection before any test runs: a route that is missing in the tour has nothing in
 *   `seen`, and its tests fail
 */
export function describeEveryRoute(routes: readonly string[], open: () => Promise<TestApp>): void {
  let demo: TestApp
  const seen = new Map<string, Seen[]>()

  beforeAll(async () => {
    demo = await open()
    const ids: Ids = {}
    for (const step of tour) {
      const one = await use(step, ids)
      seen.set(step.route, [...(seen.get(step.route) ?? []), one])
    }
  })

  afterAll(() => demo.close())

  async function use(step: Step, ids: Ids): Promise<Seen> {
    const key = demo.keys[step.by ?? 'workspace']
    const request = requestOf(step, ids)
    const refused = await Promise.all(badRequests(step, request).map((bad) => refuse(bad, key)))
    const idempotencyKey = uuidv7()
    const toldBefore = demo.told.length
    const response = await demo.send(request, { key, idempotencyKey })
    const unfinished = demo.unfinished()
    const text = await response.clone().text()
    const { eventId, data } = (await response.json()) as { eventId: string; data: { id: string } }
    const rows = await demo.rowsOf(eventId)
    await demo.settled()
    const told = demo.told.slice(toldBefore)
    if (step.makes !== undefined) ids[step.makes] = data.id

    const again = await demo.send(request, { key, idempotencyKey })
    await demo.settled()
    const repeat = {
      status: again.status,
      same: (await again.clone().text()) === text,
      replayed: again.headers.get('idempotency-replayed') === 'true',
      rows: (await demo.rowsOf(eventId)).length,
      told: demo.told.length - toldBefore,
      eventId: ((await again.json()) as { eventId: string }).eventId,
    }
    return {
      step,
      status: response.status,
      eventId,
      unfinished,
      rows,
      told: told.map(({ committed }) => committed),
      refused,
      repeat,
    }
  }

  async function refuse(request: StepRequest, key: string): Promise<{ status: number; untouched: boolean }> {
    const before = await demo.version()
    const { status } = await demo.send(request, { key })
    return { status, untouched: (await demo.version()) === before }
  }

  describe('the app', () => {
    it('has the 31 mutating routes of the tour', () => {
      expect(routes).toHaveLength(31)
      expect(routes.toSorted()).toEqual([...new Set(tour.map(({ route }) => route))].toSorted())
    })

    it('publishes a type of its own from each route', () => {
      const typesOf = new Map(tour.map(({ route, type }) => [route, type]))
      expect(new Set(typesOf.values()).size).toBe(routes.length)
    })

    it('publishes at least two changes after their commit, and commits the others with their event', () => {
      const announced = new Set(tour.filter((step) => step.announced).map(({ route }) => route))
      expect(announced.size).toBe(3)
    })

    it('answers 401 without a key and changes nothing', async () => {
      for (const route of routes) {
        const before = await demo.version()
        const [method = '', path = ''] = route.split(' ')
        const response = await demo.send({ method, path, body: '{}' }, {})
        expect([route, response.status, (await demo.version()) === before]).toEqual([route, 401, true])
      }
    })

    it('refuses the operator’s routes to the key of a workspace', async () => {
      const response = await demo.send(
        { method: 'POST', path: '/workspaces', body: '{"name":"Mine"}' },
        { key: demo.keys.workspace },
      )
      expect(response.status).toBe(403)
    })

    it('shows no workspace what belongs to another', async () => {
      const other = await demo.engine.apiKeys.create({ workspaceId: 'w2' })
      const made = await demo.send(
        { method: 'POST', path: '/channels', body: '{"name":"secret"}' },
        { key: demo.keys.workspace },
      )
      const { data } = (await made.json()) as { data: { id: string } }
      const read = await demo.send({ method: 'GET', path: `/channels/${data.id}/messages` }, { key: other.key })
      const change = await demo.send({ method: 'DELETE', path: `/channels/${data.id}` }, { key: other.key })
      expect([made.status, read.status, change.status]).toEqual([201, 404, 404])
    })

    it('answers 409 to a violated key of the tables, and publishes nothing', async () => {
      const ask = (method: string, path: string, body: object): Promise<Response> =>
        demo.send({ method, path, body: JSON.stringify(body) }, { key: demo.keys.workspace })
      const id = async (response: Promise<Response>): Promise<string> =>
        ((await (await response).json()) as { data: { id: string } }).data.id
      const memberId = await id(ask('POST', '/members', { name: 'Eve' }))
      const channelId = await id(ask('POST', '/channels', { name: 'random' }))
      const messageId = await id(ask('POST', `/channels/${channelId}/messages`, { authorId: memberId, text: 'hi' }))
      const reaction = { memberId, emoji: '👍' }
      const first = await ask('POST', `/messages/${messageId}/reactions`, reaction)
      const before = await demo.countOf('reaction.added')
      const second = await ask('POST', `/messages/${messageId}/reactions`, reaction)
      expect([first.status, second.status, await demo.countOf('reaction.added')]).toEqual([201, 409, before])
    })
  })

  describe.each(routes)('%s', (route) => {
    it('commits the row before the response, and before the queue is notified', () => {
      const all = seen.get(route) ?? []
      expect(all.length).toBeGreaterThan(0)
      for (const { step, status, unfinished, rows, told } of all) {
        expect([200, 201]).toContain(status)
        // Otherwise a later read may see rows that were committed after the response.
        expect(unfinished).toBe(0)
        expect(rows.map(({ type }) => type)).toEqual([step.type])
        expect(told).toEqual([true])
      }
    })

    it('refuses bad requests and writes nothing for them', () => {
      for (const { step, refused } of seen.get(route) ?? []) {
        expect(refused.length).toBe((step.body ? 4 : 0) + (step.id === undefined ? 0 : 1))
        for (const { status, untouched } of refused)
          expect([status === 400 || status === 404, untouched]).toEqual([true, true])
      }
    })

    it('publishes one event for a request that is repeated with its Idempotency-Key', () => {
      for (const { step, status, eventId, repeat } of seen.get(route) ?? []) {
        expect(repeat.rows).toBe(1)
        expect(repeat.status).toBe(status)
        // Changes published after their commit have no record to replay; with the client's id there is still one event.
        expect(repeat.replayed).toBe(step.announced === undefined)
        expect(repeat.eventId === eventId).toBe(step.announced !== 'again')
        expect(repeat.told).toBe(step.announced === 'again' ? 2 : 1)
        expect(repeat.same || step.announced !== undefined).toBe(true)
      }
    })
  })
}

/** All ways in which the request of a step can be wrong. */
function badRequests(step: Step, request: StepRequest): StepRequest[] {
  const bad: StepRequest[] = []
  if (request.body !== undefined) {
    const { body: _, ...bodyless } = request
    const fields = JSON.parse(request.body) as object
    bad.push(bodyless, { ...bodyless, body: '{' }, { ...bodyless, body: '{}' })
    bad.push({ ...bodyless, body: JSON.stringify({ ...fields, unexpected: true }) })
  }
  if (step.id !== undefined)
    bad.push({ ...request, ...requestOf(step, { ...everybody(request), [step.id]: 'nothing-like-it' }) })
  return bad
}

// A body with the ids of the good request, so that only the path is wrong.
function everybody(request: StepRequest): Ids {
  const fields = JSON.parse(request.body ?? '{}') as Record<string, string>
  return {
    ann: fields['authorId'] ?? '',
    bob: fields['authorId'] ?? fields['memberId'] ?? '',
    message: fields['messageId'] ?? '',
  }
}

/** The routes of an app that is opened only to list them. */
export async function routesOf(open: () => Promise<TestApp>): Promise<string[]> {
  const opened = await open()
  const found = mutatingRoutes(opened.app)
  await opened.close()
  return found
}
