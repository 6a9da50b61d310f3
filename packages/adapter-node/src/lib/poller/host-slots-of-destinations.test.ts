import { describe, expect, it } from 'vitest'
import { startReceiver } from '../../../test/receiver.ts'
import { LOOPBACK, PATIENCE_MS, rig, until } from '../../../test/rig.ts'

const event = (workspaceId: string, n: number) => ({ type: 'message.created', workspaceId, data: { n } })

/** Publishes to one endpoint in each workspace; all of them name the same host. */
async function publish(
  made: Awaited<ReturnType<typeof rig>>,
  url: string,
  workspaces: readonly string[],
  each: number,
) {
  for (const workspaceId of workspaces)
    await made.engine.endpoints.create(workspaceId, { url: `${url}/${workspaceId}` })
  for (const workspaceId of workspaces) {
    await made.engine.commit({ writes: [], events: Array.from({ length: each }, (_, n) => event(workspaceId, n)) })
  }
}

describe('attempts at one destination host', { timeout: PATIENCE_MS }, () => {
  it('are at most slotsPerHost for all endpoints and workspaces together; other rows wait and count no attempt', async () => {
    const silent = await startReceiver(() => undefined)
    const other = await startReceiver()
    const urlPolicy = { ...LOOPBACK, allowHosts: ['localhost'] }
    const made = await rig({ queue: { concurrency: 32, slotsPerHost: 4 }, sender: { urlPolicy } })
    await publish(made, silent.url, ['w1', 'w2', 'w3'], 10)
    await made.queue.start(made.engine)
    await silent.arrived(4)
    // Another host is not delayed, and its row was published after all that could run.
    await publish(made, other.url.replace('127.0.0.1', 'localhost'), ['w4'], 20)
    await other.arrived(20)
    expect(silent.requests).toHaveLength(4)
    await until(() => made.rows().filter(({ attempts }) => attempts === 0).length === 26)
    for (let answered = 0; answered < 30; answered++) {
      await silent.arrived(Math.min(30, answered + 4))
      silent.requests[answered]?.answer()
    }
    await until(() => made.rows().length === 0)
    expect([silent.mostOpen(), silent.requests.length]).toEqual([4, 30])
    expect(new Set(silent.requests.map(({ id }) => id)).size).toBe(30)
  })

  it('go to the workspace with the fewest in flight, not to the one whose rows came first', async () => {
    const receiver = await startReceiver(() => undefined)
    const made = await rig({ queue: { concurrency: 32, slotsPerHost: 2 } })
    await publish(made, receiver.url, ['flood'], 200)
    await made.queue.start(made.engine)
    await receiver.arrived(2)
    await publish(made, receiver.url, ['small'], 1)
    const isServed = () => receiver.requests.some(({ path }) => path === '/small')
    let answered = 0
    while (!isServed()) {
      receiver.requests[answered++]?.answer()
      await receiver.arrived(answered + 2)
    }
    expect(answered).toBeLessThan(100)
  })
})
