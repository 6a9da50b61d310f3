// Tests of every list of the app, on any database.
import { afterAll, beforeAll, expect, it } from 'vitest'
import { type Ids, requestOf, tour } from '../src/tour.ts'
import type { TestApp } from './app-on.ts'

// The content of each list after a tour without its deletions, by the step that created each object.
const lists: Record<string, { of?: string; made: string }> = {
  'GET /workspaces': { made: 'POST /workspaces' },
  'GET /members': { made: 'POST /members' },
  'GET /channels': { made: 'POST /channels' },
  'GET /channels/:id/messages': { of: 'channel', made: 'POST /channels/:id/messages' },
  'GET /messages/:id/replies': { of: 'message', made: 'POST /messages/:id/replies' },
  'GET /messages/:id/reactions': { of: 'message', made: 'POST /messages/:id/reactions' },
  'GET /pins': { made: 'PUT /messages/:id/pin' },
  'GET /conversations': { made: 'POST /conversations' },
  'GET /conversations/:id/messages': { of: 'conversation', made: 'POST /conversations/:id/messages' },
  'GET /channels/:id/files': { of: 'channel', made: 'POST /channels/:id/files' },
  'GET /channels/:id/receipts': { of: 'channel', made: 'PUT /channels/:id/receipts/:receiptId' },
  'GET /channels/:id/commands': { of: 'channel', made: 'PUT /channels/:id/commands/:commandId' },
}

/** Defines the tests. */
export function describeEveryList(open: () => Promise<TestApp>): void {
  let demo: TestApp
  const ids: Ids = {}
  const made = new Map<string, { id: string }[]>()

  beforeAll(async () => {
    demo = await open()
    for (const step of tour.filter(({ route }) => !route.startsWith('DELETE'))) {
      const response = await demo.send(requestOf(step, ids), { key: demo.keys[step.by ?? 'workspace'] })
      const { data } = (await response.json()) as { data: { id: string } }
      if (step.makes !== undefined) ids[step.makes] = data.id
      made.set(step.route, [...(made.get(step.route) ?? []), data])
    }
  })

  afterAll(() => demo.close())

  const keyOf = (route: string): string => (route.includes('/workspaces') ? demo.keys.operator : demo.keys.workspace)

  it('every list of the app is tested here', () => {
    const found = demo.app.routes.filter(({ method, path }) => method === 'GET' && !path.startsWith('/webhooks'))
    expect(found.map(({ method, path }) => `${method} ${path}`).toSorted()).toEqual(Object.keys(lists).toSorted())
  })

  it.each(Object.entries(lists))('%s lists the created objects', async (route, { of, made: by }) => {
    const path = route.slice('GET '.length).replace(':id', ids[of ?? ''] ?? '')
    const response = await demo.send({ method: 'GET', path }, { key: keyOf(route) })
    const { data } = (await response.json()) as { data: { id: string }[] }
    expect(made.get(by)?.length).toBeGreaterThan(0)
    expect(data.map(({ id }) => id)).toEqual(expect.arrayContaining(made.get(by)?.map(({ id }) => id) ?? []))
  })

  it('an edit is read back as in its event', async () => {
    const [edited] = made.get('PATCH /messages/:id') ?? []
    const response = await demo.send(
      { method: 'GET', path: `/channels/${ids['channel']}/messages` },
      { key: demo.keys.workspace },
    )
    const { data } = (await response.json()) as { data: { id: string }[] }
    expect(data).toEqual([edited])
  })
}
