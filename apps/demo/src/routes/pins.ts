import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { v7 as uuidv7 } from 'uuid'
import { commitChange, now } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list, notFound } from '../read.ts'
import { messages, orm, pins } from '../tables.ts'

export const pinRoutes = new Hono<AppEnv>()

pinRoutes.get('/pins', async (c) => c.json({ data: await list(c, pins) }))

pinRoutes.put('/messages/:id/pin', async (c) => {
  const { workspaceId, id: messageId } = await find(c, messages, c.req.param('id'))
  const pin = { id: uuidv7(), workspaceId, messageId, createdAt: now() }
  return commitChange(c, { writes: [orm.insert(pins).values(pin)], type: 'pin.added', data: pin, status: 201 })
})

pinRoutes.delete('/messages/:id/pin', async (c) => {
  const [pin] = await list(c, pins, eq(pins.messageId, c.req.param('id')))
  if (!pin) return notFound(c.req.param('id'))
  return commitChange(c, { writes: [orm.delete(pins).where(eq(pins.id, pin.id))], type: 'pin.removed', data: pin })
})
