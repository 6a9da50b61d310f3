// What every mutating route promises, on any database. The routes are found by walking the app's own table, so a new one
// that publishes nothing fails.
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { v7 as uuidv7 } from 'uuid'
import { type Ids, type Step, type StepRequest, requestOf, tour } from '../src/tour.ts'
import { type TestApp, mutatingRoutes } from './app-on.ts'

/** What was seen when a route was used, once for each step of the tour. */
interface Seen {
  step: Step
  status: number
  eventId: string
  /** Statements that were under way when the answer was there. */
  unfinished: number
  /** Committed rows of the event, looked at as soon as the answer was there. */
  rows: { type: string }[]
  /** Whether each row was committed when the queue was told of it. */
  told: boolean[]
  /** Answers to bad requests, and whether the database was untouched by them. */
  refused: { status: number; untouched: boolean }[]
  repeat: { status: number; same: boolean; replayed: boolean; rows: number; told: number; eventId: string }
}

/**
 * Describes the tests.
 *
 * @param routes asked of the app at collection, before any test runs: one that the tour does not know has nothing in
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
    const before = demo.version()
    const { status } = await demo.send(request, { key })
    return { status, untouched: demo.version() === before }
  }

  describe('the app', () => {
    it('has the mutating routes that the tour knows, 31 of them', () => {
      expect(routes).toHaveLength(31)
      expect(routes.toSorted()).toEqual([...new Set(tour.map(({ route }) => route))].toSorted())
    })

    it('publishes a type of its own from each route', () => {
      const typesOf = new Map(tour.map(({ route, type }) => [route, type]))
      expect(new Set(typesOf.values()).size).toBe(routes.length)
    })

    it('announces at least two changes that were committed elsewhere, and commits the others with their event', () => {
      const announced = new Set(tour.filter((step) => step.announced).map(({ route }) => route))
      expect(announced.size).toBe(3)
    })

    it('answers 401 without a key and changes nothing', async () => {
      for (const route of routes) {
        const before = demo.version()
        const [method = '', path = ''] = route.split(' ')
        const response = await demo.send({ method, path, body: '{}' }, {})
        expect([route, response.status, demo.version() === before]).toEqual([route, 401, true])
      }
    })

    it('keeps the operator’s routes from a workspace’s key', async () => {
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

    it('answers 409 when a key of the tables says no, and publishes nothing', async () => {
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
    it('has its row in the database before its answer, and before the queue is told', () => {
      const all = seen.get(route) ?? []
      expect(all.length).toBeGreaterThan(0)
      for (const { step, status, unfinished, rows, told } of all) {
        expect([200, 201]).toContain(status)
        // Else what is looked at a moment later may have been committed after the answer.
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

    it('makes one event of a request that is repeated with its Idempotency-Key', () => {
      for (const { step, status, eventId, repeat } of seen.get(route) ?? []) {
        expect(repeat.rows).toBe(1)
        expect(repeat.status).toBe(status)
        // What is announced has no record to replay; where the client brings the id, there is one event all the same.
        expect(repeat.replayed).toBe(step.announced === undefined)
        expect(repeat.eventId === eventId).toBe(step.announced !== 'again')
        expect(repeat.told).toBe(step.announced === 'again' ? 2 : 1)
        expect(repeat.same || step.announced !== undefined).toBe(true)
      }
    })
  })
}

/** Every way in which the request of a step can be wrong. */
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

// A body whose ids are those of the good request, so that the path alone is wrong.
function everybody(request: StepRequest): Ids {
  const fields = JSON.parse(request.body ?? '{}') as Record<string, string>
  return {
    ann: fields['authorId'] ?? '',
    bob: fields['authorId'] ?? fields['memberId'] ?? '',
    message: fields['messageId'] ?? '',
  }
}

/** The routes of an app that is opened for nothing else. */
export async function routesOf(open: () => Promise<TestApp>): Promise<string[]> {
  const opened = await open()
  const found = mutatingRoutes(opened.app)
  opened.close()
  return found
}
