import { eq } from 'drizzle-orm'
import { Hono } from 'hono'
import { z } from 'zod'
import { announceChange, commitAlone, now, readId, readJson } from '../change.ts'
import type { AppEnv } from '../context.ts'
import { find, list } from '../read.ts'
import { channels, members, messages, orm, receipts } from '../tables.ts'

const receiptInput = z.strictObject({ memberId: z.string().max(64), messageId: z.string().max(64) })

/** The last message that a member has read in a channel. */
export const receiptRoutes = new Hono<AppEnv>()

receiptRoutes.get('/channels/:id/receipts', async (c) => {
  const channel = await find(c, channels, c.req.param('id'))
  return c.json({ data: await list(c, receipts, eq(receipts.channelId, channel.id)) })
})

/**
 * Committed first and published afterwards. The client creates the receipt's id, from which the event's id is derived: a client
 * that repeats a request of unknown result still gets one receipt and one event.
 */
receiptRoutes.put('/channels/:id/receipts/:receiptId', async (c) => {
  const input = await readJson(c, receiptInput)
  const id = readId(c, 'receiptId')
  const { workspaceId, id: channelId } = await find(c, channels, c.req.param('id'))
  const { id: memberId } = await find(c, members, input.memberId)
  const { id: messageId } = await find(c, messages, input.messageId)
  const receipt = { id, workspaceId, channelId, memberId, messageId, readAt: now() }
  await commitAlone(c, orm.insert(receipts).values(receipt).onConflictDoNothing())
  return announceChange(c, { id: `evt_${id}`, type: 'receipt.made', data: receipt, status: 201 })
})
