import { describe, expect, it } from 'vitest'
import { type Rig, rig } from '../../../test/rig.ts'

const onPostgres = process.env['KEEPSEND_TEST_ON'] === 'postgres'
const MB = 1024 * 1024

/** Inserts endpoints that subscribe to everything, in a few statements. The first two by id accept requests. */
async function addEndpoints({ addEndpoint, exec }: Rig, count: number): Promise<void> {
  await addEndpoint()
  const numbers = `with recursive n (value) as (select 2 union all select value + 1 from n where value < ${count - 1})`
  await exec(`insert into keepsend_endpoints (id, workspace_id, url, event_types, channels, created_at, updated_at)
    ${numbers} select 'ep_' || value, workspace_id, url, event_types, channels, created_at, updated_at
    from keepsend_endpoints cross join n`)
  await exec(`insert into keepsend_subscriptions (workspace_id, pattern, channel, endpoint_id)
    ${numbers} select workspace_id, pattern, channel, 'ep_' || value from keepsend_subscriptions cross join n`)
  await addEndpoint()
}

/** The size of the database in bytes. */
async function bytesOf({ db, select }: Rig): Promise<number> {
  const [found] = await select(
    db.dialect.name === 'sqlite'
      ? 'select page_count * page_size as bytes from pragma_page_count, pragma_page_size'
      : `select sum(pg_total_relation_size(oid)) as bytes from pg_class
          where relkind = 'r' and relnamespace = current_schema()::regnamespace`,
  )
  return Number(found?.['bytes'])
}

/** Text that a database cannot compress. */
function noise(bytes: number): string {
  let text = ''
  for (let state = 1; text.length < bytes;) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    text += state.toString(36)
  }
  return text.slice(0, bytes)
}

describe('a payload', () => {
  it('of 256 KiB for 2,000 endpoints takes the database 3 MB, not 512', async () => {
    const made = await rig({ limits: { endpointsPerWorkspace: 2000 } })
    await addEndpoints(made, 2000)
    const before = await bytesOf(made)
    const data = { text: noise(262_000) }
    expect(await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data })).toMatchObject({ deliveries: 2000 })
    expect(await made.count('keepsend_payloads')).toBe(1)
    expect((await bytesOf(made)) - before).toBeLessThan(3 * MB)
    await made.work({ limit: 2 })
    const sent = made.sender.requests.map(({ body }) => (JSON.parse(body) as { data: unknown }).data)
    expect(sent).toEqual([data, data])
  })

  it('has its receivers counted at most once a second while there are few', async () => {
    let now = 0
    const statements: number[] = []
    const made = await rig({
      monotonic: () => now,
      wrap: (db) => ({ ...db, atomic: (list) => (statements.push(list.length), db.atomic(list)) }),
    })
    const both = made.db.dialect.name === 'postgres' ? 1 : 2
    const ofLong = made.db.dialect.inlinesLong ? 0 : 1
    const publish = async (text = '') => {
      statements.length = 0
      await made.engine.publish({ type: 'a.b', workspaceId: 'w1', data: { text } })
      return statements
    }
    for (let n = 0; n < 3; n++) await made.addEndpoint()
    expect([...(await publish()), ...(await publish()), ...(await publish(noise(1000)))]).toEqual([both, 1, both])
    expect([...(await publish()), await made.count('keepsend_payloads')]).toEqual([1, ofLong])
    now = 1001
    expect([...(await publish()), ...(await publish())]).toEqual([both, 1])
    await made.addEndpoint()
    expect([...(await publish()), await made.count('keepsend_payloads')]).toEqual([1, ofLong])
    now = 2002
    expect([...(await publish()), ...(await publish())]).toEqual([both, both])
    expect(await made.count('keepsend_payloads')).toBe(2 + ofLong)
  })

  it.each<[name: string, endpoints: number, text: string]>([
    ['of four endpoints', 4, 'short'],
    ['of 2 kB and four endpoints', 4, noise(2000)],
    // Postgres keeps a long payload out of line itself.
    ...(onPostgres ? [] : [['of 2 kB', 1, noise(2000)] satisfies [string, number, string]]),
  ])('%s is stored until each delivery of it is settled, and none is retained', async (_, endpoints, text) => {
    const made = await rig({ answer: ({ url }) => (url.includes('gone') ? 404 : 200) })
    for (let n = 1; n < endpoints; n++) await made.addEndpoint()
    await made.addEndpoint({ url: 'https://gone.example.com/' })
    await made.engine.commit({ writes: [], events: [{ type: 'a.b', workspaceId: 'w1', data: { text } }] })
    const payload = (await made.rows())[0]?.payload
    expect(await made.select('select payload from keepsend_payloads')).toEqual([{ payload }])
    await made.work({ limit: 10 })
    expect(await made.rows()).toMatchObject([{ status: 'failed', payload }])
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedPayloads: 0 })

    const [failed] = await made.rows()
    await made.engine.deliveries.replay('w1', failed?.id ?? '')
    await made.work({ limit: 10 })
    expect(made.sender.requests.map(({ body }) => body)).toEqual(Array(endpoints + 1).fill(payload))
    await made.exec("update pending_events set completed_at = 1 where status = 'failed'")
    await made.exec('update keepsend_sweep_pass set payloads_next_at = 0')
    expect(await made.engine.worker.maintain()).toMatchObject({ deletedRows: 1, deletedPayloads: 1 })
    expect(await made.count('keepsend_payloads')).toBe(0)
  })
})
