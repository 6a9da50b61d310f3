import { EngineError } from '@keepsend/engine'
import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { channels, members, messages, orm } from '../tables.ts'

const text = z.string().min(1).max(4000)
const messageInput = z.strictObject({ authorId: z.string().max(64), text })
const textInput = z.strictObject({ text })

export const messageRoutes = new Hono<AppEnv>()

messageRoutes.get('/channels/:id/messages', async (c) => {
  const channel = await find(c, channels, c.req.param('id'))
  return c.json({ data: await list(c, messages, eq(messages.channelId, channel.id)) })
})

messageRoutes.post('/channels/:id/messages', async (c) => {
  const input = await readJson(c, messageInput)
  const channel = await find(c, channels, c.req.param('id'))
  const author = await find(c, members, input.authorId)
  if (channel.archived) throw new EngineError('conflict', 'the channel is archived')
  const message = {
    id: uuidv7(),
    workspaceId: channel.workspaceId,
    channelId: channel.id,
    authorId: author.id,
    text: input.text,
    createdAt: now(),
    editedAt: null,
  }
  return commitChange(c, {
    writes: [orm.insert(messages).values(message)],
    type: 'message.posted',
    data: message,
    status: 201,
  })
})

messageRoutes.patch('/messages/:id', async (c) => {
  const change = { ...(await readJson(c, textInput)), editedAt: now() }
  const message = await find(c, messages, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.update(messages).set(change).where(eq(messages.id, message.id))],
    type: 'message.edited',
    data: { ...message, ...change },
  })
})

messageRoutes.delete('/messages/:id', async (c) => {
  const message = await find(c, messages, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(messages).where(eq(messages.id, message.id))],
    type: 'message.deleted',
    data: message,
  })
})
