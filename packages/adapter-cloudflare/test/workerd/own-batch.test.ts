// A host that commits with D1's own batch() puts the fan-out into it as texts and parameters.
import { env } from 'cloudflare:workers'
import { newEventId } from '@keepsend/engine'
import { toSql } from '@keepsend/outbox'
import { expect, it } from 'vitest'
import { type Rig, rig } from './rig.ts'

async function withOrders(): Promise<Rig & { commit: (orderId: string) => Promise<string> }> {
  const parts = await rig()
  await env.DB.exec('create table orders (id text not null primary key)')
  return {
    ...parts,
    async commit(orderId) {
      const event = { id: newEventId(), type: 'order.placed', workspaceId: 'w', data: { orderId } }
      const publish = parts.engine.publishStatements(event).map((statement) => toSql(statement, 'sqlite'))
      await env.DB.batch([
        ...publish.map(({ sql, params }) => env.DB.prepare(sql).bind(...params)),
        env.DB.prepare('insert into orders (id) values (?)').bind(orderId),
      ])
      return event.id
    },
  }
}

it("the publish statements commit with the host's own batch, and dispatch sends its messages", async () => {
  const { addEndpoint, commit, consume, engine, rows, sent } = await withOrders()
  const hook = await addEndpoint()
  const eventId = await commit('o1')
  expect(sent).toEqual([])
  await engine.dispatch(eventId)
  const [row] = await rows()
  expect(row).toMatchObject({ id: `${eventId}.${hook.endpointId}`, moves: 0 })
  expect(sent).toEqual([{ body: { outboxId: row?.id, gen: row?.gen } }])
  await consume()
  expect(await hook.arrivals()).toMatchObject([{ id: eventId, verified: true }])
  expect(await rows()).toEqual([])
})

it('the publish statements are rolled back with a failed batch', async () => {
  const { addEndpoint, commit, rows } = await withOrders()
  await addEndpoint()
  await commit('o1')
  await expect(commit('o1')).rejects.toThrow(/UNIQUE constraint failed: orders.id/)
  expect(await rows()).toHaveLength(1)
})
