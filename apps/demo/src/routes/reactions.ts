import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { z } from 'zod'
import { commitChange, now, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { members, messages, orm, reactions } from '../tables.ts'

const reactionInput = z.strictObject({ memberId: z.string().max(64), emoji: z.string().min(1).max(32) })

export const reactionRoutes = new Hono<AppEnv>()

reactionRoutes.get('/messages/:id/reactions', async (c) => {
  const message = await find(c, messages, c.req.param('id'))
  return c.json({ data: await list(c, reactions, eq(reactions.messageId, message.id)) })
})

// The same reaction again is a 409: it violates the table's unique key, and the transaction stores nothing.
reactionRoutes.post('/messages/:id/reactions', async (c) => {
  const { memberId, emoji } = await readJson(c, reactionInput)
  const { workspaceId, id: messageId } = await find(c, messages, c.req.param('id'))
  await find(c, members, memberId)
  const reaction = { id: uuidv7(), workspaceId, messageId, memberId, emoji, createdAt: now() }
  return commitChange(c, {
    writes: [orm.insert(reactions).values(reaction)],
    type: 'reaction.added',
    data: reaction,
    status: 201,
  })
})

reactionRoutes.delete('/reactions/:id', async (c) => {
  const reaction = await find(c, reactions, c.req.param('id'))
  return commitChange(c, {
    writes: [orm.delete(reactions).where(eq(reactions.id, reaction.id))],
    type: 'reaction.removed',
    data: reaction,
  })
})
