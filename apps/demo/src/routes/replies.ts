import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { members, messages, orm, replies } from '../tables.ts'

const text = z.string().min(1).max(4000)
const replyInput = z.strictObject({ authorId: z.string().max(64), text })
const textInput = z.strictObject({ text })

/** Threads: a message and the replies to it. */
export const replyRoutes = new Hono<AppEnv>()

replyRoutes.get('/messages/:id/replies', async (c) => {
  const message = await find(c, messages, c.req.param('id'))
  return c.json({ data: await list(c, replies, eq(replies.messageId, message.id)) })
})

replyRoutes.post('/messages/:id/replies', async (c) => {
  const input = await readJson(c, replyInput)
  const { workspaceId, id: messageId } = await find(c, messages, c.req.param('id'))
  const { id: authorId } = await find(c, members, input.authorId)
  const reply = { id: uuidv7(), workspaceId, messageId, authorId, text: input.text, createdAt: now(), editedAt: null }
  return commitChange(c, {
    writes: [orm.insert(replies).values(reply)],
    type: 'reply.posted',
    data: reply,
    status: 201,
  })
})

replyRoutes.patch('/replies/:id', async (c) => {
  const change = { ...(await readJson(c, textInput)), editedAt: now() }
  const reply = await find(c, replies, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.update(replies).set(change).where(eq(replies.id, reply.id))],
    type: 'reply.edited',
    data: { ...reply, ...change },
  })
})

replyRoutes.delete('/replies/:id', async (c) => {
  const reply = await find(c, replies, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(replies).where(eq(replies.id, reply.id))],
    type: 'reply.deleted',
    data: reply,
  })
})
