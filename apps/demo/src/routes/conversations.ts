import { EngineError } from '@keepsend/engine'
import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { conversations, directMessages, members, orm } from '../tables.ts'

const conversationInput = z.strictObject({ memberIds: z.tuple([z.string().max(64), z.string().max(64)]) })
const directMessageInput = z.strictObject({ authorId: z.string().max(64), text: z.string().min(1).max(4000) })

/** Direct messages between two members. */
export const conversationRoutes = new Hono<AppEnv>()

conversationRoutes.get('/conversations', async (c) => c.json({ data: await list(c, conversations) }))

conversationRoutes.post('/conversations', async (c) => {
  const { memberIds } = await readJson(c, conversationInput)
  const [first, second] = [await find(c, members, memberIds[0]), await find(c, members, memberIds[1])]
  const conversation = {
    id: uuidv7(),
    workspaceId: c.get('workspaceId'),
    firstMemberId: first.id,
    secondMemberId: second.id,
    createdAt: now(),
  }
  return commitChange(c, {
    writes: [orm.insert(conversations).values(conversation)],
    type: 'conversation.opened',
    data: conversation,
    status: 201,
  })
})

conversationRoutes.get('/conversations/:id/messages', async (c) => {
  const conversation = await find(c, conversations, c.req.param('id'))
  return c.json({ data: await list(c, directMessages, eq(directMessages.conversationId, conversation.id)) })
})

conversationRoutes.post('/conversations/:id/messages', async (c) => {
  const { authorId, text } = await readJson(c, directMessageInput)
  const { id: conversationId, workspaceId, ...between } = await find(c, conversations, c.req.param('id'))
  if (authorId !== between.firstMemberId && authorId !== between.secondMemberId) {
    throw new EngineError('conflict', 'only the two members of a conversation can write in it')
  }
  const message = { id: uuidv7(), workspaceId, conversationId, authorId, text, createdAt: now() }
  return commitChange(c, {
    writes: [orm.insert(directMessages).values(message)],
    type: 'direct_message.sent',
    data: message,
    status: 201,
  })
})

conversationRoutes.delete('/direct-messages/:id', async (c) => {
  const message = await find(c, directMessages, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(directMessages).where(eq(directMessages.id, message.id))],
    type: 'direct_message.deleted',
    data: message,
  })
})
