import { describe, expect, it } from 'vitest'
import { api, read } from './routes.ts'

type Listing = Awaited<ReturnType<typeof filled>>

/** Seven endpoints and seven events; every event has a delivery for each endpoint that existed. */
async function filled() {
  const made = await api()
  const endpoints = []
  for (let n = 0; n < 3; n++) endpoints.push((await made.addEndpoint({ url: `https://h${n}.example.com/` })).id)
  const events = []
  for (const type of ['a', 'b', 'a', 'b', 'a', 'b', 'a']) {
    events.push((await made.engine.publish({ type, workspaceId: 'w1', data: {} })).eventId)
  }
  const deliveries = (await made.rows()).map(({ id }) => id)
  return {
    ...made,
    ids: { '/endpoints': endpoints, '/events': events.toReversed(), '/deliveries': deliveries.toReversed() },
  }
}

/** Every page of a list, following its cursors. */
async function pages({ call }: Listing, path: string): Promise<string[][]> {
  const all: string[][] = []
  let cursor: string | undefined = ''
  while (cursor !== undefined && all.length < 50) {
    const { body } = await read(call('GET', path + (cursor === '' ? '' : `&cursor=${encodeURIComponent(cursor)}`)))
    all.push((body['data'] as { id: string }[]).map(({ id }) => id))
    cursor = body['cursor'] as string | undefined
  }
  return all
}

describe.each(['/endpoints', '/events', '/deliveries'] as const)('the list %s', (path) => {
  it('shows every item once and in order in pages of any size, and the last page has no cursor', async () => {
    const listing = await filled()
    const expected = listing.ids[path]
    for (const limit of [1, 2, 3, 7, 20, 21, 250]) {
      const found = await pages(listing, `${path}?limit=${limit}`)
      expect(found.flat(), `limit ${limit}`).toEqual(expected)
      expect(found, `limit ${limit}`).toHaveLength(Math.ceil(expected.length / limit))
    }
    expect((await read(listing.call('GET', path))).body).not.toHaveProperty('cursor')
  })

  it('accepts a limit from 1 to 250 and its own cursors', async () => {
    const { call } = await api()
    const bad = [
      'limit=0',
      'limit=251',
      'limit=1.5',
      'limit=x',
      'limit=',
      'cursor=%%%',
      'cursor=!',
      'cursor=',
      `cursor=${btoa("x' or 1=1")}`,
      `cursor=${btoa('x'.repeat(141))}`,
    ]
    for (const query of bad) {
      expect(await read(call('GET', `${path}?${query}`)), query).toMatchObject({
        status: 400,
        body: { code: 'invalid_request' },
      })
    }
    for (const query of ['limit=1', 'limit=250']) expect((await call('GET', `${path}?${query}`)).status).toBe(200)
  })
})

describe('the list of deliveries', () => {
  it('is filtered by state, endpoint, type and event, and by all of them together', async () => {
    const listing = await filled()
    const { ids, call, rows, exec } = listing
    const [endpointId = ''] = ids['/endpoints']
    const [eventId] = ids['/events']
    await exec(
      "update pending_events set status = 'failed', ready = 0, completed_at = 1 where endpoint_id = ?",
      endpointId,
    )
    const expectFound = async (query: string, keep: (row: Awaited<ReturnType<typeof rows>>[number]) => boolean) => {
      const wanted = (await rows())
        .filter(keep)
        .map(({ id }) => id)
        .toReversed()
      expect(wanted.length).toBeGreaterThan(0)
      expect((await pages(listing, `/deliveries?limit=4&${query}`)).flat(), query).toEqual(wanted)
    }
    await expectFound('status=failed', (row) => row.status === 'failed')
    await expectFound(`endpointId=${endpointId}`, (row) => row.endpointId === endpointId)
    await expectFound('type=b', (row) => row.type === 'b')
    await expectFound(`eventId=${eventId}`, (row) => row.id.startsWith(eventId ?? '-'))
    await expectFound(
      `status=pending&type=a&eventId=${eventId}`,
      (row) => row.status === 'pending' && row.id.startsWith(eventId ?? '-'),
    )
    expect((await read(call('GET', '/deliveries?status=lost'))).status).toBe(400)
    expect((await read(call('GET', '/deliveries?endpointId=nothing'))).body).toEqual({ data: [] })
  })
})

describe('the list of events', () => {
  it('counts the deliveries of each by state', async () => {
    const { ids, call, exec } = await filled()
    const [first = '', second = ''] = ids['/endpoints']
    await exec("update pending_events set status = 'failed', ready = 0 where endpoint_id = ?", first)
    await exec("update pending_events set status = 'held', ready = 0 where endpoint_id = ?", second)
    const { body } = await read(call('GET', '/events?limit=1'))
    expect(body['data']).toMatchObject([
      { id: ids['/events'][0], deliveries: { pending: 1, held: 1, completed: 0, failed: 1 } },
    ])
  })
})
