import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppContext, AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { channels, orm } from '../tables.ts'

const name = z.string().min(1).max(80)
const topic = z.string().max(250)
const channelInput = z.strictObject({ name, topic: topic.default('') })
const nameInput = z.strictObject({ name })
const topicInput = z.strictObject({ topic })

export const channelRoutes = new Hono<AppEnv>()

channelRoutes.get('/channels', async (c) => c.json({ data: await list(c, channels) }))

channelRoutes.post('/channels', async (c) => {
  const input = await readJson(c, channelInput)
  const channel = { id: uuidv7(), workspaceId: c.get('workspaceId'), ...input, archived: false, createdAt: now() }
  return commitChange(c, {
    writes: [orm.insert(channels).values(channel)],
    type: 'channel.created',
    data: channel,
    status: 201,
  })
})

channelRoutes.patch('/channels/:id', async (c) => changeChannel(c, 'channel.renamed', await readJson(c, nameInput)))
channelRoutes.put('/channels/:id/topic', async (c) =>
  changeChannel(c, 'channel.topic_set', await readJson(c, topicInput)),
)
channelRoutes.post('/channels/:id/archive', (c) => changeChannel(c, 'channel.archived', { archived: true }))
channelRoutes.post('/channels/:id/unarchive', (c) => changeChannel(c, 'channel.unarchived', { archived: false }))

channelRoutes.delete('/channels/:id', async (c) => {
  const channel = await find(c, channels, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(channels).where(eq(channels.id, channel.id))],
    type: 'channel.deleted',
    data: channel,
  })
})

async function changeChannel(
  c: AppContext,
  type: 'channel.renamed' | 'channel.topic_set' | 'channel.archived' | 'channel.unarchived',
  change: Partial<typeof channels.$inferSelect>,
): Promise<Response> {
  const channel = await find(c, channels, c.req.param('id') ?? '')
  return commitChange(c, {
    writes: [orm.update(channels).set(change).where(eq(channels.id, channel.id))],
    type,
    data: { ...channel, ...change },
  })
}
